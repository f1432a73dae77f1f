"""Leaves of kind `features` of Arrow's tables, whatever the columns are, against single records."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.features import FeatureField, FeatureSpec
from provenance.leaves import LeafMaker
from provenance.poseidon import from_words
from tests.provenance.test_leaf_features import KEY, leaves_by_one

arrow = pytest.importorskip("pyarrow")
from storage.readers.arrow import records as arrow_records  # noqa: E402
from storage.readers.batches import Slice  # noqa: E402
from storage.readers.datasets import from_stream  # noqa: E402

SMALL = st.integers(-500, 500)
COLUMNS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *[(kind, SMALL.map(lambda v: v // 4)) for kind in (arrow.int8(), arrow.int32(), arrow.int64())],
    *[(kind, SMALL.map(lambda v: abs(v) // 2)) for kind in (arrow.uint8(), arrow.uint64())],
    *[(kind, SMALL.map(lambda v: v / 16)) for kind in (arrow.float32(), arrow.float64())],
    (arrow.float16(), SMALL.map(lambda v: np.float16(v / 16))),
    (arrow.bool_(), st.booleans()),
    *[
        (kind, st.decimals(-99, 99, places=2))
        for kind in (arrow.decimal128(9, 2), arrow.decimal256(40, 20))
    ],
    (arrow.dictionary(arrow.int8(), arrow.float64()), st.sampled_from([0.5, 1.5, -2.25])),
]
OTHERS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (arrow.string(), st.text("aé", max_size=3)),
    (arrow.list_(arrow.int16()), st.lists(st.none() | SMALL, max_size=3)),
    (arrow.struct({"in": arrow.float32()}), st.fixed_dictionaries({"in": st.none()})),
]


@st.composite
def arrow_tables(draw: Callable[..., Any]) -> tuple[FeatureSpec, Any]:
    """A table of several chunks, sliced, with nulls, and a spec of its numeric columns."""
    rows = draw(st.integers(1, 8))
    numeric = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4))
    others = draw(st.lists(st.sampled_from(OTHERS), max_size=2))
    columns, fields = {}, []
    nulls = draw(st.sampled_from(["refuse", "zero"]))
    for name, (kind, values) in zip(draw(st.permutations("abcdef")), [*numeric, *others]):  # noqa: B905
        if (kind, values) in numeric:
            fields.append(FeatureField(name, draw(st.integers(-2, 6))))
        values = st.none() | values if nulls == "zero" or (kind, values) in others else values  # noqa: PLW2901
        held = draw(st.lists(values, min_size=rows + 2, max_size=rows + 2))
        columns[name] = arrow.array(held, kind.value_type if kind == COLUMNS[-1][0] else kind)
        if kind == COLUMNS[-1][0]:
            columns[name] = columns[name].dictionary_encode()
    table = arrow.table(columns).slice(1, rows)
    cut = draw(st.integers(0, rows))
    return FeatureSpec(tuple(fields), nulls=nulls), arrow.concat_tables(
        [table.slice(0, cut), table.slice(cut)]
    )


@settings(deadline=None, max_examples=40)
@given(arrow_tables())
def test_tables_of_arrow_have_the_leaves_of_their_records(found: tuple[FeatureSpec, Any]) -> None:
    spec, table = found
    source = from_stream(table)
    maker = LeafMaker(source.schema, KEY, spec)
    records = [record for batch in table.to_batches() for record in arrow_records(batch)]
    batches = list(source.batches())
    words = [word for batch in batches for word in from_words(maker.leaves(batch).words)]
    assert words == leaves_by_one(spec, source.schema, records)
    part = Slice(batches[-1], len(batches[-1]) // 2, len(batches[-1]))
    if len(part):
        assert list(from_words(maker.leaves(part).words)) == words[-len(part) :]
