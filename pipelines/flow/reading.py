"""An auditor reads an issuer's log off the ledger himself, and needs no monitor for it.

He reads with the policy's anchor, under the policy's keys, each only at heights that it is good
for, and keeps of the blocks those that something is said of.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.flow.scanning import Page, block_at, note, pages
from pipelines.flow.workspace import namespace_of
from pipelines.progress import Progress, Silent
from provenance import history
from provenance.anchor import Anchor, Blocks, Step
from provenance.audit import Scanned
from provenance.audit.case import Hashes
from provenance.envelope import PublicKey
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.history import Chronicle
from provenance.policy import Policy
from provenance.receipt import Block, LedgerVerifier
from provenance.training import RunStart
from storage.celestia.header_store import EquivocationError
from storage.celestia.light import Led
from storage.ledger import Ledger

Powers = tuple[tuple[bytes, int], ...]
"""Each validator's key and voting power."""


@dataclass(slots=True)
class _Reader:
    """One namespace while it is read.

    Attributes:
        namespace: The namespace.
        keys: The issuer's; another's are a stranger's.
        chronicle: The log so far.
        seeds: Heights whose blocks are seeds of runs.
        kept: Blocks that something is said of.
    """

    namespace: bytes
    keys: tuple[PublicKey, ...]
    chronicle: Chronicle
    seeds: set[int] = field(default_factory=set)
    kept: dict[int, Block] = field(default_factory=dict)

    def take(self, page: Page, policy: Policy) -> None:
        """Write down what one block shows, under keys that are good there."""
        block = page.block
        good = tuple(key for key in self.keys if policy.is_good(key, block.chain, block.height))
        for added in note(page, self.namespace, good, self.chronicle):
            if added.is_new or added.is_filled:
                self.kept[block.height] = block
            starts = (item.commitment for item in added.attestations)
            self.seeds |= {each.seed_height for each in starts if isinstance(each, RunStart)}
        if block.height in self.seeds:
            self.kept[block.height] = block


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be read: heights, and in which namespaces which issuer's log is looked for.

    Attributes:
        anchors: The policy's of this chain, the highest first; all that is read hangs on it.
        first: The lowest height.
        last: The highest height.
        logs: A namespace and the keys of one issuer; another's there is a stranger.
    """

    anchors: tuple[Anchor, ...]
    first: int
    last: int
    logs: tuple[tuple[bytes, tuple[PublicKey, ...]], ...]

    @property
    def namespaces(self) -> tuple[bytes, ...]:
        """The namespaces, each once."""
        return tuple(dict.fromkeys(namespace for namespace, _ in self.logs))

    @property
    def unchecked(self) -> tuple[Anchor, ...]:
        """Anchors outside what is read: all hangs on the highest, and a node may lack the others'.

        A walk to an old one would cost every header between, which a pruned node does not have.
        """
        return tuple(a for a in self.anchors[1:] if not self.first <= a.height <= self.last)

    @property
    def blocks(self) -> int:
        """How many blocks that is: what the reading costs."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where an auditor reads, and how much of it.

    Attributes:
        url: A node, such as http://127.0.0.1:26658; it is not believed.
        token: Its token, or None.
        namespace: Where the log stands; None looks in the own places of the policy's keys.
        first: The height to begin at; None where the first of the policy's keys becomes good.
        last: The height to end at; None is the ledger's head.
        tell: Takes what the reading will cost, before it begins.
        progress: Where it is shown how far the reading is.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    namespace: bytes | None = None
    first: int | None = None
    last: int | None = None
    tell: Callable[[str], None] = lambda _: None
    progress: Progress = field(default_factory=Silent)


def read_at(place: Place, policy: Policy, verifier: LedgerVerifier) -> tuple[Scanned, ...]:
    """Return what the ledger behind a node shows, one reading for each namespace and issuer.

    What was verified is kept for as long as the reading takes: an auditor needs no home.

    Raises:
        As `plan` and `read_logs`.
    """
    from storage.celestia.client.address import Address
    from storage.celestia.remote import open_ledger

    with tempfile.TemporaryDirectory(prefix="rootline-audit-") as folder:
        anchor = _pinned(policy)
        store = Path(folder, "headers.sqlite")
        trusting = policy.trusting_seconds * 10**9
        with open_ledger(place.url, place.token, anchor, store, time.time_ns, trusting) as ledger:
            task = plan(
                ledger, policy, namespace=place.namespace, first=place.first, last=place.last
            )
            place.tell(
                f"reading {task.blocks} blocks of {ledger.chain}, {task.first} to {task.last}"
            )
            source = Address.parse(place.url).origin
            return read_logs(ledger, verifier, policy, task, source, place.progress)


def _pinned(policy: Policy) -> Anchor:
    """Return the policy's highest anchor, of the one chain that it speaks of."""
    chains = {(anchor.ledger, anchor.chain) for anchor in policy.anchors}
    if len(chains) != 1:
        raise UnavailableError(
            f"the policy has anchors of {len(chains)} chains; to read a ledger takes those of one"
        )
    return max(policy.anchors, key=lambda anchor: anchor.height)


def plan(
    ledger: Ledger,
    policy: Policy,
    *,
    namespace: bytes | None = None,
    first: int | None = None,
    last: int | None = None,
) -> Task:
    """Return what an audit under `policy` reads of a ledger.

    Args:
        ledger: Where the log is posted.
        policy: The auditor's own.
        namespace: Where the log stands; None looks in the own places of the policy's keys.
        first: The height to begin at; None where the first of the policy's keys becomes good.
        last: The height to end at; None is the ledger's head.

    Raises:
        UnavailableError: The policy has no anchor or no good key for this chain.
    """
    anchors = anchors_for(policy, ledger.kind, ledger.chain)
    spans = [s.first for i in policy.issuers for s in i.good if s.chain == ledger.chain]
    if not spans:
        raise UnavailableError(f"the policy holds no key good for chain {ledger.chain!r}")
    logs = dict.fromkeys(
        (namespace or namespace_of(issuer.key), _same(policy, issuer.key))
        for issuer in policy.issuers
    )
    begin, end = min(spans) if first is None else first, ledger.head() if last is None else last
    if begin > end:
        raise UnavailableError(f"blocks {begin} to {end}: the ledger's head is {ledger.head()}")
    return Task(anchors, begin, end, tuple(logs))


def anchors_for(policy: Policy, kind: str, chain: str) -> tuple[Anchor, ...]:
    """Return the policy's anchors of one chain, the highest first, or raise UnavailableError."""
    found = [each for each in policy.anchors if (each.ledger, each.chain) == (kind, chain)]
    if not found:
        raise UnavailableError(f"the policy has no anchor for {kind} chain {chain!r}")
    return tuple(sorted(found, key=lambda anchor: -anchor.height))


def read_logs(
    ledger: Ledger,
    verifier: LedgerVerifier,
    policy: Policy,
    task: Task,
    source: str,
    progress: Progress,
) -> tuple[Scanned, ...]:
    """Return what the ledger's blocks show, one reading for each namespace and issuer.

    Args:
        ledger: It proves that its blocks hang on the policy's anchor, or is in this process.
        verifier: Reads the signed headers of the blocks that are kept.
        policy: The auditor's own.
        task: What to read.
        source: Where that is, in words.
        progress: Where it is shown how far the reading is.

    Raises:
        UnavailableError: A block cannot be read.
        EquivocationError: Two blocks were signed for one height.
        VerificationError: What the ledger gave is not proved, or contradicts an anchor.
    """
    readers = []
    for namespace, keys in task.logs:
        at = history.Place(ledger.kind, ledger.chain, namespace, frozenset(policy.logs))
        readers.append(_Reader(namespace, keys, Chronicle(keys, {}, at)))
    last, hashes = _read(ledger, policy, task, readers, progress)
    hung = task.anchors[0]
    scans = []
    sets: dict[Digest, Powers] = {}
    for reader in readers:
        reader.kept[last.height] = last
        kept = {h: _with_power(b, ledger, verifier, sets) for h, b in sorted(reader.kept.items())}
        # Above the anchor a light client jumps, which more than a third of the power can mislead.
        thirds = 1 if task.last > hung.height else 2
        lone = any(Step(block).is_held(thirds=thirds) for block in kept.values())
        lone |= isinstance(ledger, Led) and ledger.is_lone
        blocks = Blocks(task.anchors, kept, dict.fromkeys(kept, hung), (), lone)
        scans.append(_scanned(task, reader, ledger, source, blocks, hashes))
    return tuple(scans)


def _with_power(
    block: Block, ledger: Ledger, verifier: LedgerVerifier, sets: dict[Digest, Powers]
) -> Block:
    """Return a block with its validators' power, for which one signed header of a set is read."""
    if block.validators not in sets:
        signed = verifier.signed_block(ledger.header(block.height))
        if signed.hash != block.hash:
            raise EquivocationError(f"block {block.height} was replaced while the log was read")
        sets[block.validators] = signed.power
    return replace(block, power=sets[block.validators])


def _same(policy: Policy, key: PublicKey) -> tuple[PublicKey, ...]:
    """Return all keys of the issuer who has this one."""
    trusted = policy.keys()
    return tuple(each for each in trusted if policy.is_same_issuer(key.key_id, each.key_id))


def _read(
    ledger: Ledger,
    policy: Policy,
    task: Task,
    readers: Sequence[_Reader],
    progress: Progress,
) -> tuple[Block, Hashes]:
    """Return the last block, and the hashes of all."""
    anchors = {anchor.height: anchor for anchor in task.anchors}
    hung = task.anchors[0]
    if not task.first <= hung.height <= task.last:
        _check_anchor(block_at(ledger, hung.height), hung)
    block: Block | None = None
    hashes = bytearray()
    name = f"reading blocks {task.first} to {task.last}"
    with progress.stage(name, task.blocks) as stage:
        for page in pages(ledger, task.namespaces, task.first, task.last, None):
            block = page.block
            hashes += block.hash
            if block.height in anchors:
                _check_anchor(block, anchors[block.height])
            for reader in readers:
                reader.take(page, policy)
            stage.advance()
    if block is None:
        raise UnavailableError("there is no block to read")
    return block, Hashes(task.first, bytes(hashes))


def _check_anchor(block: Block, anchor: Anchor) -> None:
    if block.hash != anchor.hash:
        raise VerificationError(
            f"the ledger's block {block.height} is {block.hash.hex()[:16]}…, not the policy's "
            f"{anchor.label}"
        )


def _scanned(
    task: Task, reader: _Reader, ledger: Ledger, source: str, blocks: Blocks, hashes: Hashes
) -> Scanned:
    return Scanned(
        source=source,
        ledger=ledger.kind,
        namespace=reader.namespace,
        keys=reader.keys,
        first=task.first,
        last=task.last,
        history=reader.chronicle.whole(),
        blocks=blocks,
        hashes=hashes,
        notes=_notes(task, blocks.at(task.last)),
    )


def _notes(task: Task, last: Block) -> tuple[str, ...]:
    """Return of when the newest block is, since a node can hide later ones, and what was left."""
    moment = datetime.fromtimestamp(last.time // 10**9, UTC).isoformat()
    left = (f"{each.label} is outside the blocks read: not checked" for each in task.unchecked)
    return (f"the last block read, {last.height}, is dated {moment}", *left)
