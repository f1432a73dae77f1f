"""Logical schema: what a record's fields are called and what they mean, whoever stored them.

Canonical JSON of kind rootline/schema/v1; its digest stands under every leaf (docs/spec/record.md):

>>> Schema.of(Field("price", Decimal(10, 2)), Field("id", Int())).encoded.decode()[:62]
'{"fields":[{"name":"id","type":"int"},{"name":"price","precisi'

Nullability, integer width, dictionary and view types, time units and field order are no part of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest

KIND: Final = "rootline/schema/v1"
MAX_DEPTH: Final = 16
MAX_FIELDS: Final = 4096
MAX_NAME_BYTES: Final = 1024
MAX_PRECISION: Final = 76


@dataclass(frozen=True, slots=True)
class Null:
    """A field that is null in every record."""


@dataclass(frozen=True, slots=True)
class Bool:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Int:
    """An integer of 64 bits with sign; narrower ones are the same type."""


@dataclass(frozen=True, slots=True)
class UInt:
    """An integer of 64 bits without sign; narrower ones are the same type."""


@dataclass(frozen=True, slots=True)
class Float32:
    """IEEE 754 binary32; half floats are the same type."""


@dataclass(frozen=True, slots=True)
class Float64:
    """IEEE 754 binary64."""


@dataclass(frozen=True, slots=True)
class Decimal:
    """A decimal of at most `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int

    def __post_init__(self) -> None:
        """Raise MalformedError outside 1 to 76 digits, or a scale beyond 76 either way."""
        if not 1 <= self.precision <= MAX_PRECISION or abs(self.scale) > MAX_PRECISION:
            raise MalformedError(
                f"decimal({self.precision}, {self.scale}): precision is 1 to {MAX_PRECISION}, "
                f"scale -{MAX_PRECISION} to {MAX_PRECISION}"
            )


@dataclass(frozen=True, slots=True)
class String:
    """Unicode text, never normalised."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Any bytes."""


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the proleptic Gregorian calendar."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day, in nanoseconds since midnight."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An instant (`zoned`, in UTC; the zone's name is dropped) or a wall clock's reading."""

    zoned: bool


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class List:
    """A sequence of items of one type."""

    item: "LogicalType"


@dataclass(frozen=True, slots=True)
class Map:
    """Pairs without order, no key twice, no key null."""

    key: "LogicalType"
    value: "LogicalType"

    def __post_init__(self) -> None:
        """Raise MalformedError if every key would be null."""
        if isinstance(self.key, Null):
            raise MalformedError("a map's key cannot be of type null")


@dataclass(frozen=True, slots=True)
class Field:
    """A name and the type of what stands under it."""

    name: str
    type: "LogicalType"

    def __post_init__(self) -> None:
        """Raise MalformedError if the name is empty, too long or no Unicode."""
        try:
            size = len(self.name.encode())
        except UnicodeEncodeError as error:
            raise MalformedError(f"field name {self.name!r} is no valid Unicode") from error
        if not 1 <= size <= MAX_NAME_BYTES:
            raise MalformedError(
                f"field name {self.name[:40]!r} has {size} bytes; 1 to {MAX_NAME_BYTES} are allowed"
            )


@dataclass(frozen=True, slots=True)
class Struct:
    """Named fields, sorted by name."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError unless names are sorted and unique, at least one."""
        check_names(self.fields)

    @classmethod
    def of(cls, *fields: Field) -> "Struct":
        """Return the struct of `fields` in any order."""
        return cls(tuple(sorted(fields, key=_name)))


Scalar = (
    Null | Bool | Int | UInt | Float32 | Float64 | Decimal | String | Bytes | Date | Time
    | Timestamp | Duration
)  # fmt: skip
LogicalType = Scalar | List | Struct | Map


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of every record of a dataset, sorted by name; bounded in depth and number."""

    fields: tuple[Field, ...]
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise MalformedError for names unsorted or twice, no field, too many, or too deep."""
        check_names(self.fields)
        count = sum(1 for member in self.fields for _ in walk(member.type))
        if count > MAX_FIELDS:
            raise MalformedError(f"a schema of {count} fields; at most {MAX_FIELDS} are allowed")
        object.__setattr__(self, "_hash", hash(self.fields))  # a key of encoders, looked up often

    def __hash__(self) -> int:  # type: ignore[explicit-override]  # Python 3.11 has no override
        return self._hash

    @classmethod
    def of(cls, *fields: Field) -> "Schema":
        """Return the schema of `fields` in any order."""
        return cls(tuple(sorted(fields, key=_name)))

    @property
    def encoded(self) -> bytes:
        """The schema as canonical JSON."""
        return canonical.encode(self.to_json())

    @property
    def digest(self) -> Digest:
        """Plain SHA-256 of `encoded`."""
        return canonical.digest(self.encoded)

    def to_json(self) -> JsonObject:
        """Return the object that a dataset commitment embeds."""
        return {"kind": KIND, "fields": [_field_to_json(member) for member in self.fields]}

    @classmethod
    def parse(cls, data: bytes) -> "Schema":
        """Return the schema that canonical JSON writes, or raise MalformedError."""
        return cls.from_json(canonical.decode(data))

    @classmethod
    def from_json(cls, value: Json) -> "Schema":
        """Return the schema that an object inside another document writes.

        Raises:
            MalformedError: Unknown types or members, names unsorted or twice, beyond the bounds.
        """
        members = Fields.of(value, "schema")
        members.constant("kind", KIND)
        found = tuple(_field_from(each, 1) for each in members.objects("fields", MAX_FIELDS))
        members.done()
        return cls(found)


def check_names(fields: Sequence[Field]) -> None:
    """Raise MalformedError unless `fields` are sorted by name, without repetition, at least one."""
    if not fields:
        raise MalformedError("a schema or struct has at least one field")
    for before, after in pairwise(fields):
        if before.name == after.name:
            raise MalformedError(f"two fields are named {after.name!r}; rename one")
        if before.name > after.name:
            raise MalformedError(f"fields are not sorted by name: {after.name!r} stands too late")


def _name(member: Field) -> str:
    return member.name  # Python orders strings by code point, which is the order of UTF-8's bytes


def walk(logical: LogicalType, depth: int = 1) -> Iterator[LogicalType]:
    """Yield `logical` and all types inside it, or raise MalformedError below MAX_DEPTH."""
    if depth > MAX_DEPTH:
        raise MalformedError(f"a schema nested deeper than {MAX_DEPTH}; flatten it")
    yield logical
    for each in _inner(logical):
        yield from walk(each, depth + 1)


def _inner(logical: LogicalType) -> tuple[LogicalType, ...]:
    match logical:
        case List():
            return (logical.item,)
        case Map():
            return logical.key, logical.value
        case Struct():
            return tuple(member.type for member in logical.fields)
        case _:
            return ()


_SIMPLE: Final[dict[str, Scalar]] = {
    "null": Null(),
    "bool": Bool(),
    "int": Int(),
    "uint": UInt(),
    "float32": Float32(),
    "float64": Float64(),
    "string": String(),
    "bytes": Bytes(),
    "date": Date(),
    "time": Time(),
    "duration": Duration(),
}
_NAMES: Final[dict[type, str]] = {type(logical): name for name, logical in _SIMPLE.items()}


def type_name(logical: LogicalType) -> str:
    """Return the name that `logical` has in a schema's JSON, without its parameters."""
    return _NAMES.get(type(logical)) or type(logical).__name__.lower()


def _field_to_json(member: Field) -> JsonObject:
    return {"name": member.name, **_type_to_json(member.type)}


def _type_to_json(logical: LogicalType) -> dict[str, Json]:
    found: dict[str, Json] = {"type": type_name(logical)}
    match logical:
        case Decimal():
            found |= {"precision": logical.precision, "scale": logical.scale}
        case Timestamp():
            found["zoned"] = logical.zoned
        case List():
            found["item"] = _type_to_json(logical.item)
        case Map():
            found |= {"key": _type_to_json(logical.key), "value": _type_to_json(logical.value)}
        case Struct():
            found["fields"] = [_field_to_json(member) for member in logical.fields]
        case _:
            pass
    return found


def _field_from(members: Fields, depth: int) -> Field:
    return Field(members.text("name", most=MAX_NAME_BYTES), _type_from(members, depth))


def _type_from(members: Fields, depth: int) -> LogicalType:
    if depth > MAX_DEPTH:
        raise MalformedError(f"a schema nested deeper than {MAX_DEPTH}")
    name = members.text("type", most=16)
    logical = _SIMPLE.get(name) or _composite(name, members, depth)
    members.done()
    return logical


def _composite(name: str, members: Fields, depth: int) -> LogicalType:
    match name:
        case "decimal":
            scale = members.integer("scale", -MAX_PRECISION, MAX_PRECISION)
            return Decimal(members.integer("precision", 1, MAX_PRECISION), scale)
        case "timestamp":
            return Timestamp(members.boolean("zoned"))
        case "list":
            return List(_type_from(members.inner("item"), depth + 1))
        case "map":
            key = _type_from(members.inner("key"), depth + 1)
            return Map(key, _type_from(members.inner("value"), depth + 1))
        case "struct":
            inner = members.objects("fields", MAX_FIELDS)
            return Struct(tuple(_field_from(each, depth + 1) for each in inner))
        case _:
            raise MalformedError(f"{members.where}: unknown type {name!r}")
