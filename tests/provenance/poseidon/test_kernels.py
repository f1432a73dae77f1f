"""Every machine against the reference, and the gate before them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.errors import UnavailableError
from provenance.field import ORDER
from provenance.poseidon import ezkl_sponge, from_words, poseidon, to_words

numba = pytest.importorskip("numba", reason="the compiled kernels need numba")
ir = pytest.importorskip("llvmlite.ir")
llvm = pytest.importorskip("llvmlite.binding")
ifma = pytest.importorskip("provenance.poseidon.ifma")
primitives = pytest.importorskip("provenance.poseidon.primitives")
kernels = pytest.importorskip("provenance.poseidon.kernels")

ROOT = Path(__file__).parents[3]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/poseidon.json").read_text())
EDGES = [
    0,
    1,
    ORDER - 1,
    2**52 - 1,
    2**104 - 2**52,
    2**208 - 1,
    2**253 - 2**208,
    2**64,
    2**192 - 1,
    ORDER - 2**64,
    sum((2**52 - 1) << 104 * i for i in range(3)) % ORDER,
]
ELEMENTS = st.one_of(st.sampled_from(EDGES), st.integers(0, ORDER - 1))


def array(rows: list[list[int]]) -> NDArray[np.uint64]:
    elements = [element for row in rows for element in row]
    return to_words(elements).reshape(len(rows), -1, 4)


def modelled(builder: Any, half: str, column: Any, x: Any, y: Any) -> Any:
    """Write a call of what computes vpmadd52 without the instruction."""
    name = f"modelled_{half}"
    function = builder.module.globals.get(name) or define_model(builder.module, name, half)
    return builder.call(function, [column, x, y])


def define_model(module: Any, name: str, half: str) -> Any:
    """Return the function: integers of 128 bits, cut to limbs."""
    function = ir.Function(module, ir.FunctionType(ifma.KIND, [ifma.KIND] * 3), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    column, x, y = function.args
    wide = ir.VectorType(ir.IntType(128), 8)
    mask = ir.Constant(ifma.KIND, [2**52 - 1] * 8)
    product = builder.mul(*(builder.zext(builder.and_(each, mask), wide) for each in (x, y)))
    if half == "h":
        product = builder.lshr(product, ir.Constant(wide, [52] * 8))
    part = builder.and_(builder.trunc(product, ifma.KIND), mask)
    builder.ret(builder.add(column, part))
    return function


@pytest.fixture(scope="module", params=["ifma", "modelled ifma", "fma", "scalar"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Yield the kernel of each machine that the processor can be, and of IFMA's text anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        machine = ifma.Ifma(modelled, FEATURES=frozenset())
        patch.setitem(primitives.MACHINES, "modelled ifma", machine)
        patch.setitem(primitives.TOKENS, "modelled ifma", np.uint64(0))
        patch.setitem(primitives.BY_KIND, numba.uint64, machine)
        try:
            yield kernels.Kernel(request.param)
        except UnavailableError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def probe(kernel: Any) -> Any:
    """Return all four operations in one function, compiled anew: (words a, numbers) -> words."""
    enter, fifth_power, leave = primitives.enter, primitives.fifth_power, primitives.leave
    weighted_sum, element_bytes = primitives.weighted_sum, primitives.element_bytes
    number_bytes, group = primitives.number_bytes, primitives.group

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]  # numba has no types here
    def compiled(machine: Any, a: Any, numbers: Any, out: Any) -> None:
        size, lanes = element_bytes(machine), group(machine)
        memory = np.zeros(size // 2 + 4 * lanes + 8, np.uint64)
        memory = memory[-memory.ctypes.data % 64 // 8 :]
        words = memory[size // 2 : size // 2 + 4 * lanes].reshape((4, lanes))
        x = memory.ctypes.data
        fifth, total, zero = x + size, x + 2 * size, x + 3 * size
        for lane in range(lanes):
            words[:, lane] = a[lane]
        enter(machine, x, words.ctypes.data, zero, numbers.ctypes.data)
        fifth_power(machine, fifth, x)
        rest = numbers.ctypes.data + number_bytes(machine)
        weighted_sum(machine, total, fifth, x, 2, rest)
        leave(machine, words.ctypes.data, total)
        for lane in range(lanes):
            out[lane] = words[:, lane]

    def run(elements: list[int], numbers: list[int]) -> tuple[int, ...]:
        machine = primitives.MACHINES[kernel.name]
        a = [elements[i % len(elements)] for i in range(machine.GROUP)]
        out = np.empty((machine.GROUP, 4), np.uint64)
        compiled(primitives.TOKENS[kernel.name], to_words(a), machine.table(numbers), out)
        return from_words(out)[: len(elements)]

    return run


@settings(deadline=None, max_examples=100)
@given(
    elements=st.lists(ELEMENTS, min_size=1, max_size=4),
    numbers=st.lists(ELEMENTS, min_size=4, max_size=4),
)
def test_operations_compute_what_python_computes(
    kernel: Any, probe: Any, elements: list[int], numbers: list[int]
) -> None:
    montgomery = primitives.MACHINES[kernel.name].MONTGOMERY
    expected = []
    for element in elements:
        x = element + numbers[0] * montgomery
        fifth = x**5 * pow(montgomery, -4, ORDER)
        total = fifth + numbers[1] * montgomery + numbers[2] * x + numbers[3] * fifth
        expected.append(total % ORDER)
    lanes = primitives.MACHINES[kernel.name].GROUP
    assert probe(elements, numbers) == tuple(expected[:lanes])


def test_a_machine_gives_every_vector_of_circomlib(kernel: Any) -> None:
    for _, cases in groupby(VECTORS["circomlib"], key=lambda case: len(case["inputs"])):
        inputs, outputs = zip(*((c["inputs"], int(c["output"])) for c in cases), strict=True)
        rows = array([list(map(int, row)) for row in inputs])
        assert from_words(kernel.poseidon_rows(rows)) == outputs


def test_a_machine_gives_every_vector_of_ezkl(kernel: Any) -> None:
    for case in VECTORS["ezkl_sponge"]:
        rows = array([list(map(int, case["inputs"]))])
        assert from_words(kernel.ezkl_sponge_rows(rows)) == (int(case["output"]),)


@pytest.mark.parametrize("length", range(1, 17))
def test_a_machine_takes_edges_in_every_lane_and_place(kernel: Any, length: int) -> None:
    rows = [[EDGES[(row + place) % len(EDGES)] for place in range(length)] for row in range(19)]
    rows += [[edge] * length for edge in EDGES]
    assert from_words(kernel.poseidon_rows(array(rows))) == tuple(poseidon(*row) for row in rows)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.integers(1, 16).flatmap(
        lambda length: st.lists(st.lists(ELEMENTS, min_size=length, max_size=length), min_size=1)
    )
)
def test_a_machine_gives_what_one_hash_at_a_time_gives(kernel: Any, rows: list[list[int]]) -> None:
    words = array(rows)
    assert from_words(kernel.poseidon_rows(words)) == tuple(poseidon(*row) for row in rows)
    assert from_words(kernel.ezkl_sponge_rows(words)) == tuple(map(ezkl_sponge, rows))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 15, 16, 17, 33])
def test_a_machine_takes_any_number_of_rows(kernel: Any, count: int) -> None:
    rows = [[row, ORDER - 1 - row] for row in range(count)]
    words = to_words(element for row in rows for element in row).reshape(count, 2, 4)
    assert from_words(kernel.poseidon_rows(words)) == tuple(poseidon(*row) for row in rows)
    assert from_words(kernel.ezkl_sponge_rows(words)) == tuple(map(ezkl_sponge, rows))


def test_threads_agree(kernel: Any) -> None:
    rows = array([[number, number + 1] for number in range(64)])
    expected = kernel.poseidon_rows(rows)
    with ThreadPoolExecutor(4) as pool:
        for hashes in pool.map(kernel.poseidon_rows, [rows] * 8):
            assert np.array_equal(hashes, expected)


def test_rows_of_any_layout_are_hashed_by_code_compiled_once(kernel: Any) -> None:
    rows = array([[number, number + 1, number + 2] for number in range(8)])
    expected = from_words(kernel.poseidon_rows(rows[:, :2].copy()))
    compiled = len(kernels._hash_rows.signatures)
    frozen = rows.copy()
    frozen.flags.writeable = False
    for view in (rows[:, :2], frozen[:, :2], np.asfortranarray(rows)[:, :2]):
        assert from_words(kernel.poseidon_rows(view)) == expected
    assert from_words(kernel.poseidon_rows(frozen)) == from_words(kernel.poseidon_rows(rows))
    assert len(kernels._hash_rows.signatures) == compiled
    assert np.array_equal(frozen, rows)


def test_the_interpreters_lock_is_released() -> None:
    assert kernels._hash_rows.targetoptions["nogil"]


def assembly(module: Any) -> str:
    """Return a module's code for a processor with IFMA; nothing of it is run."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("LLVM has no x86 here")
    machine = target.create_target_machine(cpu="icelake-server", opt=2)
    return str(machine.emit_assembly(llvm.parse_assembly(str(module))))


@pytest.mark.parametrize(
    ("operation", "addresses", "count"),
    [("fifth_power", 2, 2 * 30 + 50 + 3 * 51), ("weighted_sum", 5, 50 + 51)],
)
def test_ifma_takes_as_many_instructions_as_its_limit_is_computed_from(
    operation: str, addresses: int, count: int
) -> None:
    module, address = ir.Module(), ir.IntType(64)
    kind = ir.FunctionType(ir.VoidType(), [address] * addresses)
    builder = ir.IRBuilder(ir.Function(module, kind, "text").append_basic_block())
    primitives.WRITERS[operation](ifma.Ifma())(builder, *builder.function.args)
    builder.ret_void()
    assert assembly(module).count("vpmadd52") == count * ifma.INTERLEAVED


HASH = """
from provenance.poseidon import from_words, kernels, to_words
words = to_words(range(1, 21)).reshape(10, 2, 4)
print(kernels.fastest().name, from_words(kernels.fastest().poseidon_rows(words))[0])
"""
ASK = """
from provenance.errors import UnavailableError
from provenance.poseidon import kernels
for name in ("ifma", "fma"):
    try:
        kernels.Kernel(name)
    except UnavailableError as error:
        print(error)
print(len(kernels._hash_rows.signatures))
"""


def on_a_processor_with(features: str, script: str) -> list[str]:
    """Return the lines that a script prints where numba is told of such a processor."""
    told = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | told, check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


def test_where_the_instructions_are_missing_the_portable_machine_hashes() -> None:
    (line,) = on_a_processor_with("+sse2,-avx2,-fma", HASH)
    assert line == f"scalar {poseidon(1, 2)}"


def test_a_machine_that_the_processor_cannot_be_is_refused_before_anything_is_compiled() -> None:
    ifma, fma, compiled = on_a_processor_with("+sse2,+avx2", ASK)
    assert ifma == "Poseidon on ifma needs a processor with avx512f, avx512ifma"
    assert fma == "Poseidon on fma needs a processor with fma"
    assert compiled == "0"


@pytest.mark.parametrize(
    ("features", "name"),
    [
        ({"avx512f", "avx512ifma", "avx2", "fma"}, "ifma"),
        ({"avx512ifma", "avx2", "fma"}, "fma"),
        ({"avx2", "fma"}, "fma"),
        ({"fma"}, "scalar"),
        ({"neon"}, "scalar"),
    ],
)
def test_the_fastest_machine_that_the_processor_can_be_is_chosen(
    monkeypatch: pytest.MonkeyPatch, features: set[str], name: str
) -> None:
    monkeypatch.setattr(kernels, "features", lambda: frozenset(features))
    assert kernels.fastest.__wrapped__().name == name
