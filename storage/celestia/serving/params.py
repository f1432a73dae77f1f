"""What a call's parameters are, read strictly: each reader takes JSON and gives a value.

A reader's name in Go stands beside it, since a node's errors name the type that was expected.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from provenance.canonical import Json, JsonObject
from provenance.errors import MalformedError
from storage.celestia.availability import MAX_SQUARE
from storage.celestia.nmt import NAMESPACE_BYTES
from storage.celestia.serving.protocol import INVALID_PARAMS, MOST_BYTES, PARSE, ProtocolError
from storage.celestia.share import MAX_BLOB_BYTES, SIGNER_BYTES, Blob
from storage.celestia.square import square_size

TOO_LARGE: Final = "broadcast tx error: code: 21: tx too large"
"""How a refusal of too large a submission begins; a node says no more than the code."""
MOST_BLOBS: Final = 10_000
MOST_NAMESPACES: Final = 1_000
MOST_PLACES: Final = 1_000
_MOST_UINT64: Final = 2**64 - 1
_DECIMAL: Final = re.compile(r"[1-9][0-9]{0,17}")


class TooLargeError(MalformedError):
    """More bytes than a block can hold; what a node says as a method, not as a reader."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: how a node calls its type, and what reads it."""

    kind: str
    read: Callable[[Json], Any]


def read(method: str, params: Json, expected: Sequence[Param]) -> list[Any]:
    """Return the values of a call's parameters.

    Raises:
        ProtocolError: Too few or too many, or one that is not what is expected.
    """
    if params is None:
        params = []
    if not isinstance(params, list):
        raise ProtocolError(
            PARSE, f"unmarshaling param array: {_misfit(params, '[]jsonrpc.param')}"
        )
    if len(params) != len(expected):
        count = f"{len(params)} != {len(expected)}"
        raise ProtocolError(INVALID_PARAMS, f"wrong param count (method '{method}'): {count}")
    return [_read(method, value, param) for value, param in zip(params, expected, strict=True)]


def _read(method: str, value: Json, param: Param) -> Any:  # noqa: ANN401  # what the reader gives
    try:
        return param.read(value)
    except TooLargeError:
        raise
    except MalformedError as error:
        where = f"unmarshaling params for '{method}' (param: {param.kind})"
        raise ProtocolError(PARSE, f"{where}: {error}") from error


def unsigned(value: Json, kind: str = "uint64", most: int = _MOST_UINT64) -> int:
    """Return an integer from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _misfit(value, kind)
    if isinstance(value, float) or not 0 <= value <= most:
        raise MalformedError(f"json: cannot unmarshal number {value} into Go value of type {kind}")
    return value


def index(value: Json) -> int:
    """Return a place in a square; what is beyond it is the method's to refuse."""
    return unsigned(value, "int", 2**31 - 1)


def octets(value: Json, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a base64 string, at most `most`; null gives none."""
    if value is None:
        return b""
    if not isinstance(value, str):
        raise _misfit(value, "[]uint8")
    if len(value) > 4 * (most // 3 + 1):
        raise MalformedError(f"more than {most} bytes, the most that is taken here")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("illegal base64 data") from error


def namespace(value: Json) -> bytes:
    """Return a namespace of 29 bytes, reserved or not."""
    found = octets(value, NAMESPACE_BYTES)
    if len(found) != NAMESPACE_BYTES:
        raise MalformedError(
            f"invalid namespace length: {len(found)}. Must be {NAMESPACE_BYTES} bytes"
        )
    return found


def namespaces(value: Json) -> tuple[bytes, ...]:
    """Return a list of namespaces; null gives none."""
    return tuple(namespace(each) for each in _list(value, MOST_NAMESPACES, "[]share.Namespace"))


def digest(value: Json) -> bytes:
    """Return a share commitment: any bytes, since a wrong one is only not found."""
    return octets(value, 1024)


def block_hash(value: Json) -> str:
    """Return a block's hash in upper-case hex."""
    if not isinstance(value, str):
        raise _misfit(value, "string")
    try:
        return bytes.fromhex(value).hex().upper()
    except ValueError as error:
        raise MalformedError("encoding/hex: invalid byte") from error


def blobs(value: Json) -> tuple[Blob, ...]:
    """Return the blobs of a submission; their commitments are computed anew, as a node does."""
    found = tuple(_blob(each) for each in _list(value, MOST_BLOBS, "[]*blob.Blob"))
    try:
        square_size(found)
    except MalformedError as error:
        raise TooLargeError(f"{TOO_LARGE}: {error}") from error
    return found


def lower(value: Json) -> int:
    """Return the height of the header that a range begins after; nothing else of it is used."""
    head = _object(_object(value).get("header"))
    height = head.get("height")
    if not isinstance(height, str) or not _DECIMAL.fullmatch(height):
        raise MalformedError("invalid header: a height is a decimal string")
    return int(height)


def proof(value: Json) -> Json:
    """Return a blob's proof, a list of at most one for each row of a square."""
    return [_object(each) for each in _list(value, MAX_SQUARE, "blob.Proof")]


def places(value: Json) -> tuple[tuple[int, int], ...]:
    """Return rows and columns of an extended square."""
    found = [_object(each) for each in _list(value, MOST_PLACES, "[]shwap.SampleCoords")]
    return tuple((index(each.get("row", 0)), index(each.get("col", 0))) for each in found)


def text(value: Json) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise _misfit(value, "string")
    return value


def options(value: Json) -> JsonObject:
    """Return the options of a submission, an object; null gives none."""
    return {} if value is None else _object(value)


def _blob(value: Json) -> Blob:
    member = _object(value)
    data, signer = octets(member.get("data")), octets(member.get("signer"), 64)
    version = member.get("share_version", 0)
    if isinstance(version, bool) or not isinstance(version, int):
        raise _misfit(version, "uint8")
    if version not in (0, 1):
        raise MalformedError(f"share version {version} not supported. Please use 0 or 1")
    if not data:
        raise MalformedError("data can not be empty")
    if version == 0 and member.get("signer") is not None:
        raise MalformedError("share version 0 does not support signer")
    if version == 1 and len(signer) != SIGNER_BYTES:
        raise MalformedError(f"share version 1 requires signer of size {SIGNER_BYTES} bytes")
    if len(data) > MAX_BLOB_BYTES:
        raise TooLargeError(f"{TOO_LARGE}: a blob has at most {MAX_BLOB_BYTES} bytes here")
    return Blob(_user(namespace(member.get("namespace"))), data, version, signer)


def _user(found: bytes) -> bytes:
    if found.startswith(bytes(28)) or found[:1] == b"\xff":
        raise MalformedError(
            f"invalid user namespace: invalid data namespace({found.hex()}): "
            "reserved data is forbidden"
        )
    return found


def _list(value: Json, most: int, kind: str) -> Sequence[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _misfit(value, kind)
    if len(value) > most:
        raise MalformedError(f"more than {most} of them, the most that is taken here")
    return value


def _object(value: Json) -> JsonObject:
    if not isinstance(value, Mapping):
        raise _misfit(value, "struct")
    return value


def _misfit(value: Json, kind: str) -> MalformedError:
    return MalformedError(f"json: cannot unmarshal {_kind(value)} into Go value of type {kind}")


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "bool"
    names = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names.get(type(value), "null")


HEIGHT: Final = Param("*uint64", unsigned)
INDEX: Final = Param("*int", index)
NAMESPACE: Final = Param("*share.Namespace", namespace)
NAMESPACES: Final = Param("*[]share.Namespace", namespaces)
COMMITMENT: Final = Param("*blob.Commitment", digest)
PROOF: Final = Param("**blob.Proof", proof)
HASH: Final = Param("*header.Hash", block_hash)
BLOBS: Final = Param("*[]*blob.Blob", blobs)
OPTIONS: Final = Param("**txclient.TxConfig", options)
HEADER: Final = Param("**header.ExtendedHeader", lower)
PLACES: Final = Param("*[]shwap.SampleCoords", places)
TEXT: Final = Param("*string", text)
