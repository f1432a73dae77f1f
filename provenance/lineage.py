"""Attestations -> what came from what, and what each step of it is worth.

    cells@v1 ──previous (L1)──▶ cells@v2 ──train (L2)──▶ cells-logistic

An edge is worth what was found about it; an edge about which nothing was found is `unknown`, and
one whose other end is not in the evidence ends at that commitment's digest.
"""

from collections.abc import Iterable, Iterator, Sequence

from provenance.attestation import Attestation
from provenance.claim import Claim, about
from provenance.dataset import DatasetCommitment
from provenance.field import Digest
from provenance.findings import Edge, Finding, Level, Outcome
from provenance.membership import MembershipClaim
from provenance.training import Run, RunStart


def edges(attestations: Sequence[Attestation], findings: Iterable[Finding]) -> tuple[Edge, ...]:
    """Return the edges between published commitments, each with its level.

    Args:
        attestations: Verified and shown to be published.
        findings: Of the same audit; they decide the levels.
    """
    names = {item.subject: item.name for item in attestations}
    starts = {i.subject: i.commitment for i in attestations if isinstance(i.commitment, RunStart)}
    for item in attestations:
        if isinstance(item.commitment, Run) and item.commitment.start in starts:
            names[item.subject] = starts[item.commitment.start].name
    told = tuple(findings)
    levels = _levels(told)
    found = (
        edge
        for item in attestations
        for edge in (*_edges_of(item, names, levels), *_claimed(item, names, told))
    )
    return tuple(sorted(found, key=lambda edge: (edge.target, edge.role, edge.source)))


def mermaid(found: Sequence[Edge]) -> str:
    """Return the graph in Mermaid's notation, for documents that draw it."""
    names = sorted({name for edge in found for name in (edge.source, edge.target)})
    number = {name: f"n{place}" for place, name in enumerate(names)}
    boxes = [f'  {number[name]}["{name}"]' for name in names]
    arrows = [
        f"  {number[edge.source]} -->|{edge.role}, {edge.level or 'unknown'}| {number[edge.target]}"
        for edge in found
    ]
    return "\n".join(["flowchart LR", *boxes, *arrows])


def _levels(findings: Iterable[Finding]) -> dict[tuple[str, str], Level]:
    """Return the lowest level found of each claim and subject; what failed anywhere has none."""
    found: dict[tuple[str, str], Level] = {}
    spoilt: set[tuple[str, str]] = set()
    for finding in findings:
        about = (finding.claim, finding.subject)
        if finding.outcome is not Outcome.HOLDS or finding.level is None:
            spoilt.add(about)
        else:
            found[about] = min(found.get(about, finding.level), finding.level)
    return {about: level for about, level in found.items() if about not in spoilt}


def _edges_of(
    item: Attestation, names: dict[Digest, str], levels: dict[tuple[str, str], Level]
) -> Iterator[Edge]:
    def named(digest: Digest) -> str:
        return names.get(digest, f"{digest.hex()[:16]}…")

    match item.commitment:
        case DatasetCommitment() as dataset:
            if dataset.previous is not None:
                level = levels.get(("dataset", dataset.label))
                yield Edge(named(dataset.previous), dataset.label, "previous", level)
        case RunStart() as start:
            level = levels.get(("order", start.name))
            if ("run", start.name) not in levels:
                level = None
            for role, digest in start.datasets.items():
                worth = level if level is None or role == "train" else min(level, Level.L1)
                yield Edge(named(digest), start.name, role, worth)
            if start.base is not None:
                declared = Level.L0 if level is not None else None
                yield Edge(named(start.base), start.name, "base model", declared)
        case MembershipClaim() as claim:
            about = named(claim.dataset)
            yield Edge(about, item.name, "proved about", levels.get(("membership", about)))
        case _:  # a run statement: its edges are its start's; a claim's stand apart
            return


def _claimed(
    item: Attestation, names: dict[Digest, str], findings: Sequence[Finding]
) -> Iterator[Edge]:
    """Yield an edge to a claim from each commitment that its statement names."""
    if isinstance(item.commitment, Claim):
        note = f"claim {item.subject.hex()}"
        level = min((f.level for f in findings if f.level and note in f.notes), default=None)
        for digest in about(item.commitment.statement):
            source = names.get(digest, f"{digest.hex()[:16]}…")
            yield Edge(source, item.name, "proved about", level)
