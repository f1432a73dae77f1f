"""What a set of batch headers says about an issuer's log: the chain, and everything wrong with it.

The monitor asks this of all that it scanned, the auditor of what his bundle holds. The same bytes
posted twice are no problem; two different headers for one place are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from provenance.attestation import Attestation, verify
from provenance.dataset import DatasetCommitment
from provenance.envelope import PublicKey
from provenance.errors import ProvenanceError
from provenance.field import Digest
from provenance.log import FULL, SealedHeader
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


def examine(
    sightings: Iterable[Sighting], keys: Sequence[PublicKey], opened: Mapping[Digest, bytes]
) -> History:
    """Return what the headers say.

    Args:
        sightings: Verified headers of one log, in any order, possibly repeated.
        keys: Keys whose attestations count.
        opened: Envelopes by digest, for entries that publish only a digest.
    """
    unique = _first_sightings(sightings)
    chain, problems = _chain(unique)
    attestations, unopened, bad = _attestations(chain, keys, opened)
    unseen = tuple(
        s.sealed.header.sequence for s in chain if s.entries is None and s.sealed.header.entries
    )
    found = (*problems, *bad, *_datasets(attestations), *_runs(attestations))
    return History(chain, attestations, unopened, unseen, found)


def _first_sightings(sightings: Iterable[Sighting]) -> list[Sighting]:
    found: dict[Digest, Sighting] = {}
    for sighting in sightings:
        known = found.get(sighting.sealed.header.digest)
        if known is None or (sighting.height or 0) < (known.height or 0):
            found[sighting.sealed.header.digest] = sighting
    return sorted(found.values(), key=lambda s: (s.sealed.header.sequence, s.height or 0))


def _chain(unique: Sequence[Sighting]) -> tuple[tuple[Sighting, ...], list[Problem]]:
    chain: list[Sighting] = []
    problems: list[Problem] = []
    for sighting in unique:
        header, expected = sighting.sealed.header, len(chain)
        subject = f"batch {header.sequence}"
        if header.sequence < expected:
            kind = "second-log" if header.sequence == 0 else "fork"
            words = "there is a second, different header for this place under the same key"
            problems.append(Problem(kind, subject, words))
            continue
        if header.sequence > expected:
            words = f"the headers {expected} to {header.sequence - 1} are missing"
            problems.append(Problem("gap", subject, words))
            break
        if chain:
            problems.extend(_link(chain[-1], sighting, chain[0]))
        chain.append(sighting)
    return tuple(chain), problems


def _link(before: Sighting, after: Sighting, first: Sighting) -> list[Problem]:
    header, problems = after.sealed.header, []
    subject = f"batch {header.sequence}"
    if header.previous != before.sealed.header.digest:
        words = "it follows another header than the one before it: the log was rewritten"
        problems.append(Problem("rewritten", subject, words))
    if header.log_id != first.sealed.header.digest:
        problems.append(Problem("rewritten", subject, "it names another log"))
    if before.height and after.height and after.height < before.height:
        words = f"it was posted at height {after.height}, before its predecessor"
        problems.append(Problem("rewritten", subject, words))
    return problems


def _attestations(
    chain: Sequence[Sighting], keys: Sequence[PublicKey], opened: Mapping[Digest, bytes]
) -> tuple[tuple[tuple[int, Attestation], ...], frozenset[Digest], list[Problem]]:
    found: list[tuple[int, Attestation]] = []
    unopened: set[Digest] = set()
    problems: list[Problem] = []
    for sighting in chain:
        sequence = sighting.sealed.header.sequence
        for data in _envelopes(sighting, opened, unopened):
            try:
                item = verify(data, keys)
                if isinstance(item.commitment, Run | RunStart) != (
                    data == sighting.sealed.header.statement
                ):
                    words = f"{item.name}: run starts and run statements stand in a header, alone"
                    problems.append(Problem("misplaced", f"batch {sequence}", words))
                    continue
                found.append((sequence, item))
            except ProvenanceError as error:
                problems.append(Problem("bad-entry", f"batch {sequence}", str(error)))
    return tuple(found), frozenset(unopened), problems


def _envelopes(
    sighting: Sighting, opened: Mapping[Digest, bytes], unopened: set[Digest]
) -> Iterable[bytes]:
    if sighting.sealed.header.statement is not None:
        yield sighting.sealed.header.statement
    for entry in sighting.entries or ():
        body = entry[5:]
        if entry[0] == FULL:
            yield body
        elif (named := Digest(body)) in opened:
            yield opened[named]
        else:
            unopened.add(named)


def _datasets(attestations: Sequence[tuple[int, Attestation]]) -> list[Problem]:
    commitments: dict[Digest, DatasetCommitment] = {}
    for _, item in attestations:
        if isinstance(item.commitment, DatasetCommitment):
            commitments[item.subject] = item.commitment
    versions = Counter(c.label for c in commitments.values())
    firsts = Counter(c.name for c in commitments.values() if c.previous is None)
    children = Counter(c.previous for c in commitments.values() if c.previous is not None)
    labels = {digest: c.label for digest, c in commitments.items()}
    return [
        *_repeated("two-commitments", versions, "two different commitments for one version"),
        *_repeated("two-firsts", firsts, "two versions that both claim to be the first"),
        *(
            Problem("two-children", labels.get(d, d.hex()[:16]), "two versions follow this one")
            for d, times in children.items()
            if times > 1
        ),
    ]


def _repeated(kind: str, counts: Counter[str], words: str) -> list[Problem]:
    return [Problem(kind, subject, words) for subject, times in counts.items() if times > 1]


def _runs(attestations: Sequence[tuple[int, Attestation]]) -> list[Problem]:
    starts = {
        i.subject: i.commitment for _, i in attestations if isinstance(i.commitment, RunStart)
    }
    by_start: dict[Digest, set[Digest]] = defaultdict(set)
    for _, item in attestations:
        if isinstance(item.commitment, Run):
            by_start[item.commitment.start].add(item.subject)
    problems = [
        Problem(
            "two-runs",
            starts[start].name if start in starts else start.hex()[:16],
            "two run statements for one start",
        )
        for start, runs in by_start.items()
        if len(runs) > 1
    ]
    problems += [
        Problem("run-without-start", start.hex()[:16], "a run statement without its start")
        for start in by_start
        if start not in starts
    ]
    return problems
