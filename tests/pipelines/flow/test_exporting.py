"""From a home to a verdict, through files: the honest bundle holds, frauds and doubts do not."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.demo import data, frauds
from pipelines.demo.training import train
from pipelines.flow.auditing import WEEK, audit_file, policy_for, verifiers
from pipelines.flow.catalogue import Version, chunk_table, nodes_of
from pipelines.flow.exporting import NEAR, Bundle, spans
from pipelines.flow.monitoring import sign_checkpoint
from pipelines.flow.opening import open_records, prove_in_index, records_at
from pipelines.flow.publishing import publish
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.audit import audit
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.policy import Policy, Requirement
from provenance.training import Run
from storage.celestia.block import MAX_HEADERS
from storage.readers.datasets import Dataset, from_stream

SECOND = 10**9
SAMPLES = 2
REQUIRED = (
    Requirement("log", "*", Level.L1),
    Requirement("dataset", "cells@v1", Level.L1),
    Requirement("dataset", "cells@v2", Level.L1),
    Requirement("unique", "cells@v2", Level.L1),
    Requirement("run", "logistic", Level.L1),
    Requirement("order", "logistic", Level.L2),
    Requirement("steps", "logistic", Level.L3),
)


@dataclass(frozen=True)
class Story:
    """A home in which two versions were published, and a model was trained on the second."""

    space: Workspace
    versions: tuple[Version, Version]
    dataset: Dataset
    run: Run
    checkpoint: bytes
    early: Policy
    made: dict[int | None, Bundle] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        return policy_for(
            self.space,
            name="auditor",
            require=REQUIRED,
            monitors=(self.space.monitor.public_key,),
            samples=SAMPLES,
            trust_operator=True,
        )

    def bundle(self, *, signed_above: int | None = None) -> Bundle:
        """Return a bundle of one's own to change; it is put together once, which takes long."""
        if signed_above not in self.made:
            self.made[signed_above] = self.bundled(signed_above)
        kept = self.made[signed_above]
        return Bundle(self.space, dict(kept.members), set(kept.shown))

    def bundled(self, signed_above: int | None = None) -> Bundle:
        made = Bundle(self.space)
        made.add_log([self.checkpoint])
        made.add_blocks(signed_above=signed_above)
        for version in self.versions:
            made.add_table(version.commitment.digest, nodes_of(self.space, version.commitment))
        made.add_records(self.versions[1], self.dataset, [0, 5])
        proof = prove_in_index(self.space, self.versions[1], self.dataset, 1, "WDBC 003")
        made.add_exclusion(proof)
        made.add_steps(self.run, self.versions[1], self.dataset, SAMPLES)
        return made


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("story") / ".rootline"
        patch.setattr("pipelines.flow.workspace.use", lambda _: None)
        space = Workspace.create(home)
    table = data.load_table()
    first = from_stream(data.first_version(table).slice(0, 40), name="first")
    second = from_stream(data.second_version(table).slice(0, 60), name="second")
    publish(space)
    early = policy_for(space, name="early", require=REQUIRED)
    versions = (_registered(space, "v1", first, table), _registered(space, "v2", second, table))
    publish(space)
    spec = data.feature_spec(table)
    run = train(space, "logistic", "cells@v2", spec, second)
    keys, place = [space.issuer.public_key], space.genesis.namespace
    _, checkpoint = sign_checkpoint(space.ledger, space.verifier, place, keys, space.monitor)
    return Story(space, versions, second, run, checkpoint, early)


def _registered(space: Workspace, version: str, dataset: Dataset, table: pa.Table) -> Version:
    watched = data.watched(Path(), table)
    request = Request(watched.name, version, watched.indexes, watched.features, watched.facts)
    return register(space, dataset, request)


def judged(story: Story, bundle: bytes, policy: Policy | None = None, days: float = 0) -> Verdict:
    now = story.space.clock() + int(days * 86400) * SECOND
    return audit(bundle, policy or story.policy, verifiers(), now)


def of(verdict: Verdict, claim: str, subject: str | None = None) -> Sequence[Finding]:
    return [f for f in verdict.findings if f.claim == claim and subject in (None, f.subject)]


def test_an_honest_bundle_holds_through_files(story: Story, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(story.bundle().seal())
    (tmp_path / "policy").write_bytes(story.policy.encoded)
    verdict = audit_file(tmp_path / "bundle", tmp_path / "policy").verdict
    assert [f for f in verdict.findings if f.outcome is not Outcome.HOLDS] == []
    assert verdict.outcome is Outcome.HOLDS
    [order] = of(verdict, "order")
    assert order.level is Level.L2
    assert [f.level for f in of(verdict, "count")] == [Level.L1, Level.L1]


def test_the_same_home_gives_the_same_bundle(story: Story) -> None:
    assert story.bundled().members == story.bundled().members == story.bundle().members


@pytest.mark.parametrize("name", ["bundle", "policy"])
def test_a_missing_file_is_named(story: Story, tmp_path: Path, name: str) -> None:
    (tmp_path / "bundle").write_bytes(story.bundle().seal())
    (tmp_path / "policy").write_bytes(story.policy.encoded)
    (tmp_path / name).unlink()
    with pytest.raises(MalformedError, match=f"{name} is missing"):
        audit_file(tmp_path / "bundle", tmp_path / "policy")


def test_a_record_changed_after_registration_is_refused(story: Story) -> None:
    fraud = frauds.changed_record(story.bundle(), story.space, story.versions[1], story.dataset)
    verdict = judged(story, fraud.bundle)
    assert verdict.outcome is Outcome.FAILS
    [refused] = [f for f in of(verdict, "record") if f.outcome is Outcome.FAILS]
    assert "not to the committed" in refused.reason


def test_a_rewritten_history_is_refused(story: Story, tmp_path: Path) -> None:
    def again(other: Workspace) -> Bundle:
        made = Bundle(other)
        made.add_log()
        made.add_blocks()
        return made

    before = sorted(path.name for path in story.space.home.path.rglob("*"))
    fraud = frauds.rewritten_ledger(story.space, tmp_path / "rewritten", again)
    assert sorted(path.name for path in story.space.home.path.rglob("*")) == before
    verdict = judged(story, fraud.bundle)
    assert verdict.outcome is Outcome.FAILS
    [refused] = [f for f in of(verdict, "evidence") if f.outcome is Outcome.FAILS]
    assert "another block" in refused.reason


def test_order_is_unknown_to_whoever_does_not_trust_the_operator(story: Story) -> None:
    verdict = judged(story, story.bundle().seal(), replace(story.policy, operators=()))
    assert verdict.outcome is Outcome.UNKNOWN
    for claim in ("order", "steps"):
        [finding] = of(verdict, claim)
        assert finding.outcome is Outcome.UNKNOWN
        assert "does not trust its operator for order" in finding.reason
    assert of(verdict, "dataset", "cells@v2")[0].outcome is Outcome.HOLDS


def test_without_a_checkpoint_uniqueness_and_order_are_unknown(story: Story) -> None:
    verdict = judged(story, story.bundle().seal(), replace(story.policy, monitors=()))
    assert verdict.outcome is Outcome.UNKNOWN
    for claim in ("unique", "order", "steps"):
        assert {f.outcome for f in of(verdict, claim)} == {Outcome.UNKNOWN}


def test_an_anchor_below_the_receipts_is_reached_within_the_trusting_period(story: Story) -> None:
    policy = replace(story.policy, anchors=story.early.anchors)
    sealed = story.bundle(signed_above=policy.anchors[0].height).seal()
    assert judged(story, sealed, policy).outcome is Outcome.HOLDS
    assert judged(story, sealed, policy, days=6).outcome is Outcome.HOLDS


def test_an_anchor_below_the_receipts_is_worth_nothing_after_the_trusting_period(
    story: Story,
) -> None:
    policy = replace(story.policy, anchors=story.early.anchors)
    sealed = story.bundle(signed_above=policy.anchors[0].height).seal()
    verdict = judged(story, sealed, policy, days=WEEK / 86400 + 1)
    assert verdict.outcome is Outcome.UNKNOWN
    assert of(verdict, "dataset") == []
    assert "the anchor is older than the trusting period" in of(verdict, "log")[0].reason


def test_an_anchor_below_the_receipts_needs_signed_blocks(story: Story) -> None:
    policy = replace(story.policy, anchors=story.early.anchors)
    assert judged(story, story.bundle().seal(), policy).outcome is Outcome.UNKNOWN


def test_too_few_opened_steps_are_not_enough(story: Story) -> None:
    policy = replace(story.policy, samples=SAMPLES + 1)
    verdict = judged(story, story.bundle().seal(), policy)
    assert verdict.outcome is not Outcome.HOLDS


def test_records_are_opened_only_from_the_files_that_were_registered(story: Story) -> None:
    with pytest.raises(VerificationError, match="does not hold the records of cells@v1"):
        open_records(story.space, story.versions[0], story.dataset, [10])
    with pytest.raises(MalformedError, match="has no record 60"):
        records_at(story.dataset, [0, 60])


def test_a_lost_index_file_is_made_again_only_from_the_files_that_were_registered(
    story: Story,
) -> None:
    early, late = story.versions
    for version in (early, late):
        root = version.commitment.indexes[1].root
        (story.space.home.nodes / f"{root.hex}.index").unlink()
    with pytest.raises(UnavailableError, match="register the dataset again"):
        prove_in_index(story.space, late, None, 1, "WDBC 003")
    first = prove_in_index(story.space, late, story.dataset, 1, "WDBC 003")
    assert prove_in_index(story.space, late, None, 1, "WDBC 003") == first
    with pytest.raises(VerificationError, match="gives another index than cells@v1's"):
        prove_in_index(story.space, story.versions[0], story.dataset, 1, "WDBC 003")
    with pytest.raises(MalformedError, match="has no index 2"):
        prove_in_index(story.space, story.versions[1], story.dataset, 2, "WDBC 003")


@pytest.mark.parametrize(("value", "claim"), [("WDBC 003", "absence"), ("wdbc 000", "presence")])
def test_a_value_is_shown_to_be_absent_or_present(story: Story, value: str, claim: str) -> None:
    made = story.bundle()
    made.add_exclusion(prove_in_index(story.space, story.versions[1], story.dataset, 1, value))
    found = [f for f in of(judged(story, made.seal()), claim) if value in f.subject]
    assert [f.outcome for f in found] == [Outcome.HOLDS]


def test_a_whole_record_is_shown_to_be_present(story: Story) -> None:
    version = story.versions[1]
    [opening] = open_records(story.space, version, story.dataset, [3])
    made = story.bundle()
    encoded = opening.encoded_record.hex()
    made.add_exclusion(prove_in_index(story.space, version, story.dataset, 0, encoded))
    [found] = of(judged(story, made.seal()), "presence")
    assert found.outcome is Outcome.HOLDS


@pytest.mark.parametrize("value", ["WDBC 003", "00", "ab" * 32])
def test_what_is_no_record_is_not_shown_to_be_absent(story: Story, value: str) -> None:
    with pytest.raises(MalformedError):
        prove_in_index(story.space, story.versions[1], story.dataset, 0, value)


def test_the_demo_trains_what_a_replay_of_every_step_agrees_with(story: Story) -> None:
    samples = story.run.transcript.steps
    made = Bundle(story.space)
    made.add_log([story.checkpoint])
    made.add_blocks()
    made.add_steps(story.run, story.versions[1], story.dataset, samples)
    verdict = judged(story, made.seal(), dataclasses.replace(story.policy, samples=samples))
    [steps] = of(verdict, "steps")
    assert steps.outcome is Outcome.HOLDS
    assert f"{samples} of {samples} steps replayed" in steps.reason
    assert len(chunk_table(story.space, story.versions[1])) == 1


@given(
    first=st.integers(1, 50),
    length=st.integers(0, 3 * MAX_HEADERS),
    needed=st.lists(st.integers(1, 3 * MAX_HEADERS), max_size=20),
)
def test_a_long_logs_bundle_holds_the_newest_blocks_and_what_the_log_names(
    first: int, length: int, needed: list[int]
) -> None:
    head = first + length
    found = spans(first, head, needed)
    assert found[-1][1] == head
    assert all(low <= high for low, high in found)
    assert all(below[1] < above[0] for below, above in pairwise(found))
    for height in needed:
        inside = any(low <= height <= high for low, high in found)
        assert inside == (first <= height <= head)
    assert sum(high - low + 1 for low, high in found) <= MAX_HEADERS + NEAR * len(needed) + 1


def test_blocks_near_each_other_are_carried_with_those_between() -> None:
    head = 10 * MAX_HEADERS
    tail = (head - MAX_HEADERS // 2, head)
    assert spans(1, head, [100, 100 + NEAR, 5000]) == [(100, 100 + NEAR), (5000, 5000), tail]
    assert spans(1, head, [tail[0] - NEAR]) == [(tail[0] - NEAR, head)]


def test_made_up_blocks_are_refused(story: Story) -> None:
    policy, bundle = story.policy, story.bundle()
    fraud = frauds.relinked_blocks(bundle, story.space)
    verdict = audit(fraud.bundle, policy, verifiers(), story.space.clock())
    reasons = [f.reason for f in verdict.findings if f.outcome is Outcome.FAILS]
    assert any("another block" in reason for reason in reasons)
