"""The witness reaches the child through a pipe, and no log, text, argument or file."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from circuits.proving import worker
from circuits.proving.artifacts import keys, local_srs
from circuits.proving.pool import Request
from circuits.proving.requests import prove
from circuits.proving.worker import Limits
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.errors import ProvenanceError
from tests.circuits.proving.kin import children
from tests.circuits.proving.searching import found_in, spellings
from tests.circuits.small import HASHED, OPEN, SALT, hashed_solved, open_solved

LEFT, RIGHT = 2**230 + 987_654_321, 2**231 + 123_456_789
"""Secrets large enough to be found nowhere by chance."""
CASES = [
    pytest.param(OPEN, open_solved(LEFT, RIGHT), (LEFT, RIGHT), id="open"),
    pytest.param(HASHED, hashed_solved(), (SALT,), id="hashed", marks=pytest.mark.slow),
]


def test_what_is_looked_for_would_be_found() -> None:
    for secret in (LEFT, SALT):
        for text in spellings(secret):
            assert found_in(b"x" + text + b"y", (secret,)) == [secret]


@pytest.mark.parametrize(("circuit", "solved", "secrets"), CASES)
def test_nothing_of_the_witness_is_anywhere_while_it_is_proved_and_after(
    circuit: Circuit,
    solved: Solved,
    secrets: tuple[int, ...],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUST_LOG", "trace")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("ezkl").setLevel(logging.DEBUG)
    seen: list[bytes] = []

    def look(_: str) -> None:
        for child in children():
            for name in ("cmdline", "environ"):
                seen.append(Path(f"/proc/{child}/{name}").read_bytes())
        for path in tmp_path.rglob("*"):
            assert not found_in(str(path).encode(), secrets)
            if path.is_file():
                seen.append(path.read_bytes())

    proof = prove(circuit, solved, tmp_path, progress=look)
    look("after")
    out, err = capfd.readouterr()
    seen += [out.encode(), err.encode(), caplog.text.encode(), proof.encoded]
    assert any(b"circuits.proving.child" in data for data in seen)
    assert not [data[:60] for data in seen if found_in(data, secrets)]


@pytest.mark.parametrize(("circuit", "solved", "secrets"), CASES)
@pytest.mark.parametrize("limits", [Limits(memory_bytes=100 * 2**20), Limits(seconds=0.05)])
def test_errors_tell_nothing_of_it(
    circuit: Circuit,
    solved: Solved,
    secrets: tuple[int, ...],
    limits: Limits,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    keys(circuit, local_srs(tmp_path, circuit.logrows), tmp_path)
    with pytest.raises(ProvenanceError) as caught:
        prove(circuit, solved, tmp_path, limits=limits)
    told = [str(caught.value), repr(caught.value), *capfd.readouterr()]
    assert "\n" not in str(caught.value)
    assert not found_in(" ".join(told).encode(), secrets)


def test_a_request_does_not_write_its_witness() -> None:
    request = Request(OPEN, open_solved(LEFT, RIGHT))
    assert not found_in(f"{request!r} {request!s}".encode(), (LEFT, RIGHT))


def test_a_child_leaves_no_core_and_cannot_be_looked_into(tmp_path: Path) -> None:
    read: list[str] = []

    def look(_: str) -> None:
        (child,) = children()
        folder = Path(f"/proc/{child}")
        read.append((folder / "limits").read_text())
        read.append(str((folder / "mem").stat().st_uid))

    with worker.scratch(tmp_path) as folder:
        worker.run({"step": "srs", "logrows": 4}, folder, progress=look)
    (core,) = [line for line in read[0].splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    # The system's own, as of any process that is not dumpable; a superuser cannot tell.
    assert read[1] == "0"


def test_children_end_with_their_parent_however_it_ends(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from circuits.proving import worker\n"
        "from tests.circuits.proving.kin import children\n"
        "def told(stage):\n"
        "    print(*children(), flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "with worker.scratch(pathlib.Path(sys.argv[1])) as folder:\n"
        "    worker.run({'step': 'srs', 'logrows': 22}, folder, progress=told)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=worker.SOURCE,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -9
    child = Path(f"/proc/{int(ended.stdout)}/stat")
    for _ in range(1000):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] in "ZX":
            return
        os.sched_yield()
    raise AssertionError("the child lives on")
