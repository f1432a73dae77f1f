"""From a raw value to its key in an exclusion index, and the salt that hides the key.

key  = SHA-256("RL-xkey" || normaliser || field path || normalised value)[:31],
       each part after the tag preceded by its length in 4 bytes
salt = SHA-256("RL-xslt" || bucket key || key)[:31]
leaf = poseidon(1, key, salt)
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, bucket, bucket_key
from provenance.normalise import normalise
from provenance.poseidon import poseidon
from provenance.schema import List, LogicalType, Schema, String, Struct

KEY_TAG: Final = b"RL-xkey"
SALT_TAG: Final = b"RL-xslt"
LEAF: Final = 1
BITS: Final = 248
_PATH_RULE: Final = "exact/1 has an empty field path, every other normaliser has a field"


class ExclusionKey(bytes):
    """Where a value stands in an index: 31 bytes, checked when made."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 31 bytes."""
        if len(value) != 31:
            raise MalformedError(f"a key has 31 bytes, got {len(value)}")
        return super().__new__(cls, value)

    @property
    def number(self) -> int:
        """The key as an integer of 248 bits."""
        return int.from_bytes(self, "big")

    def bit(self, depth: int) -> int:
        """Return the bit that decides at `depth`: the top one at 0; 0 is left."""
        return self.number >> (BITS - 1 - depth) & 1


class IndexSalt(bytes):
    """What hides a key that could be guessed: 31 bytes."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 31 bytes."""
        if len(value) != 31:
            raise MalformedError(f"an index salt has 31 bytes, got {len(value)}")
        return super().__new__(cls, value)


def field_path(names: Sequence[str]) -> str:
    r"""Return the names joined by `.`, with `.` and `\` inside a name escaped by `\`."""
    if "" in names:
        raise MalformedError("a field with an empty name cannot be indexed")
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)


def field_names(path: str) -> tuple[str, ...]:
    """Return the names that `field_path` joined, or raise MalformedError for another spelling."""
    if not path:
        return ()
    names, escaped = [""], False
    for character in path:
        if escaped or character not in ".\\":
            names[-1] += character
        elif character == ".":
            names.append("")
        escaped = character == "\\" and not escaped
    if field_path(names) != path:
        raise MalformedError(f"not a field path: {path[:80]!r}")
    return tuple(names)


def key(normaliser: str, field: str, value: object) -> ExclusionKey:
    """Return the key of one raw value: a string, or a content digest for `exact/1`.

    Raises:
        MalformedError: The normaliser does not take such a value or field path.
        UnavailableError: This version does not know the normaliser.
    """
    if (normaliser == "exact/1") != (not field_names(field)):
        raise MalformedError(_PATH_RULE)
    parts = (normaliser.encode(), field.encode(), normalise(normaliser, value))
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return ExclusionKey(sha256(KEY_TAG + framed).digest()[:31])


def record_keys(normaliser: str, field: str, record: object) -> tuple[ExclusionKey, ...]:
    """Return the keys of one record, none if the field is null; a list gives one an element.

    Args:
        normaliser: One of NORMALISERS.
        field: From `field_path`; empty for `exact/1`.
        record: The record's values by name; its content digest for `exact/1`.
    """
    found = (key(normaliser, field, value) for value in _values(record, field_names(field)))
    return tuple(dict.fromkeys(found))


def check_field(schema: Schema, normaliser: str, field: str) -> None:
    """Check that an index of this normaliser over this field path fits a schema.

    Raises:
        MalformedError: The path leads to no string, or `exact/1` is given a path.
    """
    names = field_names(field)
    if (normaliser == "exact/1") != (not names):
        raise MalformedError(_PATH_RULE)
    found: LogicalType = Struct(schema.fields)
    for name in names:
        inner = found.fields if isinstance(found, Struct) else ()
        types = [each.type for each in inner if each.name == name]
        if not types:
            raise MalformedError(f"index: the schema has no field {field!r}; it ends at {name!r}")
        found = types[0]
        while isinstance(found, List):
            found = found.item
    if names and not isinstance(found, String):
        raise MalformedError(f"index: {field!r} is no string; {normaliser} takes strings")


def index_salt(dataset_key: DatasetKey, key: ExclusionKey) -> IndexSalt:
    """Return the salt of a key, the same in every version of the dataset."""
    secret = bucket_key(dataset_key, b"xslt", bucket(key))
    return IndexSalt(sha256(SALT_TAG + secret + key).digest()[:31])


def index_leaf(key: ExclusionKey, salt: IndexSalt) -> FieldElement:
    """Return the leaf of a key."""
    return poseidon(LEAF, key.number, int.from_bytes(salt, "big"))


def _values(value: object, names: Sequence[str]) -> Iterator[object]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _values(item, names)
    elif value is not None and names:
        if not isinstance(value, Mapping):
            raise MalformedError(f"there is no field {names[0]!r} inside a value")
        yield from _values(value.get(names[0]), names[1:])
    elif value is not None:
        yield value
