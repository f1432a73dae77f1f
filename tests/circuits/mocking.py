"""ezkl's own view of a graph and a witness, without keys: settings, compile, mock."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circuits.graph import Graph
from circuits.spec import Circuit
from circuits.table import Table
from provenance.field import ORDER
from provenance.poseidon import ezkl_sponge

CHILD = """
import json, logging, ezkl
logging.getLogger("ezkl").setLevel(logging.WARNING)
arguments = ezkl.PyRunArgs()
for name, value in json.load(open("arguments")).items():
    setattr(arguments, name, tuple(value) if isinstance(value, list) else value)
ezkl.gen_settings("circuit.onnx", "settings", py_run_args=arguments)
ezkl.compile_circuit("circuit.onnx", "compiled", "settings")
answers = []
for number in range(json.load(open("count"))):
    try:
        answers.append(ezkl.mock(f"witness-{number}", "compiled") is True)
    except RuntimeError:
        answers.append(False)
print(json.dumps(answers))
"""

Row = Sequence[int]
Claimed = tuple[Mapping[str, Row], Sequence[Row]]
"""Private values by name, and the rows of outputs that they are claimed to lead to."""


def mocked(graph: Graph, table: Table, columns: int, claims: Sequence[Claimed]) -> list[bool]:
    """Return for each claim whether ezkl's mock prover is satisfied with it."""
    hashed = graph.outputs[0].name != "public"
    circuit = Circuit("test", "", (), lambda: graph, table.logrows, columns, None, table, hashed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "circuit.onnx").write_bytes(circuit.onnx())
        (folder / "arguments").write_text(json.dumps(circuit.run_arguments))
        (folder / "count").write_text(str(len(claims)))
        for number, claim in enumerate(claims):
            (folder / f"witness-{number}").write_text(json.dumps(_witness(graph, claim, hashed)))
        done = subprocess.run(
            [sys.executable, "-c", CHILD],
            cwd=folder,
            env={"HOME": name},
            check=True,
            capture_output=True,
            timeout=300,
        )
    found: list[bool] = json.loads(done.stdout)
    return found


def _witness(graph: Graph, claim: Claimed, hashed: bool) -> dict[str, Any]:  # noqa: FBT001
    private, outputs = claim
    hashes = [_hex(ezkl_sponge([value % ORDER for value in row])) for row in outputs]
    return {
        "inputs": [[_hex(value) for value in private[tensor.name]] for tensor in graph.inputs],
        "outputs": [[_hex(value) for value in row] for row in outputs],
        "processed_outputs": {"poseidon_hash": hashes, "polycommit": None} if hashed else None,
        "pretty_elements": None,
        "processed_inputs": None,
        "processed_params": None,
        "version": None,
        "max_lookup_inputs": 0,
        "min_lookup_inputs": 0,
        "max_range_size": 0,
    }


def _hex(value: int) -> str:
    return (value % ORDER).to_bytes(32, "little").hex()
