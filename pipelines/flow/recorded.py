"""What is on disk of a recorded run, finished or not: see `recording.py` for its files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import find_run
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.audit.steps import State, record_index
from provenance.canonical import Fields, JsonObject
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.training import Run, RunStart, Step
from provenance.tree import Chunk
from storage.atomic import read_bounded, write_atomic

MAX_STEPS_FILE: Final = 2**32
MAX_FEATURES: Final = 2**31


@dataclass(frozen=True, slots=True)
class Stored:
    """What opens a recorded run: its states in order, the initial one first."""

    start: RunStart
    run: Run
    states: tuple[State, ...]
    batches: tuple[tuple[int, ...], ...]
    features: Mapping[int, Digest]
    key: DatasetKey

    def steps(self, table: Sequence[Chunk]) -> list[Step]:
        """Return the run's steps as its transcript holds them.

        Args:
            table: The chunk table of the training dataset.
        """
        around = zip(self.states, self.states[1:], self.batches, strict=False)
        return [
            Step(
                n,
                before.commitment,
                after.commitment,
                self.start.datasets["train"],
                tuple(record_index(table, number) for number in batch),
                tuple(self.features[number] for number in batch) if self.features else (),
            )
            for n, (before, after, batch) in enumerate(around)
        ]


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
        _features(folder / "features.json"),
        DatasetKey(read_bounded(folder / "key", 32)),
    )


def run_folder(space: Workspace, start: Digest) -> Path:
    """Return where a run is recorded."""
    return space.home.runs / start.hex()


def recorded_steps(space: Workspace, start: Digest) -> int:
    """Return how many steps of a run are on disk, finished or not."""
    path = run_folder(space, start) / "steps.jsonl"
    return max(0, len(_whole_lines(path)) - 1) if path.exists() else 0


def write_features(folder: Path, features: Mapping[int, Digest]) -> None:
    """Keep the feature commitments of the records that a run used, by running number."""
    members: JsonObject = {str(number): digest.hex() for number, digest in features.items()}
    write_atomic(folder / "features.json", canonical.encode(members), 0o600)


def _features(path: Path) -> dict[int, Digest]:
    if not path.exists():
        return {}
    members = canonical.decode(read_bounded(path, MAX_FEATURES), limit=MAX_FEATURES)
    return {int(number): Digest.parse(str(text)) for number, text in members.items()}


def _lines(path: Path) -> Iterator[tuple[tuple[int, ...], State]]:
    for line in _whole_lines(path):
        fields = Fields.of(canonical.decode_loose(line), path.name)
        batch = tuple(n for n in fields.items("batch", CHUNK) if isinstance(n, int))
        yield batch, State.of(fields)


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that were written to their end; a killed script may leave half a line."""
    return read_bounded(path, MAX_STEPS_FILE).split(b"\n")[:-1]
