"""Steps -> run commitment: a run is announced (start), then registered (run).

A start names everything that decides the run before its seed exists; the seed is the hash of a
later block, so nobody chose it. The run's transcript is a record tree whose records are steps:

    number 0, before <state>, dataset <digest>, batch [5, 17, 4], features [], after <state>

Documents: rootline/start/v1 and rootline/run/v1, see docs/spec/run.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, Json, JsonObject
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement
from provenance.leaf import Salt
from provenance.record import Record, Value
from provenance.schema import Bytes, Field, List, Schema, UInt

START_KIND: Final = "rootline/start/v1"
RUN_KIND: Final = "rootline/run/v1"
MAX_DATASETS: Final = 64
MAX_STEPS: Final = 2**32
MAX_HEIGHT: Final = 2**53 - 1
MAX_CHUNKS: Final = 2**18
MAX_CODE: Final = 16
STATES: Final = ("fixed14/1", "bytes/1")
"""How a state is committed: packed 14-bit digits (a circuit can open it), or a digest of bytes."""

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

STEP_SCHEMA: Final = Schema.of(
    Field("number", UInt()),
    Field("before", Bytes()),
    Field("after", Bytes()),
    Field("dataset", Bytes()),
    Field("batch", List(UInt())),
    Field("features", List(Bytes())),
)


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is fixed before the seed exists. Rules are named, versioned functions of the seed."""

    issuer: str
    log: Digest
    name: str
    datasets: Mapping[str, Digest]
    base: Digest | None
    code: Mapping[str, str]
    environment: Digest
    hyperparameters: JsonObject
    optimiser: str
    sampler: str
    initial: str
    state: str
    seed_height: int

    def __post_init__(self) -> None:
        """Raise MalformedError where a part cannot be."""
        Digest.parse(self.issuer)
        if not all(map(canonical.is_name, (self.name, *self.datasets, *self.code))):
            raise MalformedError("start: its name, a dataset's role or a code origin is no name")
        if not 1 <= len(self.datasets) <= MAX_DATASETS:
            raise MalformedError(f"start: 1 to {MAX_DATASETS} datasets, not {len(self.datasets)}")
        if len(self.code) > MAX_CODE or any(len(text) > 256 for text in self.code.values()):
            raise MalformedError(f"start: at most {MAX_CODE} code origins of 256 characters")
        if not all(0 < len(rule) <= 64 for rule in (self.optimiser, self.sampler, self.initial)):
            raise MalformedError("start: optimiser, sampler and initial are named in 64 characters")
        if self.state not in STATES:
            raise MalformedError(f"start: unknown form of state {self.state!r}")
        if not 1 <= self.seed_height <= MAX_HEIGHT:
            raise MalformedError(f"start: {self.seed_height} is no block height")

    @property
    def json(self) -> JsonObject:
        """The start as the object that is signed."""
        return {
            "kind": START_KIND,
            "issuer": self.issuer,
            "log": self.log.hex(),
            "name": self.name,
            "datasets": {role: digest.hex() for role, digest in self.datasets.items()},
            "base": self.base.hex() if self.base else None,
            "code": dict(self.code),
            "environment": self.environment.hex(),
            "hyperparameters": self.hyperparameters,
            "optimiser": self.optimiser,
            "sampler": self.sampler,
            "initial": self.initial,
            "state": self.state,
            "seed_height": self.seed_height,
        }

    @property
    def encoded(self) -> bytes:
        """The start as canonical JSON."""
        return canonical.encode(self.json)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    @classmethod
    def parse(cls, data: bytes) -> "RunStart":
        """Return the start that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, START_KIND)
        start = cls(
            issuer=fields.digest("issuer").hex(),
            log=fields.digest("log"),
            name=fields.name("name"),
            datasets=_datasets(fields.inner("datasets")),
            base=fields.optional("base", fields.digest),
            code=_code(fields.inner("code")),
            environment=fields.digest("environment"),
            hyperparameters=fields.inner("hyperparameters").members,
            optimiser=fields.text("optimiser", most=64),
            sampler=fields.text("sampler", most=64),
            initial=fields.text("initial", most=64),
            state=fields.text("state", most=16),
            seed_height=fields.integer("seed_height", 1, MAX_HEIGHT),
        )
        fields.done()
        return start


@dataclass(frozen=True, slots=True)
class Transcript:
    """The record tree over a run's steps."""

    root: FieldElement
    chunks: int
    steps: int

    def __post_init__(self) -> None:
        """Raise MalformedError where the counts contradict each other."""
        if not 1 <= self.chunks <= MAX_CHUNKS:
            raise MalformedError(f"transcript: {self.chunks} chunks; 1 to {MAX_CHUNKS} can be")
        if not self.chunks <= self.steps <= self.chunks * CHUNK:
            raise MalformedError(f"transcript: {self.steps} steps do not fit {self.chunks} chunks")
        if self.root == 0:
            raise MalformedError("transcript: the root is zero")


@dataclass(frozen=True, slots=True)
class Run:
    """What is registered when a run has ended; `initial` and `final` are committed states."""

    issuer: str
    log: Digest
    start: Digest
    seed: Digest
    transcript: Transcript
    initial: Digest
    final: Digest
    metrics: Mapping[str, Json]
    model: Digest | None
    started_at: str
    ended_at: str
    challenge_height: int

    def __post_init__(self) -> None:
        """Raise MalformedError where a part cannot be, or parts contradict each other."""
        Digest.parse(self.issuer)
        if not 1 <= self.challenge_height <= MAX_HEIGHT:
            raise MalformedError(f"run: {self.challenge_height} is no block height")
        if _time(self.started_at) > _time(self.ended_at):
            raise MalformedError(f"run: it ends at {self.ended_at}, before its start")

    @property
    def json(self) -> JsonObject:
        """The run as the object that is signed."""
        transcript: JsonObject = {
            "root": self.transcript.root.hex,
            "chunks": self.transcript.chunks,
            "steps": self.transcript.steps,
        }
        return {
            "kind": RUN_KIND,
            "issuer": self.issuer,
            "log": self.log.hex(),
            "start": self.start.hex(),
            "seed": self.seed.hex(),
            "transcript": transcript,
            "initial": self.initial.hex(),
            "final": self.final.hex(),
            "metrics": dict(self.metrics),
            "model": self.model.hex() if self.model else None,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "challenge_height": self.challenge_height,
        }

    @property
    def encoded(self) -> bytes:
        """The run as canonical JSON."""
        return canonical.encode(self.json)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    @classmethod
    def parse(cls, data: bytes) -> "Run":
        """Return the run that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, RUN_KIND)
        inner = fields.inner("transcript")
        transcript = Transcript(
            inner.element("root"),
            inner.integer("chunks", 1, MAX_CHUNKS),
            inner.integer("steps", 1, MAX_STEPS),
        )
        inner.done()
        run = cls(
            issuer=fields.digest("issuer").hex(),
            log=fields.digest("log"),
            start=fields.digest("start"),
            seed=fields.digest("seed"),
            transcript=transcript,
            initial=fields.digest("initial"),
            final=fields.digest("final"),
            metrics=fields.inner("metrics").members,
            model=fields.optional("model", fields.digest),
            started_at=fields.text("started_at", most=32),
            ended_at=fields.text("ended_at", most=32),
            challenge_height=fields.integer("challenge_height", 1, MAX_HEIGHT),
        )
        fields.done()
        return run


@dataclass(frozen=True, slots=True)
class Step:
    """One step: record indexes of its batch (chunk * 2**14 + position), states around it."""

    number: int
    before: Digest
    after: Digest
    dataset: Digest
    batch: tuple[int, ...]
    features: tuple[Digest, ...] = ()

    @property
    def record(self) -> Record:
        """The step as a record of the transcript's tree."""
        features: list[Value] = [bytes(feature) for feature in self.features]
        return {
            "number": self.number,
            "before": bytes(self.before),
            "after": bytes(self.after),
            "dataset": bytes(self.dataset),
            "batch": list(self.batch),
            "features": features,
        }

    @classmethod
    def of(cls, record: Record) -> "Step":
        """Return the step that a decoded record of STEP_SCHEMA holds, or raise MalformedError."""
        digests = {name: _digest(record.get(name), name) for name in ("before", "after", "dataset")}
        features = _sequence(record.get("features"), "features")
        return cls(
            number=_index(record.get("number"), "number"),
            batch=tuple(
                _index(value, "batch") for value in _sequence(record.get("batch"), "batch")
            ),
            features=tuple(_digest(value, "features") for value in features),
            **digests,
        )


def _sequence(value: Value, name: str) -> Sequence[Value]:
    if not isinstance(
        value, list | tuple
    ):  # null is refused: it would mean what an empty list does
        raise MalformedError(f"step: {name!r} must be a list")
    return value


def _index(value: Value, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError(f"step: {name!r} must hold integers")
    return value


def _digest(value: Value, name: str) -> Digest:
    if not isinstance(value, bytes):
        raise MalformedError(f"step: {name!r} is missing")
    return Digest(value)


def bytes_state(state: bytes, salt: bytes) -> Digest:
    """Return the commitment to a state of form bytes/1: SHA-256(`RL-state` + salt + digest).

    Args:
        state: The state's canonical bytes, of any length.
        salt: 16 bytes drawn at random for this state and kept with it.

    Raises:
        MalformedError: A salt of another length.
    """
    return Digest(sha256(b"RL-state" + Salt(salt) + sha256(state).digest()).digest())


def _datasets(fields: Fields) -> dict[str, Digest]:
    return {role: fields.digest(role) for role in sorted(fields.members)}


def _code(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name, most=256) for name in sorted(fields.members)}


def _time(text: str) -> datetime:
    """Return the time that `text` writes as 2026-01-31T23:59:59Z, or raise MalformedError."""
    if not _TIME.fullmatch(text):
        raise MalformedError(f"run: {text[:40]!r} is no time in UTC such as 2026-01-31T23:59:59Z")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedError(f"run: there is no time {text}") from error
