"""How two logical schemas relate: whether data of one fits the other, and what first differs."""

from collections.abc import Sequence

from provenance.record import Field, List, LogicalType, Map, Null, Schema, Struct
from provenance.schema import type_name


def fits(found: Schema, declared: Schema) -> bool:
    """Return whether records of `found` are records of `declared`; null fits any type."""
    return _all_fit(found.fields, declared.fields)


def _all_fit(found: Sequence[Field], declared: Sequence[Field]) -> bool:
    return len(found) == len(declared) and all(
        one.name == other.name and _fits(one.type, other.type)
        for one, other in zip(found, declared, strict=True)
    )


def _fits(found: LogicalType, declared: LogicalType) -> bool:
    match found, declared:
        case Null(), _:
            return True
        case List(), List():
            return _fits(found.item, declared.item)
        case Map(), Map():
            return _fits(found.key, declared.key) and _fits(found.value, declared.value)
        case Struct(), Struct():
            return _all_fit(found.fields, declared.fields)
        case _:
            return found == declared


def differs(found: Schema, expected: Schema) -> str:
    """Return the first difference in words that `as in …` or `as declared` can follow."""
    types = {member.name: member.type for member in found.fields}
    names = {member.name for member in expected.fields}
    for member in expected.fields:
        if member.name not in types:
            return f"lacks the column {member.name!r}"
        if types[member.name] != member.type:
            return f"column {member.name!r} is {_shown(types[member.name], member.type)}"
    (extra, *_) = sorted(types.keys() - names)
    return f"has a column {extra!r}, not"


def _shown(found: LogicalType, expected: LogicalType) -> str:
    if type_name(found) != type_name(expected):
        return f"{type_name(found)}, not {type_name(expected)}"
    return f"another {type_name(found)}, {found}, not {expected}"
