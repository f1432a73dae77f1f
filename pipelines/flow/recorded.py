"""What is on disk of a recorded run, finished or not: see `recording.py` for its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import find_run
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.audit.steps import State
from provenance.canonical import Fields
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.training import Run, RunStart
from storage.atomic import read_bounded

MAX_STEPS_FILE: Final = 2**32


@dataclass(frozen=True, slots=True)
class Stored:
    """What opens a recorded run: its states in order, the initial one first."""

    start: RunStart
    run: Run
    states: tuple[State, ...]
    batches: tuple[tuple[int, ...], ...]
    key: DatasetKey


def stored_run(space: Workspace, start: Digest) -> Stored:
    """Return a finished run as it was recorded.

    Raises:
        MalformedError: It is not finished, or its states are not of a form that can be opened.
    """
    folder = run_folder(space, start)
    run = find_run(space, start)
    if run is None:
        raise MalformedError(f"run {start.hex()[:16]}… is not finished: it has no steps to open")
    lines = list(_lines(folder / "steps.jsonl"))
    return Stored(
        RunStart.parse(read_bounded(folder / "start.json", 2**24)),
        run,
        tuple(state for _, state in lines),
        tuple(batch for batch, _ in lines[1:]),
        DatasetKey(read_bounded(folder / "key", 32)),
    )


def run_folder(space: Workspace, start: Digest) -> Path:
    """Return where a run is recorded."""
    return space.home.runs / start.hex()


def recorded_steps(space: Workspace, start: Digest) -> int:
    """Return how many steps of a run are on disk, finished or not."""
    path = run_folder(space, start) / "steps.jsonl"
    return max(0, len(_whole_lines(path)) - 1) if path.exists() else 0


def _lines(path: Path) -> Iterator[tuple[tuple[int, ...], State]]:
    for line in _whole_lines(path):
        fields = Fields.of(canonical.decode_loose(line), path.name)
        batch = tuple(n for n in fields.items("batch", CHUNK) if isinstance(n, int))
        yield batch, State.of(fields)


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that were written to their end; a killed script may leave half a line."""
    return read_bounded(path, MAX_STEPS_FILE).split(b"\n")[:-1]
