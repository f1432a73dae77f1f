"""One call to a node by hand: no client under test, nothing interpreted."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 120.0


def exchange(
    url: str,
    method: str,
    params: list[Any],
    token: str | None = None,
    authority: Path | None = None,
) -> tuple[int, Any]:
    """Return the HTTP status and the JSON body (the text if it is none) of one call.

    Raises:
        OSError: No whole answer.
    """
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = urllib.request.Request(  # noqa: S310  # loopback
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        trust = ssl.create_default_context(cafile=authority) if authority else None
        with urllib.request.urlopen(request, timeout=SECONDS, context=trust) as answer:  # noqa: S310
            return answer.status, _body(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _body(error.read())


def ask(url: str, method: str, *params: Any, token: str | None = None) -> Any:
    """Return the result of one call, or raise ValueError with the node's text."""
    status, body = exchange(url, method, list(params), token)
    if not isinstance(body, dict) or "result" not in body:
        raise ValueError(f"{method}: HTTP {status}: {body}")
    return body["result"]


def _body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
