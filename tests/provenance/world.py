"""A whole honest world in memory, from keys to a sealed bundle, for tests to lie in.

`build()` makes it; `build(run=lambda run: replace(run, seed=other))` makes it as an issuer would
who lies about one thing before he signs it. What is changed afterwards is changed in
`world.members`, and `world.seal()` signs the list of members anew.

Stages that can be changed, each by a function from the honest value to the told one:

    genesis, schema, rows1, rows2, v1, v2, proof, claim, start, seed, steps, states, run,
    difference, opened (the document of challenged steps), checkpoint, blocks, policy

What happens in which order is the `schedule`; see EVENTS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256, sha512
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance import canonical, envelope, log, statement
from provenance import checkpoint as checkpoints
from provenance.anchor import Anchor
from provenance.attestation import Commitment, attest
from provenance.audit import Verifiers, audit
from provenance.audit.datasets import PATH_KIND, opened_document, table_document
from provenance.audit.ledger import blocks_document
from provenance.audit.proofs import exclusion_document
from provenance.audit.steps import Sample, State, record_index, steps_document
from provenance.batch import Rows
from provenance.canonical import JsonObject
from provenance.checkpoint import Checkpoint
from provenance.dataset import DatasetCommitment
from provenance.difference import Difference, Side, changed
from provenance.envelope import PublicKey
from provenance.errors import UnavailableError, VerificationError
from provenance.evidence import seal
from provenance.exclusion import ExclusionIndex, prove_absence, prove_presence, record_keys
from provenance.exclusion import key as exclusion_key
from provenance.expected.membership import membership_public
from provenance.features import (
    FeatureField,
    FeatureSpec,
    digits,
    feature_commitment,
    feature_salt,
    values,
)
from provenance.field import Digest, FieldElement
from provenance.findings import CLAIMS, Level, Outcome, Verdict
from provenance.leaf import (
    DatasetKey,
    blinded_index,
    blinded_leaf,
    content_digest,
    leaf_digest,
    salt,
)
from provenance.leaves import LeafMaker
from provenance.log import Batch, Genesis
from provenance.membership import MembershipClaim, context_statement
from provenance.opening import FeatureOpening, Opening
from provenance.policy import Issuer, Policy, Requirement, Span, TrustedCircuit
from provenance.poseidon import from_words, words_to_bytes
from provenance.proof import Proof, context
from provenance.receipt import Block
from provenance.record import Record, encode_record
from provenance.replay import INITIAL, OPTIMISER, SAMPLER, Logistic, challenge, plan
from provenance.schema import Bool, Field, Float64, Int, Schema, String
from provenance.training import STEP_SCHEMA, Run, RunStart, Step, Transcript
from provenance.tree import Chunk, Words, chunk_root, prove_inclusion, record_root
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import MemoryLedger

CIRCUIT: Final = "membership-22.v2"
SAMPLES: Final = 2
NOTES: Final = "text-nfkc-casefold/1"
NAMESPACE: Final = bytes(19) + b"rl-tests-1"
DAY: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Key:
    """A signer made from a word, so that runs repeat exactly."""

    word: str

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(sha256(self.word.encode()).digest())

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes_raw())

    @property
    def key_id(self) -> str:
        return self.public_key.key_id

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


@dataclass(frozen=True, slots=True)
class Resigner:
    """The same key, with a nonce of its own choice: RFC 8032, section 5.1.6, but for step 2."""

    word: str
    nonce: str

    @property
    def public_key(self) -> PublicKey:
        return Key(self.word).public_key

    def sign(self, message: bytes) -> bytes:
        secret = sha512(sha256(self.word.encode()).digest()).digest()[:32]
        scalar = int.from_bytes(secret, "little") & ~7 & (2**254 - 1) | 2**254
        nonce = int.from_bytes(sha512(self.nonce.encode()).digest(), "little") % ED25519_ORDER
        point = _encoded_multiple(nonce)
        hashed = sha512(point + self.public_key + message).digest()
        answer = (nonce + int.from_bytes(hashed, "little") * scalar) % ED25519_ORDER
        return point + answer.to_bytes(32, "little")


ED25519_PRIME: Final = 2**255 - 19
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
ED25519_D: Final = -121665 * pow(121666, -1, ED25519_PRIME) % ED25519_PRIME
ED25519_BASE: Final = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def _encoded_multiple(scalar: int) -> bytes:
    """Return a multiple of ed25519's base point, encoded."""
    prime, total, power = ED25519_PRIME, (0, 1), ED25519_BASE
    while scalar:
        total = _sum(total, power) if scalar & 1 else total
        power, scalar = _sum(power, power), scalar >> 1
    return (total[1] % prime | (total[0] % prime & 1) << 255).to_bytes(32, "little")


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (a, b), (c, d), prime = one, other, ED25519_PRIME
    k = ED25519_D * a * b * c * d
    x = (a * d + b * c) * pow(1 + k, -1, prime)
    y = (b * d + a * c) * pow(1 - k, -1, prime)
    return x % prime, y % prime


ISSUER: Final = Key("issuer")
MONITOR: Final = Key("monitor")
ROTATED: Final = Key("the issuer's second key")
STRANGER: Final = Key("stranger")
KEYS: Final = (ISSUER, ROTATED, STRANGER)


class FakeProofVerifier:
    """Takes a hash over verifying key and public values for a proof: tests of the audit only."""

    def verify(self, proof: Proof, artifacts: Mapping[Digest, bytes]) -> None:
        if any(name not in artifacts for name in proof.artifacts):
            raise UnavailableError("a circuit artifact is missing")
        if proof.proof != fake_proof(proof.verifying_key, proof.public):
            raise VerificationError("the proof does not verify")


def fake_proof(verifying_key: Digest, public: Sequence[FieldElement]) -> bytes:
    return sha256(verifying_key + b"".join(value.encoded for value in public)).digest()


def artifacts(circuit: str) -> dict[str, bytes]:
    """Return what stands for a circuit's key and settings, and the one SRS of all."""
    own = {name: f"{name} of {circuit}".encode() for name in ("vk", "settings")}
    return {**own, "srs": b"an SRS"}


def artifact_digests(circuit: str) -> dict[str, Digest]:
    """Return the digests of a circuit's artifacts."""
    return {name: canonical.digest(data) for name, data in artifacts(circuit).items()}


def proof_of(circuit: str, public: Sequence[FieldElement]) -> Proof:
    """Return what the fake verifier takes for a proof of these public values."""
    names = artifact_digests(circuit)
    return Proof(
        circuit=circuit,
        backend="fake",
        backend_version="1",
        public=tuple(public),
        proof=fake_proof(names["vk"], public),
        verifying_key=names["vk"],
        settings=names["settings"],
        srs=names["srs"],
    )


def trusted(circuit: str) -> TrustedCircuit:
    """Return the policy's entry for a circuit."""
    names = artifact_digests(circuit)
    return TrustedCircuit(circuit, names["settings"], names["vk"], names["srs"], 32)


SRS: Final = canonical.digest(b"an SRS")


@dataclass(frozen=True)
class Table:
    """Committed records: everything that opens them. Chunks are cut by hand, to have several."""

    records: tuple[Record, ...]
    schema: Schema
    spec: FeatureSpec | None
    key: DatasetKey
    cut: int

    @cached_property
    def parts(self) -> tuple[Words, ...]:
        words = (
            LeafMaker(self.schema, self.key, self.spec)
            .leaves(Rows(self.schema, self.records))
            .words
        )
        return tuple(part for part in (words[: self.cut], words[self.cut :]) if len(part))

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        return tuple(chunk_root(part) for part in self.parts)

    @cached_property
    def root(self) -> FieldElement:
        return record_root(self.chunks)

    def leaf(self, number: int) -> FieldElement:
        return from_words(np.concatenate(self.parts)[number : number + 1])[0]

    def content(self, number: int) -> Digest:
        return content_digest(self.schema.digest, encode_record(self.schema, self.records[number]))

    def opening(self, number: int) -> Opening:
        if number not in self.opened:
            self.opened[number] = self._open(number)
        return self.opened[number]

    def features(self, number: int) -> FeatureOpening:
        """Return which feature commitment stands at a record's index."""
        opening, spec = self.opening(number), self.spec
        assert spec is not None
        assert opening.feature_salt is not None
        return FeatureOpening(
            leaf_digest(opening.salt, self.content(number)),
            feature_commitment(digits(spec, self.records[number]), opening.feature_salt),
            opening.path,
        )

    @cached_property
    def numbers(self) -> dict[int, int]:
        """Running numbers of the records by index."""
        return {record_index(self.chunks, number): number for number in range(len(self.records))}

    @cached_property
    def indexes(self) -> tuple[ExclusionIndex, ExclusionIndex]:
        """One of whole records, one of notes."""
        numbers = range(len(self.records))
        whole = [key for n in numbers for key in record_keys("exact/1", "", self.content(n))]
        notes = [key for r in self.records for key in record_keys(NOTES, "note", r)]
        return ExclusionIndex.build(whole, DATASET_KEY), ExclusionIndex.build(notes, DATASET_KEY)

    @cached_property
    def opened(self) -> dict[int, Opening]:
        return {}

    def _open(self, number: int) -> Opening:
        chunk, position = divmod(record_index(self.chunks, number), 2**14)
        content = self.content(number)
        return Opening(
            encode_record(self.schema, self.records[number]),
            salt(self.key, content),
            feature_salt(self.key, content) if self.spec else None,
            prove_inclusion(self.parts[chunk], position, self.chunks, chunk),
        )


TABLES: Final[dict[str, Table]] = {}


def table_of(
    records: Sequence[Record], schema: Schema, spec: FeatureSpec | None, key: DatasetKey, cut: int
) -> Table:
    """Return the table of these records; the same for the same ones, worlds being much alike."""
    name = repr((records, schema, spec, bytes(key), cut))
    return TABLES.setdefault(name, Table(tuple(records), schema, spec, key, cut))


SCHEMA: Final = Schema.of(
    Field("age", Float64()),
    Field("size", Float64()),
    Field("grade", Int()),
    Field("ill", Bool()),
    Field("note", String()),
)
SPEC: Final = FeatureSpec(
    (FeatureField("age", 4), FeatureField("size", 6), FeatureField("grade", 7)),
    FeatureField("ill", 0),
)
DATASET_KEY: Final = DatasetKey(sha256(b"dataset key").digest())
RUN_KEY: Final = DatasetKey(sha256(b"run key").digest())
HYPERPARAMETERS: Final[JsonObject] = {
    "batch": 4,
    "epochs": 1,
    "holdout_permille": 200,
    "centre": [800, 96, 256],
    "rate_bits": 1,
}


def rows(count: int, version: int) -> tuple[Record, ...]:
    """Return records that depend on their number; some differ in version 2."""
    return tuple(
        {
            "age": 40.0 + number % 23 + (version if number % 17 == 0 else 0),
            "size": 1.0 + number % 7 / 4,
            "grade": 1 + number % 4,
            "ill": number % 7 > 3,
            "note": f"Patient {number}",
        }
        for number in range(count)
    )


@dataclass
class World:
    """Everything that was made, by name; see the functions below for the order of making."""

    changes: Mapping[str, Callable[[Any], Any]]
    samples: int
    ledger: MemoryLedger
    members: dict[str, bytes] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    policy: Policy = field(init=False)

    def tell(self, stage: str, honest: Any) -> Any:
        """Return what is told at a stage: the honest value, or what an attack makes of it."""
        self.made[stage] = self.changes.get(stage, _same)(honest)
        return self.made[stage]

    def __getitem__(self, stage: str) -> Any:
        return self.made[stage]

    # posting

    def post(self, batch: Batch) -> int:
        """Post a batch, add its members, and return its height."""
        blobs = [Blob(NAMESPACE, data) for data in (batch.envelope, batch.entries) if data]
        height = self.ledger.submit(blobs)
        name = f"{batch.header.sequence:010d}"
        self.members[f"log/{name}.json"] = batch.envelope
        if batch.entries:
            self.members[f"entries/{name}.bin"] = batch.entries
        receipt = self.ledger.receipt(height, blobs[0])
        self.members[f"receipts/{name}.json"] = receipt.encoded
        self.batches.append(batch)
        self.heights.append(height)
        return height

    def publish(
        self,
        commitments: Sequence[Commitment] = (),
        statement: Commitment | None = None,
        *,
        full: bool = True,
    ) -> int:
        """Attest and post commitments, and at most one start or run, in one batch."""
        sealed = [self.attested(item) for item in commitments]
        make = log.full_entry if full else log.digest_entry
        stated = None if statement is None else self.attested(statement)
        head = self.batches[-1].header
        return self.post(log.append(head, [make(data) for data in sealed], stated, ISSUER))

    def attested(self, commitment: Commitment) -> bytes:
        """Return a commitment's envelope, added to the members."""
        signer = next(key for key in KEYS if key.key_id == commitment.issuer)
        data = attest(commitment, signer).encoded
        self.members[f"attestations/{canonical.digest(data).hex()}.json"] = data
        return data

    def block(self, height: int) -> Block:
        return CelestiaVerifier().signed_block(self.ledger.header(height))

    @property
    def log_id(self) -> Digest:
        return self.batches[0].header.log_id

    def name(self, folder: str, document: JsonObject) -> str:
        """Add a document under its digest and return its path."""
        data = canonical.encode(document)
        path = f"{folder}/{canonical.digest(data).hex()}.json"
        self.members[path] = data
        return path

    def add_path(
        self, name: str, *, sequence: int, index: int, siblings: Sequence[Digest], full: bool
    ) -> None:
        """Add the path that ties the attestation `name` to its batch."""
        document: JsonObject = {
            "kind": PATH_KIND,
            "sequence": sequence,
            "index": index,
            "full": full,
            "siblings": [sibling.hex() for sibling in siblings],
        }
        self.members[f"paths/{name}.json"] = canonical.encode(document)

    # judging

    def seal(self, members: Mapping[str, bytes] | None = None, signer: Key = ISSUER) -> bytes:
        """Return the bundle file over `members`, or over the world's own."""
        return seal(self.members if members is None else members, self.log_id, signer)

    def audit(
        self,
        policy: Policy | None = None,
        members: Mapping[str, bytes] | None = None,
        data: bytes | None = None,
    ) -> Verdict:
        """Return the verdict on the bundle, by default under the world's policy."""
        bundle = self.seal(members) if data is None else data
        return audit(bundle, policy or self.policy, VERIFIERS, self.now)

    @property
    def now(self) -> int:
        return self.block(self.ledger.head()).time + 10**9


VERIFIERS: Final = Verifiers(
    {"memory": CelestiaVerifier(), "celestia": CelestiaVerifier()}, {"fake": FakeProofVerifier()}
)
HONEST: Final = ("data", "claim", "prepare", "announce", "seed", "run", "challenge")
UNFINISHED: Final = ("data", "claim", "given-up", *HONEST[2:])


def _same(value: Any) -> Any:
    return value


def build(
    schedule: Sequence[str] = HONEST,
    *,
    samples: int = SAMPLES,
    ledger: MemoryLedger | None = None,
    **changes: Callable[[Any], Any],
) -> World:
    """Return a world in which nothing, or one thing, is told otherwise than it is."""
    world = World(changes, samples, ledger or MemoryLedger("tests-1"))
    genesis = Genesis(world.ledger.kind, world.ledger.chain, NAMESPACE, ISSUER.public_key)
    world.post(log.open_log(world.tell("genesis", genesis), ISSUER))
    _make_data(world)
    _make_claim(world)
    for event in schedule:
        EVENTS[event](world)
    _add_data(world)
    _add_difference(world)
    add_steps(world)
    close(world)
    return world


def _make_data(world: World) -> None:
    schema = world.tell("schema", SCHEMA)
    table1 = table_of(world.tell("rows1", rows(28, 1)), schema, SPEC, DATASET_KEY, 11)
    table2 = table_of(world.tell("rows2", rows(30, 2)), schema, SPEC, DATASET_KEY, 13)
    world.made |= {"table1": table1, "table2": table2}
    first = world.tell("v1", commitment(world, table1, "v1", None))
    world.tell("v2", commitment(world, table2, "v2", first.digest))


def commitment(
    world: World, table: Table, version: str, previous: Digest | None
) -> DatasetCommitment:
    """Return the commitment to a table, with an index of whole records and one of notes."""
    whole, notes = table.indexes
    return DatasetCommitment(
        issuer=ISSUER.key_id,
        log=world.log_id,
        name="cells",
        version=version,
        schema=table.schema,
        features=table.spec,
        order="natural/1",
        root=table.root,
        chunks=len(table.chunks),
        records=len(table.records),
        indexes=(whole.entry("exact/1", "", 0), notes.entry(NOTES, "note", 0)),
        sources=canonical.digest(version.encode()),
        previous=previous,
        facts={"licence": "CC-BY-4.0", "origin": "made up"},
    )


def _make_claim(world: World) -> None:
    dataset, table = world["v2"], world["table2"]
    blind, number = 12345, 17
    leaf = table.leaf(number)
    index = record_index(table.chunks, number)
    told = context(context_statement(ISSUER.key_id, world.log_id, dataset.digest, CIRCUIT))
    hidden = (blinded_leaf(leaf, blind), blinded_index(index, blind))
    public = membership_public(CIRCUIT, dataset.root, dataset.chunks, *hidden, told)
    proof = world.tell("proof", proof_of(CIRCUIT, public))
    claim = MembershipClaim(
        ISSUER.key_id, world.log_id, dataset.digest, CIRCUIT, *hidden, proof.digest
    )
    world.tell("claim", claim)
    world.members[f"proofs/{proof.digest.hex()}.json"] = proof.encoded
    add_artifacts(world, CIRCUIT)


def add_artifacts(world: World, circuit: str) -> None:
    """Add a circuit's artifacts to the members."""
    for data in artifacts(circuit).values():
        world.members[f"circuits/{canonical.digest(data).hex()}.bin"] = data


def _post_data(world: World) -> None:
    world.publish([world["v1"], world["v2"]])


def _post_foreign(world: World) -> None:
    """Sign another issuer's commitment, and post it as one's own."""
    foreign = replace(world["v1"], issuer=STRANGER.key_id, name="foreign", previous=None)
    payload = statement.write("dataset", foreign.label, foreign.json)
    data = envelope.seal(statement.PAYLOAD_TYPE, payload, ISSUER).encoded
    world.members[f"attestations/{canonical.digest(data).hex()}.json"] = data
    head = world.batches[-1].header
    world.post(log.append(head, [log.full_entry(data)], None, ISSUER))


def _post_hidden(world: World) -> None:
    """Post the digest of something that nobody is shown."""
    head = world.batches[-1].header
    world.post(log.append(head, [log.digest_entry(b"hidden")], None, ISSUER))


def _post_again(world: World) -> None:
    """Announce the same start again, in an envelope with another valid signature."""
    payload = statement.write("start", world["start"].name, world["start"].json)
    first = canonical.digest(world.batches[-1].header.statement or b"")
    later = world.changes["later"](None)
    sealed = (
        envelope.seal(statement.PAYLOAD_TYPE, payload, Resigner(ISSUER.word, str(n))).encoded
        for n in range(100)
    )  # until its name sorts after the first one's, or before it
    data = next(data for data in sealed if (canonical.digest(data) > first) == later)
    world.members[f"attestations/{canonical.digest(data).hex()}.json"] = data
    world.post(log.append(world.batches[-1].header, [], data, ISSUER))


def _post_data_with_start(world: World) -> None:
    world.publish([world["v1"], world["v2"]], world["start"])


def _post_claim(world: World) -> None:
    world.publish([world["claim"]], full=False)


def _post_given_up(world: World) -> None:
    """Announce a run, see its seed, and never register it."""
    height = world.ledger.head() + 2
    world.publish(statement=start_of(world, name="given-up", seed_height=height))
    _advance(world, height + 1)


def _post_rival(world: World) -> None:
    """Announce a second run whose seed is not known yet, and never register it."""
    height = world.ledger.head() + 9
    world.made["rival"] = start_of(world, name="rival", seed_height=height)
    world.publish(statement=world["rival"])


def start_of(world: World, *, name: str = "first-run", seed_height: int) -> RunStart:
    """Return the start of a run on version 2."""
    return RunStart(
        issuer=ISSUER.key_id,
        log=world.log_id,
        name=name,
        datasets={"train": world["v2"].digest},
        base=None,
        code={"commit": "0" * 40},
        environment=canonical.digest(b"lock"),
        hyperparameters=HYPERPARAMETERS,
        optimiser=OPTIMISER,
        sampler=SAMPLER,
        initial=INITIAL,
        state="fixed14/1",
        seed_height=seed_height,
    )


def _prepare(world: World) -> None:
    world.tell("start", start_of(world, seed_height=world.ledger.head() + 3))


def _announce(world: World) -> None:
    world.publish(statement=world["start"])


def _seed(world: World) -> None:
    _advance(world, world["start"].seed_height)
    world.tell("seed", world.block(world["start"].seed_height).hash)


def _advance(world: World, height: int) -> None:
    while world.ledger.head() < height:
        world.ledger.advance()


def _post_run(world: World) -> None:
    """Train by the rules that the start names, and register what came out."""
    world.publish(statement=train(world))


def _post_second_run(world: World) -> None:
    world.publish(statement=replace(world["run"], metrics={"accuracy": "0.99"}))


def train(world: World) -> Run:
    """Return the run statement; `steps`, `states` and `transcript` are made on the way."""
    start, table = world["start"], world["table2"]
    optimiser = Logistic.of({name: start.hyperparameters[name] for name in ("centre", "rate_bits")})
    chosen = plan(world["seed"], len(table.records), sampler_parameters(start))
    weights = [optimiser.initial]
    for batch in chosen.batches:
        inputs = [values(SPEC, table.records[number]) for number in batch]
        weights.append(optimiser.step(weights[-1], inputs))
    states = [State(w, FieldElement(1000 + n)) for n, w in enumerate(weights)]
    states = world.tell("states", states)
    steps = [
        Step(
            number,
            states[number].commitment,
            states[number + 1].commitment,
            world["v2"].digest,
            tuple(record_index(table.chunks, n) for n in batch),
        )
        for number, batch in enumerate(chosen.batches)
    ]
    steps = world.tell("steps", steps)
    transcript = table_of([s.record for s in steps], STEP_SCHEMA, None, RUN_KEY, 2)
    world.made |= {"transcript": transcript, "batches": chosen.batches}
    run = Run(
        issuer=ISSUER.key_id,
        log=world.log_id,
        start=start.digest,
        seed=world["seed"],
        transcript=Transcript(transcript.root, len(transcript.chunks), len(steps)),
        initial=states[0].commitment,
        final=states[-1].commitment,
        metrics={"accuracy": "0.93"},
        model=None,
        started_at="2026-01-01T00:00:00Z",
        ended_at="2026-01-01T00:01:00Z",
        challenge_height=world.ledger.head() + 3,
    )
    told: Run = world.tell("run", run)
    return told


def sampler_parameters(start: RunStart) -> JsonObject:
    names = ("batch", "epochs", "holdout_permille")
    return {name: start.hyperparameters[name] for name in names}


def _challenge(world: World) -> None:
    _advance(world, world["run"].challenge_height)


def _post_rubbish(world: World) -> None:
    """Register a run for the rival that nobody ever trained, to have it accounted for."""
    run = Run(
        issuer=ISSUER.key_id,
        log=world.log_id,
        start=world["rival"].digest,
        seed=Digest(bytes(32)),
        transcript=Transcript(FieldElement(1), 1, 1),
        initial=Digest(bytes(32)),
        final=Digest(bytes(32)),
        metrics={},
        model=None,
        started_at="2026-01-01T00:00:00Z",
        ended_at="2026-01-01T00:00:00Z",
        challenge_height=world.ledger.head() + 3,
    )
    world.publish(statement=run)


EVENTS: Final[Mapping[str, Callable[[World], None]]] = MappingProxyType(
    {
        "data": _post_data,
        "data with the start": _post_data_with_start,
        "claim": _post_claim,
        "given-up": _post_given_up,
        "rival": _post_rival,
        "close the rival": _post_rubbish,
        "prepare": _prepare,
        "announce": _announce,
        "announce in an entry": lambda world: _done(world.publish([world["start"]], full=False)),
        "again": _post_again,
        "seed": _seed,
        "guess": lambda world: world.tell("seed", world.block(1).hash),
        "run": _post_run,
        "second run": _post_second_run,
        "challenge": _challenge,
        "block": lambda world: _done(world.ledger.advance()),
        "v1": lambda world: _done(world.publish([world["v1"]])),
        "v2": lambda world: _done(world.publish([world["v2"]])),
        "extra": lambda world: _done(world.publish([world.tell("extra", world)])),
        "foreign": _post_foreign,
        "hidden": _post_hidden,
        "claims": lambda world: _done(world.publish(world.tell("claims", world), full=False)),
        "third version": lambda world: _done(
            world.publish([commitment(world, world["table2"], "v3", world["v1"].digest)])
        ),
    }
)


def _done(_: object) -> None:
    """Drop what an event returns."""


def _add_data(world: World) -> None:
    for version, table in (("v1", world["table1"]), ("v2", world["table2"])):
        of = world[version].digest
        path = f"tables/{of.hex()}.json"
        world.members[path] = canonical.encode(table_document(of, table.chunks))
    dataset, table = world["v2"], world["table2"]
    world.made["opening"] = world.name(
        "openings", opened_document(dataset.digest, table.opening(3))
    )
    exact, notes = table.indexes
    absent = exclusion_key(NOTES, "note", "Somebody else")
    present = exclusion_key(NOTES, "note", "PATIENT 7")
    stranger = encode_record(SCHEMA, {**rows(1, 1)[0], "note": "nobody"})
    whole = exclusion_key("exact/1", "", content_digest(table.schema.digest, stranger))
    for index, value, proof, is_absent in (
        (1, "Somebody else", prove_absence(notes, absent).to_json(), True),
        (1, "PATIENT 7", prove_presence(notes, present).to_json(), False),
        (0, stranger.hex(), prove_absence(exact, whole).to_json(), True),
    ):
        document = exclusion_document(dataset.digest, index, value, proof, absent=is_absent)
        world.name("exclusions", document)


def _add_difference(world: World) -> None:
    one, two = world["table1"], world["table2"]
    before = _side(world["v1"].digest, one, two)
    shown = world.tell("difference", Difference(before, _side(world["v2"].digest, two, one)))
    data = shown.encoded
    world.members[f"differences/{canonical.digest(data).hex()}.json"] = data


def _side(of: Digest, table: Table, other: Table) -> Side:
    numbers = changed(table.chunks, other.chunks)
    leaves = tuple(words_to_bytes(table.parts[number]).tobytes() for number in numbers)
    return Side(of, table.chunks, leaves)


def add_steps(world: World) -> None:
    if "run" not in world.made:
        return
    run, transcript = world["run"], world["transcript"]
    of = run.digest
    path = f"tables/{of.hex()}.json"
    world.members[path] = canonical.encode(table_document(of, transcript.chunks))
    count = len(transcript.records)
    drawn = challenge(challenge_hash(world), of, count, world.samples)
    samples = [sample(world, number) for number in drawn]
    document = steps_document(
        of,
        world["states"][0],
        transcript.opening(0),
        transcript.opening(count - 1),
        samples,
    )
    world.made["drawn"] = drawn
    data = canonical.encode(world.tell("opened", document))
    world.members[f"steps/{of.hex()}.json"] = data


def challenge_hash(world: World) -> Digest:
    return world.block(min(world["run"].challenge_height, world.ledger.head())).hash


def sample(world: World, number: int) -> Sample:
    """Return a challenged step, opened as its issuer would."""
    transcript, states = world["transcript"], world["states"]
    last = len(transcript.records) - 1
    return Sample(
        step=transcript.opening(number),
        preceding=transcript.opening(number - 1) if number else None,
        following=transcript.opening(number + 1) if number < last else None,
        before=states[number],
        after=states[number + 1],
        rows=tuple(world["table2"].opening(n) for n in world["batches"][number]),
    )


def close(world: World) -> None:
    """Let the monitor sign what he saw, link the blocks, and write the auditor's policy."""
    head = world.ledger.head()
    tip = world.batches[-1].header
    seen = Checkpoint(
        world.ledger.chain,
        world.log_id,
        tip.digest,
        tip.sequence,
        1,
        head,
        world.block(head).hash,
        NAMESPACE,
        tuple(sorted((ISSUER.key_id, ROTATED.key_id))),
    )
    data = checkpoints.sign(world.tell("checkpoint", seen), MONITOR)
    world.members[f"checkpoints/{canonical.digest(data).hex()}.json"] = data
    linked = world.ledger.headers(world.heights[0], head)
    document = blocks_document(world.ledger.kind, world.ledger.chain, linked, ())
    world.members["blocks.json"] = canonical.encode(world.tell("blocks", document))
    world.policy = world.tell("policy", policy_of(world))


def policy_of(world: World) -> Policy:
    """Return the policy of an auditor who trusts issuer, monitor and operator, and requires all."""
    chain, head = world.ledger.chain, world.ledger.head()
    return Policy(
        name="strict",
        issuers=(
            Issuer(ISSUER.public_key, "Example Lab", (Span(chain, 1, None),)),
            Issuer(ROTATED.public_key, "Example Lab", (Span(chain, 1, None),)),
            Issuer(STRANGER.public_key, "Another Lab", (Span(chain, 1, None),)),
        ),
        logs=(world.log_id,),
        anchors=(Anchor(world.ledger.kind, chain, head, world.block(head).hash),),
        trusting_seconds=7 * 86_400,
        operators=(chain,),
        monitors=(MONITOR.public_key,),
        require=REQUIRED,
        licences=("CC-BY-4.0",),
        models=(),
        samples=world.samples,
        srs=(SRS,),
        circuits=(trusted(CIRCUIT),),
    )


REQUIRED: Final = tuple(
    Requirement(claim, "*", level)
    for claim, level in {
        "evidence": Level.L1,
        "log": Level.L1,
        "dataset": Level.L1,
        "count": Level.L1,
        "facts": Level.L0,
        "unique": Level.L1,
        "record": Level.L1,
        "absence": Level.L0,
        "presence": Level.L0,
        "difference": Level.L1,
        "membership": Level.L4,
        "run": Level.L1,
        "order": Level.L2,
        "steps": Level.L3,
    }.items()
)


def requires_all(policy: Policy, verdict: Verdict) -> Policy:
    """Return the policy that also requires each finding of `verdict` by its own subject."""
    found = [
        Requirement(f.claim, f.subject, f.level)
        for f in verdict.findings
        if f.outcome is Outcome.HOLDS and f.level is not None
    ]
    return replace(policy, require=(*policy.require, *found))


def bad(verdict: Verdict) -> list[tuple[str, str, str]]:
    """Return claim, subject and reason of all that did not hold."""
    return [
        (f.claim, f.subject, f.reason)
        for f in (*verdict.findings, *verdict.required)
        if f.outcome is not Outcome.HOLDS
    ]


PROVED: Final = {"proved-steps", "training", "property", "inference", "evaluation"}
"""Claims that the world of tests/provenance/claimed.py has a place for."""

CARRIED: Final = {"copy"}
"""Claims about what is only carried, which audit/test_certificates.py puts in."""

# A new claim needs a place.
assert {item.claim for item in REQUIRED} == set(CLAIMS) - PROVED - CARRIED
