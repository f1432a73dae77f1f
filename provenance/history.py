"""What batch headers say about an issuer's log: the chain, and everything wrong with it.

The monitor asks this of each block that it reads, the auditor of what his bundle holds or of what
he has read himself. The same bytes posted twice are no problem; two different headers for one place
are. Anybody can post the headers of another log of the same issuer in this one's namespace: whoever
reads a namespace names its `Place`, and what was not signed for it is a stranger's copy there.

What must be remembered is short texts by kind and key (`Facts`), so that a monitor keeps them on
the disk and needs no more memory after a year than after a day:

    header 4      "<digest> 17": its height, or 0      unseen 4        no entries were beside it
    dataset <id>  name@version                         label, first, child: which came first
    start <id>    the run's name                       run <start>     the run statement's digest
    head, gap     the newest number, the first gap     orphan <start>  a run without its start
    posted <id>   a header's envelope, with its entries
    foreign <log> the number of a header of a log that had not begun here
    open, unopened <id>  envelopes that were posted whole, and those of which only the digest was
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from provenance.attestation import Attestation, verify
from provenance.canonical import digest as document_digest
from provenance.dataset import DatasetCommitment
from provenance.envelope import PublicKey
from provenance.errors import ProvenanceError
from provenance.field import Digest
from provenance.log import FULL, Genesis, SealedHeader
from provenance.training import Run, RunStart


@dataclass(frozen=True, slots=True)
class Sighting:
    """A verified header as it was met: at which height, and with which entries beside it.

    Attributes:
        sealed: The header; its signature was verified.
        height: Block height, or None where it is not known.
        entries: Verified entries, or None where they were not at hand.
    """

    sealed: SealedHeader
    height: int | None = None
    entries: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log is read, and which logs are looked for there.

    Attributes:
        ledger: Kind of the ledger.
        chain: Chain id.
        namespace: The namespace, 29 bytes.
        logs: Ids of the logs that are looked for; none: whichever begins there first.
    """

    ledger: str
    chain: str
    namespace: bytes
    logs: frozenset[Digest] = frozenset()

    def holds(self, genesis: Genesis) -> bool:
        """Return whether a first header was signed for this place."""
        named = (genesis.ledger, genesis.chain, genesis.namespace)
        return named == (self.ledger, self.chain, self.namespace)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the log, about a subject, in words."""

    kind: str
    subject: str
    words: str


@dataclass(frozen=True, slots=True)
class History:
    """The log in order, what it publishes, and what is wrong with it.

    Attributes:
        headers: One sighting for each sequence number, in order.
        attestations: All that could be opened, with the sequence number of their header.
        unopened: Digests of entries that stand in the log without being opened.
        unseen: Sequence numbers of headers whose entries were not at hand.
        problems: Empty where nothing is wrong.
    """

    headers: tuple[Sighting, ...]
    attestations: tuple[tuple[int, Attestation], ...]
    unopened: frozenset[Digest]
    unseen: tuple[int, ...]
    problems: tuple[Problem, ...]

    @property
    def is_open(self) -> bool:
        """Whether every entry was opened, so that uniqueness can be told."""
        return not self.unopened and not self.unseen

    def starts(self) -> tuple[tuple[int, RunStart], ...]:
        """Return the run starts with their sequence numbers."""
        found = ((sequence, item.commitment) for sequence, item in self.attestations)
        return tuple((s, c) for s, c in found if isinstance(c, RunStart))

    def runs(self) -> tuple[tuple[int, Run], ...]:
        """Return the run statements with their sequence numbers."""
        found = ((sequence, item.commitment) for sequence, item in self.attestations)
        return tuple((s, c) for s, c in found if isinstance(c, Run))


class Facts(Protocol):
    """What was met of one log so far, by kind and key."""

    def get(self, kind: str, key: str) -> str | None:
        """Return what is known, or None."""
        ...

    def put(self, kind: str, key: str, value: str) -> None:
        """Remember it, in place of what was known."""
        ...

    def drop(self, kind: str, key: str) -> None:
        """Forget it."""
        ...

    def keys(self, kind: str, most: int) -> tuple[str, ...]:
        """Return some keys of a kind, at most so many."""
        ...


class MemoryFacts:
    """Facts in memory, for a log that is read once."""

    def __init__(self) -> None:
        self._facts: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def get(self, kind: str, key: str) -> str | None:
        """Return what is known, or None."""
        return self._facts[kind].get(key)

    def put(self, kind: str, key: str, value: str) -> None:
        """Remember it, in place of what was known."""
        self._facts[kind][key] = value

    def drop(self, kind: str, key: str) -> None:
        """Forget it."""
        self._facts[kind].pop(key, None)

    def keys(self, kind: str, most: int) -> tuple[str, ...]:
        """Return some keys of a kind, at most so many."""
        return tuple(self._facts[kind])[:most]


@dataclass(frozen=True, slots=True)
class Added:
    """What one more sighting has shown.

    Attributes:
        is_new: Whether the header now stands in the chain and did not before.
        is_filled: Whether its entries are at hand now and were not before.
        attestations: What it publishes, as far as it can be opened.
        unopened: Digests of entries that nothing opens.
        problems: What is wrong with it.
    """

    is_new: bool = False
    is_filled: bool = False
    attestations: tuple[Attestation, ...] = ()
    unopened: tuple[Digest, ...] = ()
    problems: tuple[Problem, ...] = ()


SEEN_BEFORE = Added()
MOST = 100
"""Open questions that are told at once."""


@dataclass(frozen=True, slots=True)
class Examination:
    """Takes sightings of one log, one at a time, and tells what is wrong with each.

    Attributes:
        facts: What was met before.
        keys: Keys whose attestations count.
        opened: Envelopes by digest, for entries that publish only a digest.
        place: Where the sightings were read; None where they are of one log already.
    """

    facts: Facts
    keys: Sequence[PublicKey]
    opened: Mapping[Digest, bytes]
    place: Place | None = None

    @property
    def head(self) -> tuple[int, Digest] | None:
        """Number and digest of the newest header in the chain, or None."""
        number = self.facts.get("head", "")
        return None if number is None else (int(number), self.digest_of(int(number)))

    def digest_of(self, sequence: int) -> Digest:
        """Return the digest of the header with this number, which stands in the chain."""
        return self._header(sequence)[0]

    def waiting(self) -> tuple[Problem, ...]:
        """Return what is wrong as it stands, but may be mended by what is posted later."""
        words = "it was posted without its entries: they are not beside their header"
        unseen = [
            Problem("entries-missing", f"batch {number}", words)
            for number in self.facts.keys("unseen", MOST)
        ]
        return (*unseen, *self.orphans())

    def orphans(self) -> tuple[Problem, ...]:
        """Return which run statements have no start so far."""
        words = "a run statement without its start"
        keys = self.facts.keys("orphan", MOST)
        return tuple(Problem("run-without-start", start[:16], words) for start in keys)

    def is_known(self, posted: Digest) -> bool:
        """Return whether a header's envelope with this SHA-256 was met with its entries."""
        return self.facts.get("posted", posted.hex()) is not None

    def add(self, sighting: Sighting) -> Added:
        """Return what a sighting shows; those of one block come in the order of their numbers."""
        header, digest = sighting.sealed.header, sighting.sealed.digest
        if sighting.entries is not None:
            self.facts.put("posted", document_digest(sighting.sealed.envelope).hex(), "")
        if self.place is not None and self._is_foreign(self.place, sighting.sealed):
            return SEEN_BEFORE
        if self.facts.get("header", str(header.sequence)) is None:
            if self.place is not None and header.genesis is not None:
                return self._begin(self.place, sighting)
            return self._append(sighting, digest)
        if self.digest_of(header.sequence) != digest:
            kind = "second-log" if header.sequence == 0 else "fork"
            words = "there is a second, different header for this place under the same key"
            return Added(problems=(Problem(kind, f"batch {header.sequence}", words),))
        if sighting.entries is None or self.facts.get("unseen", str(header.sequence)) is None:
            return SEEN_BEFORE
        return self._fill(sighting, digest)

    def _is_foreign(self, place: Place, sealed: SealedHeader) -> bool:
        """Whether a header belongs to a log that is not this place's, or has not begun here."""
        header, head = sealed.header, self.head
        if header.genesis is not None:
            return not place.holds(header.genesis)
        log = header.log_id
        if head is not None and log == self.digest_of(0):
            return False
        if self.facts.get("foreign", log.hex()) is None:
            self.facts.put("foreign", log.hex(), str(header.sequence))
        return True

    def _begin(self, place: Place, sighting: Sighting) -> Added:
        """Take a first header that was signed for this place, if it is one that is looked for."""
        digest = sighting.sealed.digest
        if place.logs and digest not in place.logs:
            words = f"its issuer began another log in this place, {digest.hex()[:16]}…"
            return Added(problems=(Problem("second-log", "batch 0", words),))
        added, early = self._append(sighting, digest), self.facts.get("foreign", digest.hex())
        if early is None:
            return added
        words = "it was posted before the first header of its log"
        before = Problem("rewritten", f"batch {early}", words)
        return replace(added, problems=(*added.problems, before))

    def _header(self, sequence: int) -> tuple[Digest, int]:
        digest, _, height = (self.facts.get("header", str(sequence)) or "").partition(" ")
        return Digest.parse(digest), int(height)

    def _append(self, sighting: Sighting, digest: Digest) -> Added:
        header = sighting.sealed.header
        before = self.head
        expected = 0 if before is None else before[0] + 1
        if header.sequence > expected:
            return self._gap(header.sequence, expected)
        problems = list(self._links(sighting)) if expected else []
        self.facts.put("header", str(expected), f"{digest.hex()} {sighting.height or 0}")
        self.facts.put("head", "", str(expected))
        if sighting.entries is None and header.entries:
            self.facts.put("unseen", str(expected), "")
        statement = () if header.statement is None else ((header.statement, True),)
        entries, unopened = self._entries(sighting)
        found, bad = self._attested(header.sequence, (*statement, *entries))
        return Added(
            is_new=True,
            is_filled=sighting.entries is not None,
            attestations=found,
            unopened=unopened,
            problems=(*problems, *bad),
        )

    def _gap(self, sequence: int, expected: int) -> Added:
        if self.facts.get("gap", "") is not None:
            return SEEN_BEFORE
        self.facts.put("gap", "", str(expected))
        words = f"the headers {expected} to {sequence - 1} are missing"
        return Added(problems=(Problem("gap", f"batch {sequence}", words),))

    def _links(self, sighting: Sighting) -> Iterator[Problem]:
        header = sighting.sealed.header
        subject = f"batch {header.sequence}"
        before, height = self._header(header.sequence - 1)
        if header.previous != before:
            words = "it follows another header than the one before it: the log was rewritten"
            yield Problem("rewritten", subject, words)
        if header.log_id != self.digest_of(0):
            yield Problem("rewritten", subject, "it names another log")
        if height and sighting.height and sighting.height < height:
            words = f"it was posted at height {sighting.height}, before its predecessor"
            yield Problem("rewritten", subject, words)

    def _fill(self, sighting: Sighting, digest: Digest) -> Added:
        """Add the entries of a header that was met before without them."""
        sequence = sighting.sealed.header.sequence
        self.facts.put("header", str(sequence), f"{digest.hex()} {sighting.height or 0}")
        self.facts.drop("unseen", str(sequence))
        entries, unopened = self._entries(sighting)
        found, problems = self._attested(sequence, entries)
        after = self.facts.get("header", str(sequence + 1))
        if after is not None and self._header(sequence + 1)[1] < (sighting.height or 0):
            words = f"its entries were posted at height {sighting.height}, after its successor"
            problems = (Problem("rewritten", f"batch {sequence}", words), *problems)
        return Added(False, True, found, unopened, problems)  # noqa: FBT003  # new: no, filled: yes

    def _entries(
        self, sighting: Sighting
    ) -> tuple[tuple[tuple[bytes, bool], ...], tuple[Digest, ...]]:
        """Return envelopes, none of them a header's statement, and digests that nothing opens."""
        envelopes: list[tuple[bytes, bool]] = []
        unopened: list[Digest] = []
        for entry in sighting.entries or ():
            body = entry[5:]
            if entry[0] == FULL:
                envelopes.append((body, False))
            elif (named := Digest(body)) in self.opened:
                envelopes.append((self.opened[named], False))
            elif self.facts.get("open", named.hex()) is None:
                self.facts.put("unopened", named.hex(), "")
                unopened.append(named)
        return tuple(envelopes), tuple(unopened)

    def _attested(
        self, sequence: int, envelopes: Iterable[tuple[bytes, bool]]
    ) -> tuple[tuple[Attestation, ...], tuple[Problem, ...]]:
        found: list[Attestation] = []
        problems: list[Problem] = []
        for data, in_header in envelopes:
            try:
                item = verify(data, self.keys)
            except ProvenanceError as error:
                problems.append(Problem("bad-entry", f"batch {sequence}", str(error)))
                continue
            if isinstance(item.commitment, Run | RunStart) != in_header:
                words = f"{item.name}: run starts and run statements stand in a header, alone"
                problems.append(Problem("misplaced", f"batch {sequence}", words))
                continue
            found.append(item)
            self.facts.put("open", item.digest.hex(), "")
            self.facts.drop("unopened", item.digest.hex())
            problems.extend(self._published(item))
        return tuple(found), tuple(problems)

    def _published(self, item: Attestation) -> Iterator[Problem]:
        match item.commitment:
            case DatasetCommitment() as commitment:
                yield from self._dataset(item.subject.hex(), commitment)
            case RunStart() as start:
                self.facts.put("start", item.subject.hex(), start.name)
                self.facts.drop("orphan", item.subject.hex())
            case Run() as run:
                yield from self._run(item.subject.hex(), run.start.hex())
            case _:
                pass

    def _dataset(self, digest: str, commitment: DatasetCommitment) -> Iterator[Problem]:
        if self.facts.get("dataset", digest) is not None:
            return
        self.facts.put("dataset", digest, commitment.label)
        if self._is_second("label", commitment.label, digest):
            words = "two different commitments for one version"
            yield Problem("two-commitments", commitment.label, words)
        if commitment.previous is None:
            if self._is_second("first", commitment.name, digest):
                words = "two versions that both claim to be the first"
                yield Problem("two-firsts", commitment.name, words)
        elif self._is_second("child", commitment.previous.hex(), digest):
            parent = self.facts.get("dataset", commitment.previous.hex())
            subject = parent or commitment.previous.hex()[:16]
            yield Problem("two-children", subject, "two versions follow this one")

    def _run(self, digest: str, start: str) -> Iterator[Problem]:
        name = self.facts.get("start", start)
        if name is None:
            self.facts.put("orphan", start, "")
        if self._is_second("run", start, digest):
            yield Problem("two-runs", name or start[:16], "two run statements for one start")

    def _is_second(self, kind: str, key: str, digest: str) -> bool:
        """Return whether another commitment took this place before; the first keeps it."""
        known = self.facts.get(kind, key)
        if known is None:
            self.facts.put(kind, key, digest)
        return known not in (None, digest)


class Chronicle:
    """A log that is read once, from its sightings in the order in which they were met."""

    def __init__(
        self,
        keys: Sequence[PublicKey],
        opened: Mapping[Digest, bytes],
        place: Place | None = None,
    ) -> None:
        self.examination = Examination(MemoryFacts(), keys, opened, place)
        self._headers: list[Sighting] = []
        self._attestations: list[tuple[int, Attestation]] = []
        self._unopened: set[Digest] = set()
        self._problems: dict[Problem, None] = {}

    def add(self, sighting: Sighting) -> Added:
        """Return what a sighting shows, once it is written down."""
        added, sequence = self.examination.add(sighting), sighting.sealed.header.sequence
        if added.is_new:
            self._headers.append(sighting)
        elif added.is_filled:
            self._headers[sequence] = sighting
        self._attestations += [(sequence, item) for item in added.attestations]
        self._unopened.update(added.unopened)
        self._unopened.difference_update(item.digest for item in added.attestations)
        self.report(added.problems)
        return added

    def report(self, problems: Iterable[Problem]) -> None:
        """Write down problems, each once."""
        self._problems |= dict.fromkeys(problems)

    def history(self) -> History:
        """Return what was written down."""
        unseen = tuple(
            s.sealed.header.sequence
            for s in self._headers
            if s.entries is None and s.sealed.header.entries
        )
        return History(
            tuple(self._headers),
            tuple(sorted(self._attestations, key=lambda found: found[0])),
            frozenset(self._unopened),
            unseen,
            (*self._problems, *self.examination.orphans()),
        )

    def whole(self) -> History:
        """Return what was written down by somebody who saw all: what is missing is a problem."""
        history, waiting = self.history(), self.examination.waiting()
        problems = dict.fromkeys((*history.problems, *waiting))
        return replace(history, problems=tuple(problems))


def examine(
    sightings: Iterable[Sighting], keys: Sequence[PublicKey], opened: Mapping[Digest, bytes]
) -> History:
    """Return what the headers say.

    Args:
        sightings: Verified headers of one log, in any order, possibly repeated.
        keys: Keys whose attestations count.
        opened: Envelopes by digest, for entries that publish only a digest.
    """
    chronicle = Chronicle(keys, opened)
    for sighting in _first_sightings(sightings):
        chronicle.add(sighting)
    return chronicle.history()


def _first_sightings(sightings: Iterable[Sighting]) -> list[Sighting]:
    found: dict[Digest, Sighting] = {}
    for sighting in sightings:
        known = found.get(sighting.sealed.digest)
        if known is None or (sighting.height or 0) < (known.height or 0):
            found[sighting.sealed.digest] = sighting
    return sorted(found.values(), key=lambda s: (s.sealed.header.sequence, s.height or 0))
