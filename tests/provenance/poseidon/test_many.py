"""Both back ends against the definition, and the choice between them."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon import (
    ezkl_sponge,
    ezkl_sponge_many,
    from_words,
    many,
    plain,
    poseidon,
    poseidon_many,
    to_words,
)
from provenance.poseidon.many import Backend, Chooser, fastest

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors/poseidon.json").read_text()
)
ELEMENTS = st.one_of(st.sampled_from([0, 1, ORDER - 1]), st.integers(0, ORDER - 1))
ROWS = st.integers(1, 16).flatmap(
    lambda length: st.lists(
        st.lists(ELEMENTS, min_size=length, max_size=length), min_size=1, max_size=5
    )
)


def array(rows: list[list[int]]) -> NDArray[np.uint64]:
    elements = [element for row in rows for element in row]
    return to_words(elements).reshape(len(rows), -1, 4)


@pytest.fixture(scope="module", params=["plain", "numba"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "plain":
        return plain
    pytest.importorskip("numba", reason="the compiled kernel needs numba")
    chosen = fastest()
    assert chosen is not plain
    return chosen


def test_a_backend_gives_every_vector_of_circomlib(backend: Backend) -> None:
    for _, cases in groupby(VECTORS["circomlib"], key=lambda case: len(case["inputs"])):
        inputs, outputs = zip(*((c["inputs"], int(c["output"])) for c in cases), strict=True)
        rows = array([list(map(int, row)) for row in inputs])
        assert from_words(backend.poseidon_rows(rows)) == outputs


def test_a_backend_gives_every_vector_of_ezkl(backend: Backend) -> None:
    for case in VECTORS["ezkl_sponge"]:
        rows = array([list(map(int, case["inputs"]))])
        assert from_words(backend.ezkl_sponge_rows(rows)) == (int(case["output"]),)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS)
def test_a_backend_gives_what_one_hash_at_a_time_gives(
    backend: Backend, rows: list[list[int]]
) -> None:
    words = array(rows)
    hashes = from_words(backend.poseidon_rows(words))
    assert hashes == tuple(poseidon(*row) for row in rows)
    assert from_words(backend.ezkl_sponge_rows(words)) == tuple(map(ezkl_sponge, rows))


@pytest.mark.parametrize("length", range(1, 17))
def test_a_backend_takes_the_largest_elements(backend: Backend, length: int) -> None:
    rows = [[ORDER - 1] * length, [0] * length, [ORDER - 1, *[0] * (length - 1)]]
    hashes = from_words(backend.poseidon_rows(array(rows)))
    assert hashes == tuple(poseidon(*row) for row in rows)


def test_a_backend_takes_arrays_with_gaps_and_leaves_them_alone(backend: Backend) -> None:
    wide = array([[row * 4 + place for place in range(4)] for row in range(4)])
    before = wide.copy()
    views = wide[::2], wide[:, ::2], wide[::-1, 1:3]
    for view in views:
        expected = from_words(backend.poseidon_rows(view.copy()))
        assert from_words(backend.poseidon_rows(view)) == expected
    wide.flags.writeable = False
    backend.poseidon_rows(wide)
    assert np.array_equal(wide, before)


def test_a_backend_takes_no_rows(backend: Backend) -> None:
    assert backend.poseidon_rows(np.empty((0, 2, 4), np.uint64)).shape == (0, 4)
    assert backend.ezkl_sponge_rows(np.empty((0, 2, 4), np.uint64)).shape == (0, 4)


def test_a_backend_may_be_used_by_several_threads(backend: Backend) -> None:
    rows = array([[number, number + 1] for number in range(64)])
    expected = backend.poseidon_rows(rows)
    with ThreadPoolExecutor(4) as pool:
        for hashes in pool.map(backend.poseidon_rows, [rows] * 8):
            assert np.array_equal(hashes, expected)


@pytest.mark.parametrize("function", [poseidon_many, ezkl_sponge_many])
def test_a_value_outside_the_field_is_refused_before_hashing(function: Any) -> None:
    rows = np.zeros((3, 2, 4), np.uint64)
    rows[2, 1] = [ORDER >> 64 * i & 2**64 - 1 for i in range(4)]
    with pytest.raises(MalformedError, match=r"the element at \(2, 1\)"):
        function(rows)


@pytest.mark.parametrize("function", [poseidon_many, ezkl_sponge_many])
@pytest.mark.parametrize(
    "rows",
    [np.zeros((2, 4), np.uint64), np.zeros((2, 1, 4), np.int64), np.zeros((2, 1, 3), np.uint64)],
    ids=["two axes", "another type", "three words"],
)
def test_rows_of_another_shape_are_refused(function: Any, rows: NDArray[np.uint64]) -> None:
    with pytest.raises(MalformedError, match="expected 3 axes of uint64"):
        function(rows)


@pytest.mark.parametrize("length", [0, 17])
def test_rows_of_no_or_too_many_inputs_are_refused(length: int) -> None:
    with pytest.raises(MalformedError, match="1 to 16 inputs"):
        poseidon_many(np.zeros((1, length, 4), np.uint64))


def test_the_sponge_refuses_rows_of_no_elements() -> None:
    with pytest.raises(MalformedError, match="at least one element"):
        ezkl_sponge_many(np.zeros((1, 0, 4), np.uint64))


def test_the_public_functions_give_what_one_hash_at_a_time_gives() -> None:
    rows = [[1, 2], [ORDER - 1, 0]]
    assert from_words(poseidon_many(array(rows))) == tuple(poseidon(*row) for row in rows)
    assert from_words(ezkl_sponge_many(array(rows))) == tuple(map(ezkl_sponge, rows))


def test_few_hashes_are_done_in_pure_python() -> None:
    chooser = Chooser(patience=10)
    assert all(chooser.choose(2) is plain for _ in range(5))


@pytest.mark.parametrize("batches", [[11], [5, 5, 1], [11, 1]])
def test_many_hashes_in_all_are_done_by_the_fastest_backend(batches: list[int]) -> None:
    chooser = Chooser(patience=10)
    assert [chooser.choose(batch) for batch in batches][-1] is fastest()


def test_without_numba_the_fastest_is_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "provenance.poseidon.kernels", None)
    assert fastest() is plain


def test_a_short_check_imports_no_numba_and_importing_computes_nothing() -> None:
    check = """
import sys
import provenance.poseidon as face
from provenance.poseidon import parameters
assert not parameters.parameters.cache_info().misses
face.poseidon_many(face.to_words([1, 2]).reshape(1, 2, 4))
assert not [name for name in sys.modules if name.split(".")[0] in ("numba", "llvmlite")]
"""
    root = Path(many.__file__).parents[2]
    subprocess.run([sys.executable, "-c", check], cwd=root, check=True)


def test_without_numba_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "provenance.poseidon.kernels", None)
    many._notice.cache_clear()
    assert [many.backend(), many.backend()] == ["python", "python"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("rootline", "WARNING")
    assert "numba" in record.message


def test_the_backend_is_named() -> None:
    pytest.importorskip("numba", reason="without it the back end is python")
    assert many.backend() in ("ifma", "fma", "scalar")


def test_checked_elements_are_hashed_without_another_check() -> None:
    rows = array([[1, 2], [ORDER - 1, 0]])
    assert np.array_equal(many.poseidon_checked(rows), poseidon_many(rows))
    with pytest.raises(MalformedError, match="1 to 16 inputs"):
        many.poseidon_checked(np.zeros((1, 17, 4), np.uint64))


@pytest.mark.parametrize("value", [ORDER, 2**256 - 1])
@pytest.mark.parametrize("function", [poseidon_many, ezkl_sponge_many])
def test_what_is_not_below_r_is_refused_and_never_reduced(function: Any, value: int) -> None:
    rows = np.zeros((1, 1, 4), np.uint64)
    rows[0, 0] = [value >> 64 * i & 2**64 - 1 for i in range(4)]
    with pytest.raises(MalformedError, match="not below"):
        function(rows)
