"""JSON-RPC 2.0 without I/O: a call -> the bytes to send; status and bytes -> result or error.

A node answers application errors with HTTP 200, framework errors with 500 and 400 and JSON, others
without: so the body is read before the status.

Source: www.jsonrpc.org/specification; filecoin-project/go-jsonrpc v0.10.1, server.go, handler.go.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from provenance.canonical import Json, decode_loose
from provenance.errors import MalformedError
from storage.celestia.client.call import MIB, Call
from storage.celestia.client.errors import Kind, NodeError, told

MAX_REQUEST: Final = 16 * MIB
"""A node reads no more (celestia-node v0.31.4, api/rpc/server.go)."""
MAX_VALUES: Final = 2**21
"""JSON of a few bytes a value takes a hundred times its size in memory."""
_SHOWN: Final = 300
_OK: Final = 200
_TOO_SLOW: Final = 408
_BY_STATUS: Final[dict[int, Kind]] = {
    401: "permission",
    403: "permission",
    _TOO_SLOW: "lost",
    413: "too-large",
    429: "busy",
    503: "busy",
}


def encode_call(number: int, call: Call[Any]) -> bytes:
    """Return the request's body.

    Raises:
        NodeError: Too large for any node; nothing was sent.
    """
    request = {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
    body = json.dumps(request, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > MAX_REQUEST:
        raise NodeError(
            "too-large",
            f"{len(body)} bytes to send, and a node takes {MAX_REQUEST}: "
            "submit fewer blobs at once",
        )
    return body


def decode_reply(number: int, status: int, body: bytes, secrets: Sequence[str] = ()) -> Json:
    """Return the result in the answer to request `number`; no error shows one of `secrets`.

    Raises:
        NodeError: The node reports an error, or there is no whole answer.
        MalformedError: No JSON-RPC answer to this request.
    """
    try:
        reply = _object(body)
    except MalformedError as error:
        if status != _OK:
            raise _http_error(status) from error
        if body[:1] in (b"", b"{") and not body.rstrip().endswith(b"}"):
            raise NodeError("lost", "the answer breaks off") from error
        raise
    if "error" not in reply and status != _OK:
        raise _http_error(status)
    _check_reply(number, reply)
    if "error" in reply:
        raise _told(reply["error"], status, secrets)
    return reply["result"]


def _object(body: bytes) -> dict[str, Json]:
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise MalformedError(f"an answer of more than {MAX_VALUES} values")
    try:
        reply = decode_loose(body, limit=len(body))
    except MalformedError as error:
        raise MalformedError(f"the answer is {error}"[:_SHOWN]) from error
    if reply.get("jsonrpc") != "2.0" or not reply.keys() <= {"jsonrpc", "id", "result", "error"}:
        raise MalformedError("the answer is no JSON-RPC 2.0")
    return reply


def _check_reply(number: int, reply: dict[str, Json]) -> None:
    if ("result" in reply) == ("error" in reply):
        raise MalformedError("the answer must have either a result or an error")
    answered = reply.get("id", number + 1)
    # A request that could not be read is answered with an error for nobody (specification, 5).
    is_ours = type(answered) is int and answered == number
    if not is_ours and not (answered is None and "error" in reply):
        raise MalformedError("this answers another request")


def _told(error: Json, status: int, secrets: Sequence[str]) -> NodeError:
    code, text = (error.get("code"), error.get("message")) if isinstance(error, dict) else (0, 0)
    if type(code) is not int or not isinstance(text, str):
        raise MalformedError("the answer's error has no code and message")
    found = told(code, text, f"the node says ({code}): {_shown(text, secrets)}")
    if found.kind == "other" and status in _BY_STATUS:
        return NodeError(_BY_STATUS[status], str(found), refused=_is_refusal(status))
    return found


def _http_error(status: int) -> NodeError:
    kind = _BY_STATUS.get(status, "lost" if status >= 500 else "other")
    advice = {
        "permission": ": give a token that may do this",
        "busy": ": it is busy; try again later",
        "other": "; is this a Celestia node's address? Redirects are not followed",
    }
    text = f"HTTP status {status}{advice.get(kind, '')}"
    return NodeError(kind, text, refused=_is_refusal(status))


def _is_refusal(status: int) -> bool:
    """Whether the request was surely not worked on; a proxy says 503 of one that it lost, too."""
    return 300 <= status < 500 and status != _TOO_SLOW


def _shown(text: str, secrets: Sequence[str]) -> str:
    """Return the node's words as one line that no terminal obeys, secrets out before it is cut."""
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    clean = "".join(c if c.isprintable() else " " for c in text[: 4 * _SHOWN])
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "…"
