"""Canonical bytes -> the digits of a feature spec, for many records at once.

Numbers are taken from the bytes that the leaves bind. A digit that these columns give is the one
that features.py gives. Where they are not sure of that, or it would be refused, they give `UNSURE`,
and features.py has the last word on that record, and words for the error.
"""

from collections.abc import Callable, Mapping
from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Encoded
from provenance.encoded_fields import Cursors, Octets, Places, find_fields, numbers
from provenance.errors import MalformedError, UnavailableError
from provenance.features import (
    DIGITS,
    LEAST,
    MOST,
    NUMERIC,
    OFFSET,
    WIDTH,
    FeatureField,
    FeatureSpec,
    digits,
)
from provenance.record import decode_record
from provenance.schema import (
    Bool,
    Decimal,
    Float32,
    Float64,
    Int,
    LogicalType,
    Null,
    Schema,
    UInt,
)

Words = NDArray[np.uint64]

UNSURE: Final = 0
"""No digit: those begin with 3."""
BEYOND: Final = 2**14
"""No value of so much, whatever its sign, is in range."""
MOST_DIVISOR: Final = 2**48
"""Up to which values in range, times the divisor, fit 64 bits."""


def feature_digits(spec: FeatureSpec, schema: Schema, encoded: Encoded) -> Words:
    """Return the digits of records, shape (features, records), the label last.

    Raises:
        MalformedError: A feature is null where nulls are refused, no number, or out of range; names
            the first such record, counted from 1, and the field.
    """
    found = _sure_digits(spec, schema, encoded)
    for number in np.flatnonzero((found == UNSURE).any(axis=0)).tolist():
        try:
            found[:, number] = digits(spec, decode_record(schema, encoded.one(number)))
        except MalformedError as error:
            raise MalformedError(f"record {number + 1} of the batch: {error}") from error
    return found


def packed(digits: Words) -> Words:
    """Return digits (features, records) as elements: 18 to each, shape (records, elements, 4)."""
    count = -(-len(digits) // DIGITS)
    words = np.zeros((count, 4, digits.shape[1]), np.uint64)
    for number, row in enumerate(digits):
        element, place = divmod(number, DIGITS)
        word, shift = divmod(WIDTH * place, 64)
        words[element, word] |= row << np.uint64(shift)
        if shift + WIDTH > 64:
            words[element, word + 1] |= row >> np.uint64(64 - shift)
    return np.ascontiguousarray(words.transpose(2, 0, 1))


def _sure_digits(spec: FeatureSpec, schema: Schema, encoded: Encoded) -> Words:
    """Return the digits, shape (features, records), and UNSURE where features.py is to say."""
    found = np.full((len(spec.all), len(encoded)), UNSURE, np.uint64)
    types = {member.name: member.type for member in schema.fields}
    data = np.ascontiguousarray(encoded.data)
    try:
        places = find_fields(schema, encoded, [field.name for field in spec.all])
    except UnavailableError:
        return found
    for row, field in zip(found, spec.all, strict=True):
        kind = types.get(field.name, Null())
        if spec.nulls == "zero":
            row[:] = OFFSET
        if isinstance(kind, NUMERIC):
            _write_digits(row, field, kind, data, places[field.name])
        elif not isinstance(kind, Null):
            row[:] = UNSURE
    return found


def _write_digits(
    row: Words, field: FeatureField, kind: LogicalType, data: Octets, places: Places
) -> None:
    """Write the digits of a field's values; leave alone what is null."""
    values = _VALUES[type(kind)]
    if places.valid.all():
        row[:] = _digits(values(kind, field.scale_bits, data, places.at))
    else:
        chosen = np.flatnonzero(places.valid)
        row[chosen] = _digits(values(kind, field.scale_bits, data, places.at[chosen]))


def _digits(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the digits of rounded values; UNSURE for those out of range, and for NaN."""
    is_within = (values >= LEAST - OFFSET) & (values <= MOST - OFFSET)
    return np.where(is_within, values, UNSURE - OFFSET).astype(np.int64) + OFFSET


def _doubles(layout: str) -> "Values":
    """Return what rounds numbers by way of doubles, which changes nothing that is in range.

    A product with a power of two is exact unless it is far out of range, or far below a half. An
    integer that no double holds is at least 2**53, and so at least 2**21 at any scale.
    """

    def values(_: LogicalType, bits: int, data: Octets, at: Cursors) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            scaled = numbers(data, layout, at).astype(np.float64) * 2.0**bits
            return np.rint(scaled)  # halves to even

    return values


def _decimals(kind: LogicalType, bits: int, data: Octets, at: Cursors) -> NDArray[Any]:
    """Return unscaled * 10**-scale * 2**bits, rounded, by division of integers."""
    assert isinstance(kind, Decimal)  # noqa: S101  # by _VALUES
    factor = 10 ** max(-kind.scale, 0) * 2 ** max(bits, 0)
    divisor = 10 ** max(kind.scale, 0) * 2 ** max(-bits, 0)
    common = gcd(factor, divisor)
    factor, divisor = factor // common, divisor // common
    most = BEYOND * divisor // factor  # of what can be in range
    is_small = divisor < MOST_DIVISOR
    unscaled, fits = _words(data, at) if is_small else _integers(data, at)
    inside = fits & (unscaled >= -most) & (unscaled <= most)
    products = np.where(inside, unscaled, 0) * (factor if most else 0)
    found = products // divisor
    rest = 2 * (products - found * divisor)
    found = found + ((rest > divisor) | ((rest == divisor) & (found % 2 == 1)))
    return np.where(inside, found, BEYOND).astype(np.int64)


def _words(data: Octets, at: Cursors) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return integers of 256 bits whose lowest 64 are all that matters, and whether that is so."""
    found = numbers(data, ">i8", at + 24).astype(np.int64)
    sign = found >> 63
    fits = np.ones(len(at), np.bool_)
    for place in (0, 8, 16):
        fits &= numbers(data, ">i8", at + place) == sign
    return found, fits


def _integers(data: Octets, at: Cursors) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Return integers of 256 bits as Python's, where 64 do not suffice."""
    rows = data[at[:, np.newaxis] + np.arange(32)]
    found = np.empty(len(at), np.object_)
    found[:] = [int.from_bytes(row.tobytes(), "big", signed=True) for row in rows]
    return found, np.ones(len(at), np.bool_)


Values = Callable[[LogicalType, int, Octets, Cursors], NDArray[Any]]
_VALUES: Final[Mapping[type[LogicalType], Values]] = {
    Bool: _doubles("u1"),
    Int: _doubles(">i8"),
    UInt: _doubles(">u8"),
    Float32: _doubles(">f4"),
    Float64: _doubles(">f8"),
    Decimal: _decimals,
}
