"""JSON-RPC 2.0 as a celestia-node speaks it: a body -> requests; results and errors -> a body.

    {"id":1,"jsonrpc":"2.0","method":"header.GetByHeight","params":[7]}
    {"id":1,"jsonrpc":"2.0","error":{"code":1,"message":"height is equal to 0"}}

What a method has against a call is code 1 with HTTP status 200; what this layer has against it is
one of JSON-RPC's own codes with status 500, an empty request 400.

Source: filecoin-project/go-jsonrpc v0.10.1, handler.go and server.go.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Json, JsonObject
from provenance.errors import MalformedError, UnavailableError

MOST_BYTES: Final = 16 * 2**20
"""Bytes of a request's body, at most: a node's own limit."""
MOST_CALLS: Final = 1024
PARSE, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, APPLICATION = -32700, -32600, -32601, -32602, 1
Id = str | int | float | None
_IDS: Final = {bool: "bool", list: "[]interface {}"}


class ProtocolError(MalformedError):
    """A request that reaches no method; `code` is JSON-RPC's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status of an answer that says so."""
        return 400 if self.code == INVALID_REQUEST else 500


class BusyError(UnavailableError):
    """More is under way than this node takes; nothing was done."""

    def __init__(self) -> None:
        super().__init__("server busy, try again later")


@dataclass(frozen=True, slots=True)
class Request:
    """One call: what is asked, and the number that its answer carries; None wants no answer."""

    method: str
    params: Json
    id: Id


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of one call: the JSON to send, and the HTTP status where it stands alone."""

    encoded: bytes
    status: int = 200


def read(body: bytes) -> tuple[tuple[Request | Answer, ...], bool]:
    """Return the requests of a body, and whether they came as a batch.

    What is wrong with a single request of a batch is its answer already.

    Raises:
        ProtocolError: No request can be read.
    """
    body = body.strip(b" \t\r\n")
    if not body:
        raise ProtocolError(INVALID_REQUEST, "Invalid request")
    try:
        value = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(PARSE, "Parse error") from error
    if not isinstance(value, list):
        return (_request(value),), False
    if not value or len(value) > MOST_CALLS:
        raise ProtocolError(INVALID_REQUEST, "Invalid request")
    return tuple(_told(each) for each in value), True


def result(encoded: bytes, number: Id) -> Answer:
    """Return the answer that a method gives, in JSON already."""
    return Answer(b'{"id":%b,"jsonrpc":"2.0","result":%b}' % (encode(number), encoded))


def failure(code: int, text: str, number: Id, status: int = 200) -> Answer:
    """Return the answer that something is wrong."""
    error: JsonObject = {"code": code, "message": text}
    return Answer(encode({"error": error, "id": number, "jsonrpc": "2.0"}), status)


def encode(value: Json) -> bytes:
    """Return a value in JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def write(answers: Sequence[Answer], *, is_batch: bool) -> bytes:
    """Return the body that holds all answers, as a list if they were asked for as one."""
    joined = b",".join(answer.encoded for answer in answers)
    return b"[%b]\n" % joined if is_batch else joined + b"\n"


def _told(value: Json) -> Request | Answer:
    try:
        return _request(value)
    except ProtocolError as error:
        return failure(error.code, str(error), None, error.status)


def _request(value: Json) -> Request:
    if not isinstance(value, Mapping):
        raise ProtocolError(PARSE, "Parse error")
    number, method, params = value.get("id"), value.get("method"), value.get("params")
    if not isinstance(method, str | None):
        raise ProtocolError(PARSE, "Parse error")
    if isinstance(number, bool) or not isinstance(number, str | int | float | None):
        kind = _IDS.get(type(number), "map[string]interface {}")
        raise ProtocolError(PARSE, f"failed to parse ID: invalid id type: {kind}")
    if isinstance(number, float) and not math.isfinite(number):  # 1e999 is read as infinity
        raise ProtocolError(PARSE, "Parse error")
    return Request((method or "")[:200], params, number)


def _refuse(text: str) -> Json:
    raise ValueError(f"{text} is no JSON")
