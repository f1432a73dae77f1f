"""The module `node` of a node: what it is, whether it is ready, and its tokens.

Source: celestia-node v0.31.4, nodebuilder/node/node.go, admin.go; go-jsonrpc, auth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Fields, Json
from storage.celestia.client.call import Call
from storage.celestia.client.reading import boolean, items, nothing, text
from storage.celestia.client.token import MAX_TOKEN, Token

_SECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class Info:
    """What the node says that it is; `version` is empty where it was built without one."""

    type: str
    version: str


def node_info() -> Call[Info]:
    """Ask what the node is."""
    return Call("node.Info", (), _read_info)


def node_ready() -> Call[bool]:
    """Ask whether the node is ready."""
    return Call("node.Ready", (), boolean, seconds=10)


def node_auth_verify(token: Token) -> Call[tuple[str, ...]]:
    """Ask what `token` may do."""
    return Call("node.AuthVerify", (token.text,), _read_permissions, secret=token.text)


def node_auth_new(permissions: Sequence[str]) -> Call[Token]:
    """Ask for a token that may do `permissions` and never expires."""
    return Call("node.AuthNew", (list(permissions),), _read_token, writes=True)


def node_auth_new_with_expiry(permissions: Sequence[str], seconds: int) -> Call[Token]:
    """Ask for a token that may do `permissions` for so many seconds."""
    params = (list(permissions), seconds * _SECOND)
    return Call("node.AuthNewWithExpiry", params, _read_token, writes=True)


def node_log_level_set(name: str, level: str) -> Call[None]:
    """Ask the node to log component `name` (or `*`) at `level`."""
    return Call("node.LogLevelSet", (name, level), nothing, writes=True)


def _read_info(answer: Json) -> Info:
    said = Fields.of(answer, "node info").members
    # Nodes before v0.31 write their type as a number.
    kind, version = said.get("type"), said.get("api_version", "")
    return Info(
        str(kind) if type(kind) is int else text(kind, "type", 32), text(version, "api", 64)
    )


def _read_permissions(answer: Json) -> tuple[str, ...]:
    return tuple(text(each, "permission", 32) for each in items(answer, "permissions", 16))


def _read_token(answer: Json) -> Token:
    return Token(text(answer, "token", MAX_TOKEN))
