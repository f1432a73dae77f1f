"""Arrow's buffers -> canonical bytes: record for record what the slow reading and encoding give."""

import decimal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from provenance.batch import Encoded
from provenance.encode_columns import Patience, encode_table
from provenance.encoding import encoder
from provenance.errors import MalformedError
from provenance.record import Decimal, Field, Int, Schema, String, Timestamp
from storage.readers.arrow import logical_schema, records, values
from storage.readers.arrow_columns import columns, encode

ROOT = Path(__file__).parents[3]
DAY = 86_400
number = decimal.Decimal
Made = tuple[Any, st.SearchStrategy[Any]]
"""An Arrow type and values of it that pyarrow takes."""


def reference(batch: pa.RecordBatch, schema: Schema) -> Encoded:
    return Encoded.of(map(encoder(schema), records(batch)))


def compiled(batch: pa.RecordBatch, schema: Schema) -> Encoded:
    """Encode a batch by the fast path alone, whatever its size."""
    return encode_table(columns(batch, schema), batch.num_rows)


def outcome(
    way: Callable[[pa.RecordBatch, Schema], Encoded], batch: pa.RecordBatch, schema: Schema
) -> list[bytes] | type[Exception]:
    try:
        found = way(batch, schema)
    except (MalformedError, pa.ArrowNotImplementedError) as error:
        return type(error)
    return [found.one(at) for at in range(len(found))]


def agree(batch: pa.RecordBatch, *, valid: bool = True) -> list[bytes] | type[Exception]:
    """Compare both ways on a batch and on some of its slices; return what they agree on."""
    schema = logical_schema(batch.schema)
    whole = outcome(compiled, batch, schema)
    count = batch.num_rows
    for start, length in ((0, count), (1, count), (count // 2, 1), (count, 0)):
        part = batch.slice(start, length)
        if valid:
            part.validate(full=True)
        found = outcome(compiled, part, schema)
        assert found == outcome(reference, part, schema)
        if isinstance(whole, list):
            assert found == whole[start : start + length]
    return whole


def one(array: Any) -> pa.RecordBatch:
    return pa.record_batch({"x": array})


def raw(values: list[int | None], kind: Any) -> Any:
    """Return integers as an Arrow array of a type that is stored as they are."""
    stored = pa.int32() if kind.bit_width == 32 else pa.int64()
    return pa.array(values, stored).view(kind)


UNITS: dict[Any, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
WORDS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BINARIES = st.binary(max_size=20)
UNSCALED: list[tuple[Any, int, int]] = [
    (pa.decimal32(5, 1), 5, 1),
    (pa.decimal64(18, 9), 18, 9),
    (pa.decimal128(38, 10), 38, 10),
    (pa.decimal128(20, -5), 20, -5),
    (pa.decimal256(76, 30), 76, 30),
    (pa.decimal256(40, -7), 40, -7),
]


def decimals(precision: int, scale: int) -> st.SearchStrategy[Any]:
    limit = 10**precision - 1
    return (st.sampled_from([-limit, 0, limit]) | st.integers(-limit, limit)).map(
        lambda unscaled: number(unscaled).scaleb(-scale, decimal.Context(prec=100))
    )


LEAVES: list[Made] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.int64(), WORDS),
    (pa.uint8(), st.integers(0, 2**8 - 1)),
    (pa.uint16(), st.integers(0, 2**16 - 1)),
    (pa.uint32(), st.integers(0, 2**32 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float16(), st.integers(0, 2**16 - 1).map(lambda bits: np.uint16(bits).view(np.float16))),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    *((kind, decimals(precision, scale)) for kind, precision, scale in UNSCALED),
    *((kind, TEXTS) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((kind, BINARIES) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.binary(0), st.just(b"")),
    (pa.date32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.date64(), st.dates()),
    *((pa.time32(unit), st.integers(0, DAY * UNITS[unit] - 1)) for unit in ("s", "ms")),
    *((pa.time64(unit), st.integers(0, DAY * UNITS[unit] - 1)) for unit in ("us", "ns")),
    *((pa.timestamp(unit), WORDS) for unit in UNITS),
    *((pa.timestamp(unit, "Asia/Tokyo"), WORDS) for unit in UNITS),
    *((pa.duration(unit), WORDS) for unit in UNITS),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "bc", ""])),
]  # fmt: skip


def nested(children: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    def lists(child: Made) -> st.SearchStrategy[Made]:
        kinds: list[Any] = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
        return st.sampled_from(kinds).map(
            lambda kind: (kind(child[0]), st.lists(st.none() | child[1], max_size=4))
        )

    def pairs_of(child: Made) -> Made:
        two = st.lists(st.none() | child[1], min_size=2, max_size=2)
        return pa.list_(child[0], 2), two

    def structs(found: list[Made]) -> Made:
        names = "bca"[: len(found)]
        fields = [pa.field(name, child[0]) for name, child in zip(names, found, strict=True)]
        return pa.struct(fields), st.fixed_dictionaries(
            {name: st.none() | child[1] for name, child in zip(names, found, strict=True)}
        )

    def maps(found: tuple[Made, Made]) -> Made:
        (key, keys), (item, items) = found
        return pa.map_(key, item), st.lists(st.tuples(keys, st.none() | items), max_size=5)

    keys = st.sampled_from([made for made in LEAVES if made[0] != pa.null()])
    return st.one_of(
        children.flatmap(lists),
        children.map(pairs_of),
        st.lists(children, min_size=1, max_size=3).map(structs),
        st.tuples(keys, children).map(maps),
    )


MADE = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=4)


@st.composite
def batches(draw: Callable[..., Any], made: st.SearchStrategy[Made]) -> pa.RecordBatch:
    count = draw(st.integers(1, 6))
    found: dict[str, Any] = {}
    for name in draw(st.permutations("cab")):
        kind, values = draw(made)
        each = values if draw(st.booleans()) else st.none() | values
        found[name] = pa.array(draw(st.lists(each, min_size=count, max_size=count)), kind)
    return pa.record_batch(found)


def is_valid(batch: pa.RecordBatch) -> bool:
    """Return whether a reader would hand a batch on; pyarrow makes some that are not."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


@settings(deadline=None, max_examples=60)
@given(batches(MADE))
def test_whatever_is_in_a_batch_both_ways_agree(batch: pa.RecordBatch) -> None:
    assume(is_valid(batch))
    agree(batch)


@pytest.mark.slow
@settings(deadline=None, max_examples=3000)
@given(batches(MADE))
def test_whatever_is_in_many_batches_both_ways_agree(batch: pa.RecordBatch) -> None:
    assume(is_valid(batch))
    agree(batch)


def children(array: Any) -> list[Any]:
    if pa.types.is_struct(array.type):
        return [array.field(at) for at in range(array.type.num_fields)]
    return [array.values] if array.type.num_fields else []


def veiled(array: Any, bits: int) -> Any:
    """Return `array` with more nulls, one for each 0 in `bits`, and all buffers as they were."""
    own = len(array.buffers()) - sum(len(each.buffers()) for each in children(array))
    buffers = [pa.py_buffer(bits.to_bytes(8, "little")), *array.buffers()[1:own]]
    return pa.Array.from_buffers(array.type, len(array), buffers, children=children(array))


@settings(deadline=None, max_examples=60)
@given(batches(MADE), st.integers(0, 63))
def test_nothing_under_a_null_is_seen(batch: pa.RecordBatch, bits: int) -> None:
    check_veiled(batch, bits)


@pytest.mark.slow
@settings(deadline=None, max_examples=3000)
@given(batches(MADE), st.integers(0, 63))
def test_nothing_under_many_nulls_is_seen(batch: pa.RecordBatch, bits: int) -> None:
    check_veiled(batch, bits)


def check_veiled(batch: pa.RecordBatch, bits: int) -> None:
    plain = (pa.types.is_null, pa.types.is_dictionary)
    arrays: dict[str, Any] = {
        name: array if any(check(array.type) for check in plain) else veiled(array, bits)
        for name, array in zip(batch.schema.names, batch.columns, strict=True)
    }
    veiled_batch = pa.record_batch(arrays)
    assume(is_valid(veiled_batch))
    agree(veiled_batch)


@pytest.mark.parametrize("made", LEAVES, ids=lambda made: str(made[0]))
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_every_physical_type_is_encoded_by_the_fast_path(made: Made, data: st.DataObject) -> None:
    assert isinstance(agree(data.draw(batches(st.just(made)))), list)


@pytest.mark.parametrize("made", LEAVES, ids=lambda made: str(made[0]))
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_dictionaries_and_runs_of_every_type_vanish(made: Made, data: st.DataObject) -> None:
    kind, values = made
    array: Any = pa.array(data.draw(st.lists(st.none() | values, min_size=1, max_size=5)), kind)
    if pa.types.is_dictionary(kind) or pa.types.is_null(kind):
        return
    plain = agree(one(array))
    indices = pa.array(range(len(array)), pa.int16())
    assert agree(one(pa.DictionaryArray.from_arrays(indices, array))) in (
        plain,
        pa.ArrowNotImplementedError,  # of views, in Arrow itself
    )
    ends = pa.array(range(1, len(array) + 1), pa.int32())
    runs: Any = pa.RunEndEncodedArray
    assert agree(one(runs.from_arrays(ends, array))) in (plain, pa.ArrowNotImplementedError)


def test_a_column_of_nulls_fits_any_declared_type() -> None:
    schema = Schema.of(Field("x", Decimal(5, 2)), Field("y", String()))
    arrays: dict[str, Any] = {"y": pa.array(["a", "b"]), "x": pa.nulls(2)}
    batch = pa.record_batch(arrays)
    assert outcome(compiled, batch, schema) == outcome(reference, batch, schema)
    assert outcome(compiled, batch, schema) == [b"\0\1\0\0\0\1a", b"\0\1\0\0\0\1b"]


@pytest.mark.parametrize("unit", UNITS)
def test_instants_at_the_ends_of_64_bits_are_exact(unit: Any) -> None:
    ends: list[int | None] = [-(2**63), -(2**63) + 1, -1, 0, 1, None, 2**63 - 1]
    for kind in (pa.timestamp(unit), pa.timestamp(unit, "UTC"), pa.duration(unit)):
        assert isinstance(agree(one(raw(ends, kind))), list)


def test_all_nans_are_one_and_minus_zero_is_zero() -> None:
    doubles = np.array([0x7FF0000000000001, 0xFFF8000000000123, 2**63, 0], np.uint64)
    singles = np.array([0x7F800001, 0xFFC00123, 2**31, 0], np.uint32)
    halves = np.array([0x7C01, 0xFE12, 2**15, 0], np.uint16)
    for bits, kind in ((doubles, np.float64), (singles, np.float32), (halves, np.float16)):
        found = agree(one(pa.array(bits.view(kind))))
        assert isinstance(found, list)
        assert found[0] == found[1]
        assert found[2] == found[3]


@pytest.mark.parametrize("kind", [pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256])
@pytest.mark.parametrize("scale", [-3, 0, 2])
def test_decimals_of_all_widths_and_scales_agree(kind: Any, scale: int) -> None:
    made = kind(9, scale)
    width = made.bit_width // 8
    found = [number.to_bytes(width, "little", signed=True) for number in (-(10**9) + 1, -1, 0, 7)]
    array = pa.Array.from_buffers(made, 4, [None, pa.py_buffer(b"".join(found))])
    assert isinstance(agree(one(array)), list)


MAPS: Any = pa.MapArray


def masked(data: bytes, kind: Any) -> Any:
    """Return two nulls and a value of a flat type, all of them with `data` under them."""
    mask = pa.py_buffer(b"\x04")
    return pa.Array.from_buffers(kind, 3, [mask, pa.py_buffer(data * 3)])


@pytest.mark.parametrize(
    "array",
    [
        masked(b"\xff" * 4, pa.float32()),
        masked(b"\xff" * 8, pa.timestamp("s")),
        pa.ListArray.from_arrays(
            pa.array([0, 2, 4, 4], pa.int32()),
            pa.array([1, 2, 3, 4]),
            mask=pa.array([True, False, True]),
        ),
        pa.ListArray.from_arrays(  # the part of a day is in a null list
            pa.array([0, 1, 2], pa.int32()),
            raw([1, 0], pa.date64()),
            mask=pa.array([True, False]),
        ),
        pa.StructArray.from_arrays(
            [raw([1, 0], pa.date64())], ["x"], mask=pa.array([True, False])
        ),
        MAPS.from_arrays(  # the key that stands twice is in a null map
            pa.array([0, 2, 3], pa.int32()),
            pa.array(["a", "a", "b"]),
            pa.array([1, 2, 3]),
            mask=pa.array([True, False]),
        ),
        pa.FixedSizeListArray.from_arrays(
            raw([1, 1, 0, 0], pa.date64()), 2, mask=pa.array([True, False])
        ),
        pa.DictionaryArray.from_arrays(  # nobody points to the part of a day
            pa.array([1, 1], pa.int8()), raw([1, 0], pa.date64())
        ),
        pa.array(["hidden", "x"]).filter(pa.array([True, False])),
    ],
    ids=str,
)  # fmt: skip
def test_what_lies_under_a_null_does_not_matter(array: Any) -> None:
    assert isinstance(agree(one(array), valid=False), list)


def test_nulls_over_what_would_be_refused_are_encoded() -> None:
    for kind, wrong in (
        (pa.date64(), 1),
        (pa.time32("s"), DAY),
        (pa.time64("ns"), -1),
        (pa.decimal64(3, 1), 1000),
    ):
        stored = "<i4" if kind.bit_width == 32 else "<i8"
        data = pa.py_buffer(np.array([wrong, 0], stored).tobytes())
        array = pa.Array.from_buffers(kind, 2, [pa.py_buffer(b"\x02"), data])
        found = outcome(compiled, one(array), logical_schema(one(array).schema))
        assert isinstance(found, list)
        assert found[0] == b"\0"
        whole = one(pa.Array.from_buffers(kind, 2, [None, data]))
        with pytest.raises(MalformedError, match=r"^field 'x': "):
            compiled(whole, logical_schema(whole.schema))


def test_maps_of_maps_of_nulls_are_read() -> None:
    value = [(False, [(False, None), (True, None)])]
    array: Any = pa.array([[], value], pa.map_(pa.bool_(), pa.map_(pa.bool_(), pa.null())))
    assert values(array) == [[], value]
    assert isinstance(agree(one(array)), list)


def test_a_maps_entries_may_begin_later_in_their_buffers() -> None:
    fields: list[Any] = [
        pa.field("key", pa.string(), nullable=False),
        pa.field("value", pa.int64()),
    ]
    columns: list[Any] = [pa.array(["z", "a", "b", "c"]), pa.array([0, 1, 2, 3])]
    entries = pa.StructArray.from_arrays(columns, fields=fields).slice(1)
    offsets = pa.py_buffer(np.array([0, 1, 3], np.int32).tobytes())
    array = MAPS.from_buffers(maps().type, 2, [None, offsets], children=[entries])
    assert values(array) == [[("a", 1)], [("b", 2), ("c", 3)]]
    assert isinstance(agree(one(array)), list)


def maps(*written: list[tuple[Any, Any]]) -> Any:
    return pa.array(written, pa.map_(pa.string(), pa.int64()))


def test_a_maps_entries_are_sorted_by_their_encoding() -> None:
    many = [(f"{at * 7919 % 1009}", at) for at in range(1009)]
    found = agree(one(maps(many, many[::-1], [], [("b", 1), ("aa", None), ("a", 2)])))
    assert isinstance(found, list)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (maps([("a", 1), ("b", 2), ("a", 1)]), "field 'x': a map has the same key twice"),
        (
            pa.array([[[(0.0, 1), (-0.0, 2)]]], pa.list_(pa.map_(pa.float64(), pa.int8()))),
            "field 'x': a map has the same key twice",
        ),
        (
            pa.array([{"m": [("a", 1), ("a", 1)]}], pa.struct([("m", maps().type)])),
            "field 'x': field 'm': a map has the same key twice",
        ),
        (raw([0, 1], pa.date64()), "field 'x': a date64 holds a part of a day; cast it to"),
    ],
)
def test_what_cannot_be_encoded_is_refused_by_field(array: Any, message: str) -> None:
    assert agree(one(array), valid=False) is MalformedError
    with pytest.raises(MalformedError, match=f"^{message}"):
        compiled(one(array), logical_schema(one(array).schema))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (pa.record_batch({"y": pa.array([1])}), "field 'x' is missing"),
        (pa.record_batch({"x": pa.array([1]), "y": pa.array([1])}), "'y' is not in the schema"),
        (one(pa.array([True])), "field 'x': expected int, got Arrow type bool"),
        (one(pa.array([1], pa.uint8())), "field 'x': expected int, got Arrow type uint8"),
        (one(pa.array([1.0])), "field 'x': expected int, got Arrow type double"),
        (one(pa.array([[1]])), "field 'x': expected int, got Arrow type list"),
    ],
)
def test_a_batch_of_another_schema_is_refused(batch: pa.RecordBatch, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        compiled(batch, Schema.of(Field("x", Int())))


def test_a_column_that_is_missing_is_refused() -> None:
    with pytest.raises(MalformedError, match="field 'y' is missing"):
        compiled(one(pa.array([1])), Schema.of(Field("x", Int()), Field("y", Int())))


def test_other_parameters_are_another_type() -> None:
    for logical, array in (
        (Timestamp(zoned=True), raw([1], pa.timestamp("s"))),
        (Timestamp(zoned=False), raw([1], pa.timestamp("s", "UTC"))),
        (Decimal(5, 1), pa.array([number("1.5")], pa.decimal128(6, 1))),
        (Decimal(5, 1), pa.array([number("1.5")], pa.decimal128(5, 2))),
    ):
        with pytest.raises(MalformedError, match="field 'x': expected"):
            compiled(one(array), Schema.of(Field("x", logical)))


def test_types_nest_as_deep_as_a_schema_may() -> None:
    kind: Any = pa.string()
    value: Any = "x"
    for at in range(15):
        kind, value = (
            (pa.struct([("a", kind)]), {"a": value}) if at % 2 else (pa.list_(kind), [value, None])
        )
    assert isinstance(agree(one(pa.array([value, None, value], kind))), list)


def test_buffers_that_are_not_aligned_are_read() -> None:
    moved = pa.py_buffer(b"\0" + np.arange(4, dtype=np.int64).tobytes()).slice(1)
    assert isinstance(agree(one(pa.Array.from_buffers(pa.int64(), 4, [None, moved]))), list)
    offsets = pa.py_buffer(b"\0" + np.array([0, 1, 3], np.int64).tobytes()).slice(1)
    texts = pa.Array.from_buffers(pa.large_string(), 2, [None, offsets, pa.py_buffer(b"abc")])
    assert agree(one(texts)) == [b"\1\0\0\0\1a", b"\1\0\0\0\2bc"]


def test_long_texts_and_many_records_agree() -> None:
    words = np.random.default_rng(4).integers(-(2**63), 2**63 - 1, 5000)
    long = ["é" * (at % 5000) for at in range(300)]
    assert isinstance(agree(one(pa.array(long))), list)
    arrays: dict[str, Any] = {
        "i": pa.array(words),
        "f": pa.array(words.view(np.float64)),
        "d": pa.array(words).view(pa.duration("us")),
    }
    assert isinstance(agree(pa.record_batch(arrays)), list)


def test_few_records_are_encoded_by_the_reference_and_many_by_columns() -> None:
    batch = one(raw([0, 1], pa.date64()))
    schema = logical_schema(batch.schema)
    with pytest.raises(MalformedError, match=r"^a date64"):
        encode(batch, schema, Patience(2))
    with pytest.raises(MalformedError, match=r"^field 'x': a date64"):
        encode(batch, schema, Patience(1))
    for patience in (Patience(2), Patience(0)):
        assert encode(batch.slice(0, 1), schema, patience).one(0) == b"\1" + bytes(8)
        assert len(encode(batch.slice(2), schema, patience)) == 0


WITHOUT = """
import sys
sys.modules["numba"] = None
import pyarrow as pa
from provenance.encode_columns import Patience
from storage.readers.arrow import logical_schema
from storage.readers.arrow_columns import encode
batch = pa.record_batch({"x": pa.array([1, None])})
print(encode(batch, logical_schema(batch.schema), Patience(0)).data.tobytes().hex())
"""
LAZY = """
import sys
import pyarrow as pa
from storage.readers.arrow import logical_schema
from storage.readers.arrow_columns import encode
batch = pa.record_batch({"x": pa.array([1, None])})
encode(batch, logical_schema(batch.schema))
print("numba" in sys.modules)
"""


@pytest.mark.parametrize(("code", "printed"), [(WITHOUT, "01" + "0" * 15 + "100"), (LAZY, "False")])
def test_numba_may_be_missing_and_is_not_loaded_for_a_few_records(code: str, printed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == printed
