"""What the checks of one audit share: evidence, policy, verifiers, and where findings go."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from provenance.anchor import Blocks
from provenance.envelope import PublicKey
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.evidence import Bundle
from provenance.field import Digest, FieldElement
from provenance.findings import Edge, Finding, Level, Outcome
from provenance.history import History
from provenance.policy import Policy
from provenance.proof import ProofVerifier
from provenance.receipt import LedgerVerifier
from provenance.tree import Chunk


@dataclass(frozen=True, slots=True)
class Verifiers:
    """The two kinds of verifier that an audit needs besides the core, by name."""

    ledgers: Mapping[str, LedgerVerifier]
    provers: Mapping[str, ProofVerifier]


@dataclass(frozen=True, slots=True)
class Hashes(Mapping[int, Digest]):
    """The hash of each block in a row, by height; 32 bytes each, since a year has millions.

    Attributes:
        first: The lowest height.
        packed: The hashes, one after the other.
    """

    first: int
    packed: bytes

    def __getitem__(self, height: int) -> Digest:  # type: ignore[explicit-override]
        """Return the hash of the block at `height`, or raise KeyError."""
        if not 0 <= height - self.first < len(self):
            raise KeyError(height)
        begin = 32 * (height - self.first)
        return Digest(self.packed[begin : begin + 32])

    def __len__(self) -> int:  # type: ignore[explicit-override]
        """Return how many blocks there are."""
        return len(self.packed) // 32

    def __iter__(self) -> Iterator[int]:  # type: ignore[explicit-override]
        """Give the heights, in order."""
        return iter(range(self.first, self.first + len(self)))


@dataclass(frozen=True, slots=True)
class Scanned:
    """What an auditor read of an issuer's log himself: every blob of a namespace, block by block.

    Attributes:
        source: Where he asked, such as a node's address; believed in nothing.
        ledger: Kind of the ledger.
        namespace: The one that was read.
        keys: Keys whose headers were looked for; one that the policy does not hold good at a
            height is a stranger's there.
        first: The lowest height that was read.
        last: The highest.
        history: What was found, with all that is wrong.
        blocks: Of the blocks that were read, those that something is said of: with a header, with
            a run's seed, with an anchor, and the last.
        hashes: The hash of every block that was read, by its height.
        notes: What else is to be said of the reading, such as the time of its last block.
    """

    source: str
    ledger: str
    namespace: bytes
    keys: tuple[PublicKey, ...]
    first: int
    last: int
    history: History
    blocks: Blocks
    hashes: Mapping[int, Digest]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One audit.

    Attributes:
        bundle: The evidence, read but not believed.
        policy: The auditor's own.
        verifiers: For ledgers and for zero-knowledge proofs.
        now: Time of the check, nanoseconds since 1970, UTC.
        scanned: What the auditor read of the log himself, or None.
        findings: What has been found so far, in order.
        edges: What came from what, once all is found.
        tables: Chunk tables that were verified, by what they are of and its root.
    """

    bundle: Bundle
    policy: Policy
    verifiers: Verifiers
    now: int
    scanned: Scanned | None = None
    findings: list[Finding] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    tables: dict[tuple[Digest, FieldElement], tuple[Chunk, ...]] = field(default_factory=dict)

    @property
    def witness(self) -> str:
        """What it rests on that the log shown here is all of it."""
        return "the monitor's key" if self.scanned is None else "the auditor's own reading"

    def holds(
        self,
        claim: str,
        subject: str,
        level: Level,
        reason: str,
        *,
        rests_on: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> None:
        """Add a finding that `claim` about `subject` holds at `level`."""
        self.findings.append(Finding(claim, subject, Outcome.HOLDS, reason, level, rests_on, notes))

    def fails(self, claim: str, subject: str, reason: str) -> None:
        """Add a finding that `claim` about `subject` is false."""
        self.findings.append(Finding(claim, subject, Outcome.FAILS, reason))

    def unknown(self, claim: str, subject: str, reason: str) -> None:
        """Add a finding that it could not be told whether `claim` about `subject` holds."""
        self.findings.append(Finding(claim, subject, Outcome.UNKNOWN, reason))

    def attempt(self, claim: str, subject: str, check: Callable[[], None]) -> bool:
        """Run `check` and return whether it passed; an error becomes a finding and is no end."""
        try:
            check()
        except (MalformedError, VerificationError) as error:
            self.fails(claim, subject, str(error))
        except UnavailableError as error:
            self.unknown(claim, subject, str(error))
        else:
            return True
        return False
