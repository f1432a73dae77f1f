"""Three frauds, each from the attacker's side, and what an auditor's policy makes of them.

The attacker is the issuer himself: he has all keys, and signs again whatever he likes.
"""

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.exporting import Bundle
from pipelines.flow.opening import opener, records_at
from pipelines.flow.proofs.claiming import proof_path
from pipelines.flow.publishing import publish
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.attestation import attest
from provenance.audit.datasets import opened_document
from provenance.audit.ledger import MAX_BLOCKS
from provenance.canonical import Fields, JsonObject
from provenance.membership import MembershipClaim
from provenance.proof import Proof
from provenance.record import encode_record
from storage.atomic import write_atomic
from storage.celestia.header import BlockId, Header
from storage.home import Home
from storage.readers.datasets import Dataset


@dataclass(frozen=True, slots=True)
class Fraud:
    """What the attacker did, and the bundle that he hands over."""

    name: str
    words: str
    bundle: bytes


def changed_record(bundle: Bundle, space: Workspace, version: Version, dataset: Dataset) -> Fraud:
    """A record changed after registration: its label turned round, shown as committed."""
    record = records_at(dataset, [7])
    opening = opener(space, version).open(record)[7]
    altered = {**record[7], "malignant": 1 - int(str(record[7]["malignant"]))}
    encoded = encode_record(version.commitment.schema, altered)
    forged = dataclasses.replace(opening, encoded_record=encoded)
    document = canonical.encode(opened_document(version.commitment.digest, forged))
    path = f"openings/{canonical.digest(document).hex()}.json"
    members = {**bundle.members, path: document}
    data = Bundle(space, members).seal()
    return Fraud("changed record", "record 7 shown with another label than was committed", data)


def rewritten_ledger(
    space: Workspace, scratch: Path, extend: Callable[[Workspace], Bundle]
) -> Fraud:
    """A rewritten history: the operator makes a new chain under the same key, later in time."""
    other = _copy(space, scratch)
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (scratch / name).unlink(missing_ok=True)
    for state in ("submitted", "receipt"):
        for path in (scratch / "outbox").glob(f"*/*/{state}"):
            path.unlink()
    publish(other)
    other.ledger.reach(space.ledger.head())
    data = extend(other).seal()
    return Fraud("rewritten ledger", "all blocks made anew under the same key and heights", data)


def relinked_blocks(bundle: Bundle, space: Workspace) -> Fraud:
    """A made-up history of a ledger that others run: every block from the first is another."""
    blocks = canonical.decode(bundle.members["blocks.json"], limit=2**28)
    headers = Fields.of(blocks, "blocks.json").objects("linked", MAX_BLOCKS)
    made: list[JsonObject] = []
    previous: JsonObject | None = None
    for fields in headers:
        changed = {**fields.members, "app_hash": sha256(b"another history").hexdigest().upper()}
        if previous is not None:
            header = Header.from_json(previous)
            identity = BlockId(header.hash, 1, header.data_root).to_json()
            changed["last_block_id"] = identity
        made.append(changed)
        previous = changed
    forged = canonical.encode({**blocks, "linked": made, "signed": []})
    data = Bundle(space, {**bundle.members, "blocks.json": forged}).seal()
    return Fraud("made-up blocks", "block headers that link to each other, of no real chain", data)


def swapped_values(
    space: Workspace, scratch: Path, version: Version, claim: MembershipClaim
) -> Fraud:
    """A proof whose public values were swapped, under a claim that the issuer signs for it."""
    other = _copy(space, scratch)
    proof = Proof.parse(proof_path(other, claim.proof.hex()).read_bytes())
    swap = {claim.blinded_leaf: claim.blinded_index, claim.blinded_index: claim.blinded_leaf}
    public = tuple(swap.get(value, value) for value in proof.public)
    forged = dataclasses.replace(proof, public=public)
    name = canonical.digest(forged.encoded)
    write_atomic(proof_path(other, name.hex()), forged.encoded)
    lie = dataclasses.replace(
        claim,
        blinded_leaf=claim.blinded_index,
        blinded_index=claim.blinded_leaf,
        proof=name,
    )
    queue(other, attest(lie, other.issuer).encoded)
    publish(other)
    bundle = Bundle(other)
    bundle.add_log()
    bundle.add_blocks(signed_above=space.ledger.head())
    bundle.add_table(claim.dataset, nodes_of(other, version.commitment))
    bundle.add_proofs()
    return Fraud("swapped public values", "a proof made to speak of another leaf", bundle.seal())


def _copy_file(source: str, target: str) -> None:
    """Copy a file; circuits' files, of which keys are large and none ever changes, are linked."""
    if Path(source).parent.name == "objects":
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)


def _copy(space: Workspace, scratch: Path) -> Workspace:
    """Return the attacker's own copy of the home."""
    shutil.rmtree(scratch, ignore_errors=True)
    left_out = shutil.ignore_patterns("cache", "dagster")
    shutil.copytree(space.home.path, scratch, ignore=left_out, copy_function=_copy_file)
    return Workspace(Home.create(scratch), space.passphrase)
