"""The kernel's arithmetic against Python's, and where compiled code is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.field import ORDER

numba = pytest.importorskip("numba", reason="the compiled kernel needs numba")
kernels = pytest.importorskip("provenance.poseidon.kernels")

INVERSE = pow(2**256, -1, ORDER)
EDGES = [0, 1, 2**64 - 1, 2**64, 2**128, 2**192 - 1, 2**253, ORDER - 2**64, ORDER - 1]
ELEMENTS = st.one_of(st.sampled_from(EDGES), st.integers(0, ORDER - 1))
SUMS = st.one_of(st.sampled_from([0, ORDER, 17 * (ORDER - 1) ** 2]), st.integers(0, 17 * ORDER**2))


def words(value: int, count: int = 4) -> tuple[Any, ...]:
    return tuple(kernels.np.uint64(value >> 64 * i & 2**64 - 1) for i in range(count))


def number(parts: tuple[int, ...]) -> int:
    return sum(int(part) << 64 * i for i, part in enumerate(parts))


@pytest.fixture(scope="module")
def arithmetic() -> Callable[..., Any]:
    """All operations in one function, compiled anew and without the cache."""
    multiply, multiply_add, product = kernels._multiply, kernels._multiply_add, kernels._product
    accumulate, reduce, add = kernels._accumulate, kernels._reduce, kernels._add

    @numba.njit  # type: ignore[untyped-decorator]  # numba has no types here
    def compiled(left: Any, right: Any, added: Any, total: Any) -> Any:
        return (
            multiply(left, right),
            multiply(right, left),
            multiply_add(left, right, added),
            product(left, right),
            accumulate(product(added, added), left, right),
            reduce(total),
            add(left, right),
        )

    return compiled  # type: ignore[no-any-return]  # as above


@settings(deadline=None, max_examples=200)
@given(left=ELEMENTS, right=ELEMENTS, added=ELEMENTS, total=SUMS)
def test_wide_integers_compute_what_python_computes(
    arithmetic: Callable[..., Any], left: int, right: int, added: int, total: int
) -> None:
    outputs = arithmetic(words(left), words(right), words(added), words(total, 9))
    assert [number(output) for output in outputs] == [
        left * right * INVERSE % ORDER,
        left * right * INVERSE % ORDER,
        (left * right * INVERSE + added) % ORDER,
        left * right,
        added * added + left * right,
        total * INVERSE % ORDER,
        (left + right) % ORDER,
    ]


def doubled(number: int) -> int:
    return 2 * number


def test_compiled_code_is_kept_in_the_folder_that_the_application_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    kept = kernels._compiled_and_kept(doubled)
    assert kept(21) == 42
    assert list(tmp_path.rglob("*.nbi"))


@pytest.mark.parametrize("locators", ["", "numba.core.caching.UserProvidedCacheLocator"])
def test_without_a_folder_that_can_be_written_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locators: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", locators, raising=False)
    for folder in (str(tmp_path / "file" / "below"), ""):
        monkeypatch.setattr(numba.config, "CACHE_DIR", folder)
        compiled = kernels._compiled_and_kept(doubled)
        assert compiled(21) == 42
        assert compiled.stats.cache_path is None
    assert not list(Path(__file__).parent.rglob("*.nbi"))


def test_the_kernel_releases_the_interpreters_lock() -> None:
    assert kernels._hash_rows.targetoptions["nogil"]
