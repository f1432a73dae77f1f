"""Functions: read within bounds, translated as the twin and ONNX say, or refused by name."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from circuits.functions.function import MAX_BYTES, MAX_OPERATIONS, read
from circuits.functions.values import function_values
from circuits.solve import solve
from circuits.statements.properties import property_chosen, property_graph
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement
from tests.circuits.statements.graphs import BOOL, DOUBLE, INT64, Drawn, Writer, functions
from tests.circuits.statements.questions import EXAMPLES, question

TABLE = Table.of(14)


@settings(deadline=None, max_examples=120)
@given(functions())
def test_circuit_twin_and_onnx_agree_on_random_functions(drawn: Drawn) -> None:
    function = read(drawn.onnx)
    value = function_values(function, drawn.rows)
    salts = [FieldElement(i) for i, _ in enumerate(drawn.rows)]
    chosen = property_chosen(function, drawn.rows, salts, FieldElement(5))
    solved = solve(property_graph(function, TABLE), chosen, TABLE.most)
    assert solved.outputs[-2] == tuple(entry % ORDER for entry in value)
    assert solved.outputs[-1] == (5, 0, 1)
    if drawn.exact:
        (found,) = ReferenceEvaluator(drawn.onnx).run(
            None, {"records": np.array(drawn.rows, float)}
        )
        assert tuple(np.asarray(found).ravel().tolist()) == value


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_means_round_halves_up_in_each_opset(opset: int) -> None:
    write = Writer(2, 3)
    if opset < 18:
        write("ReduceMean", "records", axes=[0], output="value")
    else:
        write("ReduceMean", "records", write.whole(0), output="value")
    function = read(write.onnx(opset=opset))
    assert function_values(function, [[1, -1, -2], [2, -2, -3]]) == (2, -1, -2)


def constant() -> Writer:
    write = Writer(1, 2)
    tensor = helper.make_tensor("t", INT64, (2,), [3, -4])
    write("Add", "records", write("Constant", value=tensor), output="value")
    return write


def test_a_constant_node_is_an_initialiser() -> None:
    assert function_values(read(constant().onnx()), [[10, 10]]) == (13, 6)


def one(operator: str, *inputs: str, **named: object) -> Callable[[], Writer]:
    """Return a function of one node over two records of three."""

    def write() -> Writer:
        found = Writer(2, 3)
        found.number([2.0], (1, 1))
        found.number([0.5], (1, 1))
        found.number([-2.0], (1, 1))
        found.number([1, 0], (2,), BOOL)
        found.number([2**70], (1, 1))
        found("Greater", "records", "c0", output="truth")
        found(operator, *inputs, output="x", **named)
        found("Reshape", "x", found.whole(1, -1), output="value")
        return found

    return write


REFUSED = {
    "softmax": (one("Softmax", "records"), r"node 1 \(Softmax\): no operator"),
    "another domain": (one("Add", "records", "c0", domain="mine"), "no operator"),
    "sums of truths": (one("Add", "truth", "truth"), r"node 1 \(Add\): it takes numbers"),
    "numbers as truths": (one("Cast", "records", to=BOOL), "surely 0 or 1"),
    "cast to a narrow type": (one("Cast", "records", to=3), "it may cast to"),
    "where a number": (one("Where", "records", "c0", "c0"), "must be a truth value"),
    "division by a value": (one("Div", "records", "records"), "must be a constant"),
    "division by less than 1": (one("Div", "records", "c2"), "one positive constant"),
    "an unknown attribute": (one("Add", "records", "c0", axis=1), "are not understood"),
    "an attribute of no known type": (one("Concat", "records", axis="1"), "no type"),
    "an attribute of another type": (one("Concat", "records", axis=1.5), "'axis' is of another"),
    "no axis": (one("Concat", "records"), "do not fit"),
    "an input left out": (one("Max", "", "records"), "do not fit"),
    "a bound that is computed": (one("Slice", "records", "records", "c0"), "must be a constant"),
    "one input too few": (one("Sub", "records"), "do not fit"),
    "an input from nowhere": (one("Neg", "nowhere"), "'nowhere' is not known"),
    "shapes that do not fit": (one("MatMul", "records", "records"), "cannot multiply"),
    "gemm that scales": (one("Gemm", "records", "c0", alpha=2.0), "must be 1"),
    "a gather beyond": (one("Gather", "records", "c4"), "do not fit"),
    "an axis beyond": (one("Concat", "records", axis=2), "do not fit"),
    "a truth joined to numbers": (one("Concat", "records", "truth", axis=0), "one type"),
    "three axes": (one("Unsqueeze", "records", "c0"), "cannot become|do not fit"),
    "transposed to nothing": (one("Transpose", "records", perm=[0, 0]), "no order"),
    "a reshape by zero": (one("Reshape", "records", "c2", allowzero=1), "allowzero"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_refused_by_name(case: str) -> None:
    write, why = REFUSED[case]
    found = write()
    found.constants = [c for c in found.constants if c.name in used(found)]
    with pytest.raises(MalformedError, match=why):
        property_graph(read(found.onnx()), TABLE)


def used(write: Writer) -> set[str]:
    return {name for node in write.nodes for name in node.input}


def test_a_constant_that_is_no_integer_is_refused() -> None:
    for value in (0.5, float("nan"), float("inf")):
        write = Writer(1, 1)
        write("Add", "records", write.number([value], (1, 1)), output="value")
        with pytest.raises(MalformedError, match="constant 'c0': only integers"):
            read(write.onnx())


def squares(times: int) -> bytes:
    write, name = Writer(1, 1), "records"
    for _ in range(times):
        name = write("Mul", name, name)
    write("Identity", name, output="value")
    return write.onnx()


def test_what_could_reach_beyond_its_bound_is_refused_by_name() -> None:
    property_graph(read(squares(3)), TABLE)
    with pytest.raises(
        MalformedError, match=r"node 3 \(Mul\): a value could reach beyond 2\*\*125"
    ):
        property_graph(read(squares(4)), TABLE)
    write = Writer(1, 1)
    write("Add", "records", write.number([2.0**126], (1, 1)), output="value")
    with pytest.raises(MalformedError, match=r"node 0 \(Add\): a constant reaches beyond"):
        property_graph(read(write.onnx()), TABLE)


def test_work_is_bounded_before_it_is_done() -> None:
    write = Writer(256, 64)
    turned = write("Transpose", "records")
    write("Reshape", write("MatMul", "records", turned), write.whole(1, -1), output="value")
    with pytest.raises(MalformedError, match=r"node 1 \(MatMul\): the function has more than"):
        property_graph(read(write.onnx()), TABLE)


def test_sizes_are_bounded() -> None:
    with pytest.raises(MalformedError, match="at most 1048576 bytes"):
        read(bytes(MAX_BYTES + 1))
    with pytest.raises(MalformedError, match=f"1 to {MAX_OPERATIONS} nodes"):
        read(squares(MAX_OPERATIONS))
    with pytest.raises(MalformedError, match="two fixed sizes"):
        read(_plain(2**10, 2**7))


def _plain(rows: int, lanes: int, taken: str = "records") -> bytes:
    write = Writer(rows, lanes, taken)
    write("Identity", taken, output="value")
    return write.onnx()


def test_inputs_of_other_names_ranks_and_types_are_refused() -> None:
    with pytest.raises(MalformedError, match="named 'records' or 'state'"):
        read(_plain(1, 1, "rows"))
    with pytest.raises(MalformedError, match="state has one row"):
        read(_plain(2, 1, "state"))
    for change in ("param", "rank", "type"):
        write = Writer(1, 1)
        write("Identity", "records", output="value")
        model = write.model()
        tensor = model.graph.input[0].type.tensor_type
        if change == "param":
            tensor.shape.dim[0].dim_param = "batch"
        elif change == "rank":
            tensor.shape.dim.add().dim_value = 1
        else:
            tensor.elem_type = TensorProto.FLOAT16
        with pytest.raises(MalformedError, match=r"two fixed sizes|must be of FLOAT"):
            read(model.SerializeToString())


def test_data_in_another_file_are_not_opened() -> None:
    write = constant()
    write.constants = [helper.make_tensor("c0", DOUBLE, (1,), [1])]
    model = write.model()
    stored = model.graph.initializer[0]
    stored.data_location = TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(MalformedError, match="must stand in the function itself"):
        read(model.SerializeToString())


def test_sizes_that_belie_their_data_are_refused() -> None:
    model = constant().model()
    tensor = model.graph.initializer.add()
    tensor.name, tensor.data_type = "c0", DOUBLE
    tensor.dims.extend([2, 2])
    tensor.raw_data = bytes(8)
    with pytest.raises(MalformedError, match="sizes and data do not fit"):
        read(model.SerializeToString())
    tensor.dims[:] = [2**40, 2**40]
    with pytest.raises(MalformedError, match="1 to 65536 entries"):
        read(model.SerializeToString())


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"not a model"])
def test_bytes_that_are_no_model_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^function"):
        read(data)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(EXAMPLES)), st.integers(0, 10**6), st.integers(0, 255))
def test_a_changed_byte_is_another_function_or_none(name: str, place: int, byte: int) -> None:
    data = bytearray(EXAMPLES[name])
    data[place % len(data)] = byte
    try:
        function = read(bytes(data))
        property_graph(function, TABLE)
    except MalformedError:
        return
    rows = question(name).rows
    if function.shape == read(EXAMPLES[name]).shape:
        assert len(function_values(function, rows)) > 0
    assert (function.digest == read(EXAMPLES[name]).digest) == (bytes(data) == EXAMPLES[name])


def test_names_stand_for_one_value_only() -> None:
    write = Writer(1, 1)
    write("Neg", "records", output="x")
    write("Abs", "records", output="x")
    with pytest.raises(MalformedError, match=r"node 1 \(Abs\): .*a name of its own"):
        read(write.onnx("x"))
    write = Writer(1, 1)
    write("Neg", "later", output="value")
    write("Abs", "records", output="later")
    with pytest.raises(MalformedError, match="'later' is not known there"):
        read(write.onnx())


def test_a_value_that_is_no_row_is_refused() -> None:
    write = Writer(2, 1)
    write("Neg", "records", output="value")
    with pytest.raises(MalformedError, match=r"output 'value': the value must be one row"):
        property_graph(read(write.onnx()), TABLE)
    with pytest.raises(MalformedError, match="one output, and compute it"):
        read(write.onnx("other"))


def test_an_opset_that_nobody_checked_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"opset 13 to 21, not \[12\]"):
        read(constant().onnx(opset=12))
