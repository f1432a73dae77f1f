"""One example of each signed document, and ways to spoil any document."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance import canonical
from provenance.claim import (
    AbsenceStatement,
    Claim,
    ClaimStatement,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    RunState,
    StepsStatement,
)
from provenance.dataset import DatasetCommitment
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from provenance.exclusion import IndexEntry
from provenance.exclusion_key import ExclusionKey
from provenance.features import FeatureField, FeatureSpec
from provenance.field import Digest, FieldElement
from provenance.membership import MembershipClaim
from provenance.schema import Bool, Field, Float64, Int, List, Schema, String
from provenance.training import Run, RunStart, Transcript

VECTORS: Final = Path(__file__).parents[1] / "vectors"
SHARED: Final = Path(__file__).parents[2] / "../shared/vectors"


def vectors(name: str) -> dict[str, Any]:
    """Return a file of known answers."""
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def shared(name: str) -> Path:
    """Return a folder of third-party vectors, or skip where it was not laid beside the project."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"third-party vectors {name} are not beside the project")
    return folder


def word(text: str) -> Digest:
    """Return a digest made of a word."""
    return Digest(sha256(text.encode()).digest())


@dataclass(frozen=True, slots=True)
class Key:
    """A signer whose private key is made of a word, so that signatures repeat exactly."""

    name: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(word(self.name))

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


ISSUER: Final = Key("issuer")
STRANGER: Final = Key("stranger")
SCHEMA: Final = Schema.of(
    Field("age", Int()),
    Field("ill", Bool()),
    Field("size", Float64()),
    Field("tags", List(String())),
)
SPEC: Final = FeatureSpec((FeatureField("age", 0), FeatureField("size", 4)), FeatureField("ill", 0))
DATASET: Final = DatasetCommitment(
    issuer=ISSUER.public_key.key_id,
    log=word("log"),
    name="cells",
    version="v2",
    schema=SCHEMA,
    features=SPEC,
    order="natural/1",
    root=FieldElement(2**200 + 1),
    chunks=2,
    records=7000,
    indexes=(
        IndexEntry("exact/1", "", (), FieldElement(5), 6999, 0),
        IndexEntry("text-nfkc-casefold/1", "tags", (), FieldElement(6), 12, 4000),
    ),
    sources=word("sources"),
    previous=word("v1"),
    facts={"licence": "CC-BY-4.0", "origin": "a hospital"},
)
START: Final = RunStart(
    issuer=ISSUER.public_key.key_id,
    log=word("log"),
    name="cells-logistic",
    datasets={"train": DATASET.digest},
    base=None,
    code={"commit": "0" * 40},
    environment=word("lock"),
    hyperparameters={"batch": 32, "centre": [1, -2], "epochs": 3, "rate": 0.5},
    optimiser="logistic-sgd-fixed/1",
    sampler="holdout-shuffle/1",
    initial="zeros/1",
    state="fixed14/1",
    seed_height=17,
)
RUN: Final = Run(
    issuer=ISSUER.public_key.key_id,
    log=word("log"),
    start=START.digest,
    seed=word("block 17"),
    transcript=Transcript(FieldElement(2**240 + 3), 1, 36),
    initial=word("initial"),
    final=word("final"),
    metrics={"accuracy": 0.9375},
    model=word("model"),
    started_at="2026-01-31T23:59:59Z",
    ended_at="2026-02-01T00:00:07Z",
    challenge_height=21,
)
CLAIM: Final = MembershipClaim(
    issuer=ISSUER.public_key.key_id,
    log=word("log"),
    dataset=DATASET.digest,
    circuit="membership-22.v2",
    blinded_leaf=FieldElement(2**250 + 7),
    blinded_index=FieldElement(2**251 + 9),
    proof=word("proof"),
)
RECORDS: Final = Records(DATASET.digest, (5, 16384, 4, 7))
STATEMENTS: Final[Mapping[str, tuple[str, ClaimStatement]]] = {
    "absence": (
        "exclusion-40.v1",
        AbsenceStatement(
            DATASET.digest, 1, tuple(ExclusionKey(word(key)[:31]) for key in ("one", "two"))
        ),
    ),
    "steps": ("step-logistic-16x2-u4-r1.v1", StepsStatement(RUN.digest, 4, 8)),
    "property": (
        "property-2x3-0123456789abcdef.v1",
        PropertyStatement(word("function"), RECORDS, ((3, -4), (0, -(2**125)))),
    ),
    "state": (
        "property-state3-0123456789abcdef.v1",
        PropertyStatement(word("function"), RunState(RUN.digest, "final"), ((1,), (2,))),
    ),
    "inference": (
        "inference-logistic-2x2-committed.v1",
        InferenceStatement(RUN.digest, RECORDS, ((1,), (0,), (1,), (1,))),
    ),
    "open inference": (
        "inference-logistic-1x2-open.v1",
        InferenceStatement(RUN.digest, ((5, -5), (8, 0)), ((1,), (0,))),
    ),
    "evaluation": (
        "evaluation-logistic-2x2.v1",
        EvaluationStatement(RUN.digest, RECORDS, (2, 0)),
    ),
}
CLAIMS: Final[Mapping[str, Claim]] = {
    name: Claim(
        ISSUER.public_key.key_id,
        word("log"),
        circuit,
        statement,
        (word("first proof"), word("second proof")),
    )
    for name, (circuit, statement) in STATEMENTS.items()
}

WRONG: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    -1,
    1,
    2**53 - 1,
    1.5,
    "",
    "x",
    "01",
    "9" * 64,
    "G" * 64,
    [],
    {},
)
"""Values of every type; most of them fit no member."""


def spoiled(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value with one thing changed, at every depth."""
    if isinstance(value, dict):
        yield {**value, "zzz": 1}
        for name, inner in value.items():
            yield {other: kept for other, kept in value.items() if other != name}
            yield {("x" + other if other == name else other): kept for other, kept in value.items()}
            yield from ({**value, name: changed} for changed in (*WRONG, *spoiled(inner)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield [*value[:i], *value[i + 1 :]]
            yield [*value[:i], inner, *value[i:]]
            yield from (
                [*value[:i], changed, *value[i + 1 :]] for changed in (*WRONG, *spoiled(inner))
            )
    elif isinstance(value, str):
        yield from (value.upper(), value[:-1], value + "0", " " + value)
    elif isinstance(value, int):
        yield from (str(value), float(value) + 0.5, -value, [value])


def other_spellings(data: bytes) -> Iterator[bytes]:
    """Yield the same JSON in ways that are not canonical, and with a member twice."""
    value = json.loads(data)
    name = max(value)
    again = json.dumps({name: value[name]}, separators=(",", ":")).encode()
    yield data + b"\n"
    yield b" " + data
    yield b"\xef\xbb\xbf" + data
    yield json.dumps(value).encode()
    yield data.replace(f'"{name}"'.encode(), f'"\\u{ord(name[0]):04x}{name[1:]}"'.encode(), 1)
    yield data[:-1] + b"," + again[1:]
    yield json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode()
    yield data[:-1]
    yield b""


def assert_one_form(parse: Callable[[bytes], Any], data: bytes) -> int:
    """Check that whatever is near `data` is refused or is another value; return how much was."""
    assert parse(data).encoded == data
    refused = 0
    for spelling in other_spellings(data):
        with pytest.raises(MalformedError):
            parse(spelling)
    for changed in spoiled(json.loads(data)):
        refused += refuses_or_differs(parse, canonical.encode(changed), data)
    return refused


def refuses_or_differs(parse: Callable[[bytes], Any], changed: bytes, data: bytes) -> bool:
    """Return whether `changed` is refused; what is not refused must be another document."""
    try:
        found = parse(changed)
    except MalformedError:
        return True
    assert found.encoded == changed
    assert changed == data or found.digest != parse(data).digest
    return False


def members(data: bytes) -> Mapping[str, Any]:
    """Return a document's members."""
    found: dict[str, Any] = json.loads(data)
    return found


def assert_members_are_needed(parse: Callable[[bytes], Any], data: bytes) -> None:
    """Check that no member of the outermost object may be missing, renamed or added."""
    value = members(data)
    for name in value:
        rest = {other: kept for other, kept in value.items() if other != name}
        for changed in (rest, {**rest, name.upper(): value[name]}, {**value, name + "2": None}):
            with pytest.raises(MalformedError):
                parse(canonical.encode(changed))
