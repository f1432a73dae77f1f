"""What came from what, and what it is worth."""

from dataclasses import replace

from provenance.field import Digest
from provenance.findings import Edge, Finding, Level, Outcome
from provenance.lineage import _levels, mermaid
from tests.provenance.world import build


def test_an_honest_world_has_versions_a_run_and_a_proof_with_their_levels() -> None:
    world = build()
    verdict = world.audit()
    assert verdict.outcome is Outcome.HOLDS
    found = {(edge.role, edge.level) for edge in verdict.edges}
    assert {("previous", Level.L1), ("train", Level.L2)} <= found
    assert {edge.role for edge in verdict.edges} == {"previous", "train", "proved about"}


def test_an_edge_about_which_nothing_was_found_is_unknown() -> None:
    world = build(seed=lambda _: b"\7" * 32)
    [train] = [edge for edge in world.audit().edges if edge.role == "train"]
    assert train.level is None


def test_a_base_model_is_declared_and_its_digest_stands_for_it() -> None:
    base = Digest(b"\5" * 32)
    world = build(start=lambda start: replace(start, base=base))
    policy = replace(world.policy, models=(base,))
    [edge] = [edge for edge in world.audit(policy).edges if edge.role == "base model"]
    assert (edge.source, edge.level) == (f"{base.hex()[:16]}…", Level.L0)


def test_a_graph_is_drawn_with_its_levels() -> None:
    drawn = mermaid(
        [Edge("a@v1", "a@v2", "previous", Level.L1), Edge("a@v2", "run", "train", None)]
    )
    assert drawn.splitlines() == [
        "flowchart LR",
        '  n0["a@v1"]',
        '  n1["a@v2"]',
        '  n2["run"]',
        "  n0 -->|previous, L1| n1",
        "  n1 -->|train, unknown| n2",
    ]


def test_of_findings_about_one_name_the_weakest_counts_and_a_spoilt_one_counts_for_all() -> None:
    def about(subject: str, outcome: Outcome, level: Level | None) -> Finding:
        return Finding("order", subject, outcome, "", level)

    found = _levels(
        [
            about("twice", Outcome.HOLDS, Level.L1),
            about("twice", Outcome.HOLDS, Level.L2),
            about("spoilt", Outcome.HOLDS, Level.L2),
            about("spoilt", Outcome.UNKNOWN, None),
        ]
    )
    assert found == {("order", "twice"): Level.L1}


def test_data_that_no_step_was_replayed_on_is_worth_no_more_than_its_anchor() -> None:
    world = build()
    other = world["v1"].digest
    world = build(start=lambda start: replace(start, datasets={**start.datasets, "tune": other}))
    found = {edge.role: edge.level for edge in world.audit().edges}
    assert (found["train"], found["tune"]) == (Level.L2, Level.L1)
