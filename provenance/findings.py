"""What an audit finds: claims with their levels, what each rests on, and what it does not prove.

A verdict lists every finding, good ones too. It holds only if nothing failed and every claim that
the policy requires was found at its level; what could not be found out makes it unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Outcome(StrEnum):
    """What one check found out."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


class Level(StrEnum):
    """What a claim is worth; later ones are worth more, and the text order agrees."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"

    @property
    def words(self) -> str:
        """The level in plain words."""
        return LEVELS[self]


LEVELS: Final[Mapping[Level, str]] = MappingProxyType(
    {
        Level.L0: "declared: somebody typed it, nobody checked it",
        Level.L1: "anchored: signed by a known key and published on a ledger",
        Level.L2: "committed before use: announced after the data, before the seed's block, and "
        "replayed steps agree",
        Level.L3: "replayed: steps chosen by randomness that nobody controlled were run again",
        Level.L4: "proved: a zero-knowledge proof of the stated statement verifies",
        Level.L5: "external: a proof of another system, carried as evidence only",
    }
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A kind of claim that can be required: its words, and what it never proves."""

    words: str
    not_proved: tuple[str, ...]


CLAIMS: Final[Mapping[str, Claim]] = MappingProxyType(
    {
        "evidence": Claim(
            "the bundle is whole: its issuer signed the list of its members",
            ("that the bundle holds everything the issuer has",),
        ),
        "log": Claim(
            "the issuer's log has no gap and no fork as far as the monitor's checkpoint reaches",
            (
                "anything about what was posted after the checkpoint",
                "that the issuer keeps no second log under another key",
            ),
        ),
        "copy": Claim(
            "the issuer says that another data-availability layer took these blobs of the log too, "
            "and carries the layer's certificates; they are not verified",
            (
                "that the layer took the blobs, or that a certificate is one of its own",
                "publication, order or inclusion: these rest on the ledger alone",
                "that the blobs can be had from it: such layers forget",
            ),
        ),
        "dataset": Claim(
            "the issuer committed to exactly this set of records by the time of this block",
            (
                "that the records are what their source, licence or consent claims say",
                "that nothing else was used anywhere: data never committed is not covered",
                "that every position holds a record, beyond the samples that were opened",
            ),
        ),
        "count": Claim(
            "the dataset has this many records: its whole chunk table gives root and count",
            ("that every position holds a record, beyond the samples that were opened",),
        ),
        "facts": Claim(
            "the issuer declared these facts about the dataset",
            ("that any of them is true",),
        ),
        "unique": Claim(
            "the log holds one commitment for this name and version",
            ("that no other commitment exists outside this log",),
        ),
        "record": Claim(
            "this opened record stands in the dataset at this position",
            ("that the record was used in training",),
        ),
        "absence": Claim(
            "this key is not in the dataset's exclusion index, under this normaliser",
            (
                "that the index holds the same records as the record tree",
                "absence of the same work under another key, edit or encoding",
            ),
        ),
        "presence": Claim(
            "this key is in the dataset's exclusion index, under this normaliser",
            ("that the index holds the same records as the record tree",),
        ),
        "difference": Claim(
            "between these two versions exactly these leaves went and came",
            (
                "that a record whose leaf went was erased, or is not back under another leaf",
                "that a leaf that came belongs to a new record, or to any",
                "anything about the order of the records",
            ),
        ),
        "membership": Claim(
            "a record behind this blinded leaf stands in the dataset; which one stays hidden",
            (
                "anything about a particular record until the blinded leaf is opened",
                "that the record was used in training",
            ),
        ),
        "proved-steps": Claim(
            "these steps of the run were proved in zero knowledge: each leads from its committed "
            "state to the next by the rule that the run declared, on the feature commitments that "
            "stand in the dataset at its batch's positions",
            (
                "anything about the steps not named: the issuer chose which to prove",
                "that a feature commitment holds what its record says (declared, L0)",
            ),
        ),
        "training": Claim(
            "all steps of the run were proved in zero knowledge: its final state came from its "
            "initial state by the rule that the run declared, on the dataset's feature commitments",
            (
                "where the initial state came from",
                "that the run kept its exact rule, where it declared a tolerance",
                "that a feature commitment holds what its record says (declared, L0)",
                "what the records mean",
                "that the model's file holds the final state",
                "that no other run took place, of which this one is the best",
            ),
        ),
        "property": Claim(
            "this function gives these values over the committed features or the committed state",
            (
                "what the function measures: read it",
                "that a feature commitment holds what its record says (declared, L0)",
                "anything about records or states that the claim does not name",
                "that a final state came from the run",
            ),
        ),
        "inference": Claim(
            "the run's final state gives these outputs for these inputs",
            (
                "that the final state came from the run",
                "that a feature commitment holds what its record says (declared, L0)",
                "that another model is not used elsewhere",
            ),
        ),
        "evaluation": Claim(
            "the run's final state predicts this many of these committed labels rightly",
            (
                "that the final state came from the run, or that these records were not used in it",
                "that these records were not chosen, among others, for the result",
                "that a feature commitment holds what its record says (declared, L0)",
                "anything about data that comes from elsewhere",
            ),
        ),
        "run": Claim(
            "the issuer announced this run and registered its result",
            (
                "that the final state came from the run",
                "that metrics are what a fresh evaluation would give",
                "that the model's file holds the final state",
            ),
        ),
        "order": Claim(
            "the run was announced after its data was published and before its seed existed",
            (
                "that no run took place outside the log",
                "that whoever proposes the seed's block did not try several",
            ),
        ),
        "steps": Claim(
            "the challenged steps were run again from opened records and agreed",
            (
                "that the steps not drawn are honest",
                "that the final state came from the run: proofs of all steps would be needed",
            ),
        ),
    }
)


def harmless(text: str) -> str:
    """Return `text` with a mark for each character that could draw, hide or turn other text."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check about one subject, with all that a reader needs to weigh it."""

    claim: str
    subject: str
    outcome: Outcome
    reason: str
    level: Level | None = None
    rests_on: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make what an issuer wrote harmless wherever it is printed."""
        for name in ("subject", "reason"):
            object.__setattr__(self, name, harmless(getattr(self, name)))
        for name in ("rests_on", "notes"):
            object.__setattr__(self, name, tuple(map(harmless, getattr(self, name))))

    @property
    def not_proved(self) -> tuple[str, ...]:
        """What the claim does not prove, even where it holds."""
        return CLAIMS[self.claim].not_proved


@dataclass(frozen=True, slots=True)
class Edge:
    """One thing that came from another, in which role, and what that is worth (None: unknown)."""

    source: str
    target: str
    role: str
    level: Level | None

    def __post_init__(self) -> None:
        """Make what an issuer wrote harmless wherever it is printed."""
        for name in ("source", "target", "role"):
            object.__setattr__(self, name, harmless(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every finding of an audit, under the name of the policy that it was made for."""

    policy: str
    findings: tuple[Finding, ...]
    required: tuple[Finding, ...] = field(default=())
    edges: tuple[Edge, ...] = field(default=())

    @property
    def outcome(self) -> Outcome:
        """Fails if anything failed; holds only if every required claim was found; else unknown."""
        if any(finding.outcome is Outcome.FAILS for finding in self.findings):
            return Outcome.FAILS
        if self.required and all(item.outcome is Outcome.HOLDS for item in self.required):
            return Outcome.HOLDS
        return Outcome.UNKNOWN
