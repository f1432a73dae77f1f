"""Lies about the ledger and the log: blocks, receipts, anchors, headers, checkpoints."""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from pipelines.flow.reading import plan, read_logs
from pipelines.progress import Silent
from provenance import canonical, checkpoint, log
from provenance.audit import Scanned, audit
from provenance.audit.ledger import blocks_document
from provenance.audit.scanned import audit_scanned
from provenance.errors import SignatureError
from provenance.field import Digest
from provenance.findings import Outcome, Verdict
from provenance.policy import Policy, Span
from provenance.receipt import Receipt
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import MemoryLedger
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import (
    DAY,
    HONEST,
    ISSUER,
    MONITOR,
    NAMESPACE,
    ROTATED,
    STRANGER,
    VERIFIERS,
    Key,
    World,
    add_steps,
    bad,
    build,
    close,
)
from tests.storage.celestia.chains import Crew, sign

OTHER = Digest(b"\7" * 32)


def without(world: World, *paths: str) -> dict[str, bytes]:
    """Return the members whose paths do not begin with one of `paths`."""
    return {p: d for p, d in world.members.items() if not p.startswith(paths)}


def anchored(world: World, **changes: Any) -> Policy:
    """Return the world's policy with its anchor changed."""
    return replace(world.policy, anchors=(replace(world.policy.anchors[0], **changes),))


# anchors and blocks


def test_an_anchor_that_only_the_evidence_names_does_not_count(honest: World) -> None:
    verdict = honest.audit(replace(honest.policy, anchors=()))
    assert finding(verdict, "evidence", "only the evidence names", Outcome.UNKNOWN)
    other = anchored(honest, chain="another-chain")
    assert finding(honest.audit(other), "evidence", "has no anchor for memory", Outcome.UNKNOWN)


def test_another_block_at_the_anchors_height_fails(honest: World) -> None:
    assert finding(honest.audit(anchored(honest, hash=OTHER)), "evidence", "another block 10")


def test_an_anchor_at_another_height_than_its_block_fails(honest: World) -> None:
    assert finding(honest.audit(anchored(honest, height=9)), "evidence", "has height 10")


def test_an_anchor_beyond_the_evidence_is_unknown(honest: World) -> None:
    verdict = honest.audit(anchored(honest, height=99, hash=OTHER))
    assert finding(verdict, "log", "the anchor's block 99 is not in the evidence", Outcome.UNKNOWN)
    assert all(f.claim != "dataset" for f in verdict.findings)


def test_without_block_headers_nothing_is_known(honest: World) -> None:
    verdict = honest.audit(members=without(honest, "blocks.json"))
    assert finding(verdict, "evidence", "holds no block headers", Outcome.UNKNOWN)


def rewritten(world: World) -> World:
    """Return what the operator makes who writes the same heights again, at another time."""
    later = MemoryLedger(world.ledger.chain, clock=lambda: 1_800_000_000 * 10**9)
    copy = World(world.changes, world.samples, later, dict(world.members))
    copy.policy = world.policy
    for batch, height in zip(world.batches, world.heights, strict=True):
        while later.head() < height - 1:
            later.advance()
        copy.post(batch)
    while later.head() < world.ledger.head():
        later.advance()
    return copy


def test_a_rewritten_ledger_fails_at_its_anchor(honest: World) -> None:
    forged = rewritten(honest)
    linked = forged.ledger.headers(1, forged.ledger.head())
    document = blocks_document("memory", forged.ledger.chain, linked, ())
    forged.members["blocks.json"] = canonical.encode(document)
    assert finding(forged.audit(), "evidence", "another block 10 than the anchor")


def test_receipts_from_a_rewritten_ledger_fail_against_the_anchored_blocks(honest: World) -> None:
    forged = rewritten(honest)
    assert finding(forged.audit(), "log", "the ledger's history was rewritten")


def test_blocks_that_do_not_follow_each_other_fail(honest: World) -> None:
    headers = honest.ledger.headers(2, 10)
    for chosen in (
        (*headers, headers[-1]),
        (headers[1], headers[0], *headers[2:]),
    ):
        document = blocks_document("memory", honest.ledger.chain, chosen, ())
        members = honest.members | {"blocks.json": canonical.encode(document)}
        assert finding(honest.audit(members=members), "evidence", "stands after block")


def test_blocks_of_another_chain_fail(honest: World) -> None:
    document = blocks_document("memory", "another", honest.ledger.headers(2, 10), ())
    members = honest.members | {"blocks.json": canonical.encode(document)}
    assert finding(honest.audit(members=members), "evidence", "'chain' must be 'tests-1'")


def upwards(world: World, low: int, now_after: int = DAY) -> Verdict:
    """Return the verdict of an auditor who knows an old block, `now_after` ns after it."""
    head, anchor = world.ledger.head(), world.block(low)
    document = blocks_document(
        "memory",
        world.ledger.chain,
        world.ledger.headers(world.heights[0], low),
        [world.ledger.header(height) for height in range(low + 1, head + 1)],
    )
    members = world.members | {"blocks.json": canonical.encode(document)}
    policy = anchored(world, height=low, hash=anchor.hash)
    return audit(world.seal(members), policy, VERIFIERS, anchor.time + now_after)


def test_signed_blocks_above_an_anchor_count_within_the_trusting_period(honest: World) -> None:
    verdict = upwards(honest, 3)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


@pytest.mark.parametrize(
    ("now_after", "words"),
    [(8 * DAY, "older than the trusting period"), (-11 * 10**9, "dated later than this check")],
)
def test_signed_blocks_above_an_anchor_do_not_count_outside_of_it(
    honest: World, now_after: int, words: str
) -> None:
    verdict = upwards(honest, 3, now_after)
    assert finding(verdict, "log", words, Outcome.UNKNOWN)


def shown(world: World, linked: Iterable[int], signed: Iterable[int]) -> dict[str, bytes]:
    """Return the member blocks.json with plain headers and extended ones of these heights."""
    ledger = world.ledger
    plain = [ledger.headers(height, height)[0] for height in linked]
    extended = [ledger.header(height) for height in signed]
    document = blocks_document(ledger.kind, ledger.chain, plain, extended)
    return {"blocks.json": canonical.encode(document)}


def test_a_jump_and_the_links_below_it_carry_what_an_old_anchor_does_not(honest: World) -> None:
    low = anchored(honest, height=3, hash=honest.block(3).hash)
    whole = honest.members | shown(honest, range(2, 10), [3, 10])
    assert honest.audit(low, whole).outcome is Outcome.HOLDS
    for linked, signed, words in (
        (range(2, 10), [10], "the signed blocks that follow end at block 3"),
        ([2, 3, 4, 5, 7, 8, 9], [3, 10], "the links end at block 7"),
    ):
        verdict = honest.audit(low, honest.members | shown(honest, linked, signed))
        assert finding(verdict, "log", words, Outcome.UNKNOWN)


def test_an_anchor_at_each_block_needs_no_links(honest: World) -> None:
    [first] = honest.policy.anchors
    anchors = tuple(
        replace(first, height=height, hash=honest.block(height).hash) for height in range(2, 11)
    )
    members = honest.members | shown(honest, [], range(2, 11))
    late = honest.now + 100 * 365 * DAY
    policy = replace(honest.policy, anchors=anchors)
    assert audit(honest.seal(members), policy, VERIFIERS, late).outcome is Outcome.HOLDS


def test_adjacent_headers_that_do_not_link_fail(honest: World) -> None:
    other = rewritten(honest).ledger
    headers = [*honest.ledger.headers(2, 5), *other.headers(6, 10)]
    for plain, extended in ((headers, []), ([], [honest.ledger.header(5), other.header(6)])):
        document = blocks_document("memory", honest.ledger.chain, plain, extended)
        members = honest.members | {"blocks.json": canonical.encode(document)}
        assert finding(honest.audit(members=members), "evidence", "does not follow block 5")


def test_unsigned_blocks_above_an_anchor_do_not_count(honest: World) -> None:
    low = honest.block(4)
    verdict = honest.audit(anchored(honest, height=4, hash=low.hash))
    assert finding(verdict, "log", "does not hang on the policy's anchor", Outcome.UNKNOWN)


# receipts


def change_receipt(world: World, sequence: int, change: Callable[[Receipt], Receipt]) -> Verdict:
    path = f"receipts/{sequence:010d}.json"
    told = change(Receipt.parse(world.members[path])).encoded
    return world.audit(members=world.members | {path: told})


def test_a_receipt_of_another_namespace_or_chain_fails(honest: World) -> None:
    for change in (
        {"namespace": bytes(19) + b"another-ns"},
        {"chain": "another"},
        {"ledger": "embedded"},
    ):
        verdict = change_receipt(honest, 1, partial(replace, **change))
        assert finding(verdict, "log", "another ledger, chain or namespace")


def test_a_log_whose_first_header_names_another_namespace_fails() -> None:
    other = bytes(19) + b"another-ns"
    verdict = build(genesis=lambda genesis: replace(genesis, namespace=other)).audit()
    assert finding(verdict, "log", "another ledger, chain or namespace")


def test_a_receipt_at_another_height_fails(honest: World) -> None:
    verdict = change_receipt(honest, 1, lambda r: replace(r, height=4))
    assert finding(verdict, "log", "block header is of another chain or height")


def test_a_receipt_with_another_commitment_fails(honest: World) -> None:
    verdict = change_receipt(honest, 1, lambda r: replace(r, commitment=OTHER))
    assert finding(verdict, "log", "the proof leads to")


def test_a_receipt_for_another_header_fails(honest: World) -> None:
    one, other = "receipts/0000000001.json", "receipts/0000000002.json"
    members = honest.members | {one: honest.members[other]}
    assert finding(honest.audit(members=members), "log", "receipt 1 is for another header")
    members = honest.members | {"receipts/0000000009.json": honest.members[other]}
    assert finding(honest.audit(members=members), "log", "receipt 9 is for another header")


def test_a_batch_without_a_receipt_is_unknown(honest: World) -> None:
    verdict = honest.audit(members=without(honest, "receipts/0000000002.json"))
    assert finding(verdict, "log", "no receipt shows where it was published", Outcome.UNKNOWN)


def test_a_header_by_a_key_outside_its_heights_fails(honest: World) -> None:
    issuer = replace(honest.policy.issuers[0], good=(Span(honest.ledger.chain, 1, 4),))
    verdict = honest.audit(replace(honest.policy, issuers=(issuer,)))
    assert finding(verdict, "log", "its key is not good for block 5")


def test_heights_of_a_key_are_inclusive_and_per_chain(honest: World) -> None:
    issuer = replace(honest.policy.issuers[0], good=(Span(honest.ledger.chain, 2, 8),))
    assert honest.audit(replace(honest.policy, issuers=(issuer,))).outcome is Outcome.HOLDS
    issuer = replace(issuer, good=(Span("another", 1, None),))
    assert honest.audit(replace(honest.policy, issuers=(issuer,))).outcome is Outcome.FAILS


# headers


def test_a_bundle_without_a_log_fails(honest: World) -> None:
    assert finding(honest.audit(members=without(honest, "log/")), "evidence", "holds no log")


def test_a_log_that_the_policy_does_not_know_fails(honest: World) -> None:
    verdict = honest.audit(replace(honest.policy, logs=(OTHER,)))
    assert finding(verdict, "evidence", "the policy does not know log")


def test_a_second_first_header_under_one_key_is_another_log(honest: World) -> None:
    other = build(genesis=lambda genesis: replace(genesis, ledger="embedded"))
    assert other.log_id != honest.log_id
    verdict = other.audit(honest.policy)
    assert finding(verdict, "evidence", "the policy does not know log")


def test_a_log_that_does_not_begin_with_its_first_header_fails(honest: World) -> None:
    verdict = honest.audit(members=without(honest, "log/0000000000"))
    assert finding(verdict, "evidence", "it does not begin with its first header")


def test_a_log_with_a_gap_fails(honest: World) -> None:
    verdict = honest.audit(members=without(honest, "log/0000000002"))
    assert finding(verdict, "evidence", "the log has a gap: header 2 is missing")


def test_a_header_under_another_sequence_number_fails(honest: World) -> None:
    members = honest.members | {"log/0000000001.json": honest.members["log/0000000002.json"]}
    assert finding(honest.audit(members=members), "evidence", "holds header 2")


def reissued(world: World, sequence: int, signer: Key = ISSUER, **changes: Any) -> Verdict:
    """Return the verdict on a log in which one header says something else, signed."""
    header = replace(world.batches[sequence].header, **changes)
    members = world.members | {f"log/{sequence:010d}.json": log._seal(header, signer)}
    return world.audit(members=members)


def test_a_header_of_another_log_fails(honest: World) -> None:
    assert finding(reissued(honest, 4, log=OTHER), "log", "it names another log")


def test_a_header_that_follows_another_one_fails(honest: World) -> None:
    assert finding(reissued(honest, 4, previous=OTHER), "log", "it follows another header")
    assert finding(reissued(honest, 2, statement=b"{}"), "log", "it follows another header")


def test_a_header_by_another_issuer_fails(honest: World) -> None:
    verdict = reissued(honest, 4, STRANGER)
    assert finding(verdict, "evidence", "batch 4 is signed by another issuer")
    with pytest.raises(SignatureError, match="not signed by the key that it names"):
        log.verify_header(log._seal(honest.batches[0].header, STRANGER), honest.policy.keys())


def test_a_header_by_the_issuers_second_key_holds() -> None:
    world = build(HONEST[:-1])
    world.members = without(world, "checkpoints/")
    head = world.batches[-1].header
    world.post(log.append(head, [], None, ROTATED))
    while world.ledger.head() < world["run"].challenge_height:
        world.ledger.advance()
    add_steps(world)
    close(world)
    verdict = world.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


def test_entries_that_do_not_fit_their_header_fail(honest: World) -> None:
    path, other = "entries/0000000001.bin", "entries/0000000002.bin"
    entries = log.split_entries(honest.members[path])
    for blob in (honest.members[other], b"".join(reversed(entries)), entries[0]):
        verdict = honest.audit(members=honest.members | {path: blob})
        assert finding(verdict, "evidence", "another blob of entries than its header's")


def test_entries_beside_no_header_fail(honest: World) -> None:
    members = honest.members | {"entries/0000000009.bin": b"x"}
    assert finding(honest.audit(members=members), "evidence", "belongs to no header")


# checkpoints


def seen(world: World, signer: Key = MONITOR, **changes: Any) -> Verdict:
    """Return the verdict where the monitor's checkpoint says something else."""
    return world.audit(members=with_checkpoint(world, signer, **changes))


def with_checkpoint(world: World, signer: Key = MONITOR, **changes: Any) -> dict[str, bytes]:
    told = replace(world["checkpoint"], **changes)
    data = checkpoint.sign(told, signer)
    return without(world, "checkpoints/") | {
        f"checkpoints/{canonical.digest(data).hex()}.json": data
    }


def test_a_checkpoint_stretched_over_a_later_fork_fails() -> None:
    """The monitor saw one header 4; the bundle shows another that hangs on the same header 3."""
    honest = build()
    forged = build(run=lambda run: replace(run, metrics={"accuracy": "1.00"}))
    assert honest.batches[3].header == forged.batches[3].header
    path = next(p for p in honest.members if p.startswith("checkpoints/"))
    members = without(forged, "checkpoints/") | {path: honest.members[path]}
    verdict = forged.audit(members=members)
    assert finding(verdict, "log", "the monitor saw another header 4 than the bundle has: a fork")
    assert finding(verdict, "order", "no monitor's checkpoint", Outcome.UNKNOWN)


def test_a_checkpoint_before_the_last_headers_says_nothing_of_them(honest: World) -> None:
    head = honest.batches[3].header.digest
    verdict = seen(honest, head=head, sequence=3)
    assert finding(verdict, "log", "it speaks for headers up to 3", Outcome.UNKNOWN)
    assert finding(verdict, "order", "no monitor's checkpoint", Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "words", "outcome"),
    [
        ({"head": OTHER}, "the monitor saw another header", Outcome.FAILS),
        ({"log": OTHER}, "another chain or log", Outcome.FAILS),
        ({"chain": "another"}, "another chain or log", Outcome.FAILS),
        ({"block": OTHER}, "it saw another block 10", Outcome.FAILS),
        ({"sequence": 9}, "beyond the headers in the bundle", Outcome.UNKNOWN),
        ({"first": 3}, "it begins at block 3", Outcome.UNKNOWN),
        ({"last": 99}, "does not hang on the policy's anchor", Outcome.UNKNOWN),
    ],
)
def test_a_checkpoint_that_speaks_of_something_else_is_no_use(
    honest: World, changes: dict[str, Any], words: str, outcome: Outcome
) -> None:
    verdict = seen(honest, **changes)
    assert finding(verdict, "log", words, outcome)
    assert finding(verdict, "unique", "no checkpoint", Outcome.UNKNOWN)


def test_a_monitor_who_began_above_where_a_key_is_good_could_miss_a_fork_below(
    honest: World,
) -> None:
    """The first header's bytes can be posted again: its receipt does not show where it began."""
    spans = (Span(honest.ledger.chain, 1, None),)
    issuers = tuple(replace(issuer, good=spans) for issuer in honest.policy.issuers)
    policy = replace(honest.policy, issuers=issuers)
    verdict = honest.audit(policy, with_checkpoint(honest, first=2))
    words = "it begins at block 2, a key of the issuer is good from block 1"
    assert finding(verdict, "log", words, Outcome.UNKNOWN)
    assert honest.audit(policy, with_checkpoint(honest, first=1)).outcome is Outcome.HOLDS
    later = tuple(replace(i, good=(Span(honest.ledger.chain, 2, None),)) for i in issuers)
    policy = replace(policy, issuers=later)
    assert honest.audit(policy, with_checkpoint(honest, first=2)).outcome is Outcome.HOLDS


def test_a_checkpoint_below_a_receipt_is_no_use(honest: World) -> None:
    verdict = seen(honest, last=7, block=honest.block(7).hash)
    assert finding(verdict, "log", "above the heights that it scanned", Outcome.UNKNOWN)


def test_a_checkpoint_where_nothing_shows_the_logs_beginning_is_no_use(honest: World) -> None:
    members = without(honest, "receipts/0000000000")
    verdict = honest.audit(members=members)
    assert finding(verdict, "log", "in which block the log begins", Outcome.UNKNOWN)


def test_a_checkpoint_by_an_unknown_monitor_is_no_use(honest: World) -> None:
    verdict = seen(honest, STRANGER)
    assert finding(verdict, "log", "a monitor whom the policy does not name", Outcome.UNKNOWN)
    verdict = honest.audit(replace(honest.policy, monitors=()))
    assert finding(verdict, "log", "a monitor whom the policy does not name", Outcome.UNKNOWN)


def test_a_checkpoint_of_another_namespace_says_nothing_of_this_log(honest: World) -> None:
    members = with_checkpoint(honest, namespace=bytes(19) + b"rl-tests-2")
    assert finding(honest.audit(members=members), "log", "another namespace than the log's")


def test_a_monitor_who_looked_for_one_of_two_keys_could_miss_a_fork(honest: World) -> None:
    members = with_checkpoint(honest, keys=(ISSUER.key_id,))
    reason = "did not look for all of the issuer's keys"
    assert finding(honest.audit(members=members), "log", reason, Outcome.UNKNOWN)


def test_evidence_that_contradicts_a_second_anchor_fails_whatever_their_order(
    honest: World,
) -> None:
    [anchor] = honest.policy.anchors
    other = replace(anchor, height=anchor.height - 1, hash=OTHER)
    for anchors in ((anchor, other), (other, anchor)):
        policy = replace(honest.policy, anchors=anchors)
        assert finding(honest.audit(policy), "evidence", "the evidence has another block")


def test_a_manifest_by_a_key_outside_its_heights_fails(honest: World) -> None:
    chain = honest.ledger.chain
    issuers = tuple(
        replace(issuer, good=(Span(chain, 1, 1),)) if issuer.key == ROTATED.public_key else issuer
        for issuer in honest.policy.issuers
    )
    policy = replace(honest.policy, issuers=issuers)
    data = honest.seal(signer=ROTATED)
    assert finding(honest.audit(policy, data=data), "evidence", "its key is not good")


def test_a_second_monitor_does_not_disturb_the_first(honest: World) -> None:
    members = honest.members | with_checkpoint(honest, STRANGER)
    assert honest.audit(members=members).outcome is Outcome.HOLDS


def test_the_highest_of_a_monitors_checkpoints_counts(honest: World) -> None:
    lower = with_checkpoint(honest, last=9, block=honest.block(9).hash)
    verdict = honest.audit(members=honest.members | lower)
    [found] = [f for f in verdict.findings if f.claim == "log"]
    assert "scanned to block 10" in found.reason


def test_a_checkpoint_with_a_forged_signature_fails(honest: World) -> None:
    path = next(p for p in honest.members if p.startswith("checkpoints/"))
    data = honest.members[path]
    at = data.index(b'"sig":"') + 10
    forged = data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]
    members = without(honest, "checkpoints/") | {
        f"checkpoints/{canonical.digest(forged).hex()}.json": forged
    }
    assert finding(honest.audit(members=members), "log", "not signed by key")


def test_a_checkpoint_under_another_name_than_its_digest_fails(honest: World) -> None:
    path = next(p for p in honest.members if p.startswith("checkpoints/"))
    members = honest.members | {f"checkpoints/{OTHER.hex()}.json": honest.members[path]}
    assert finding(honest.audit(members=members), "log", "its name is not its digest")


class PublicLedger(MemoryLedger):
    """The same blocks, as if a crew of Celestia's validators had signed them."""

    kind = "celestia"  # type: ignore[misc]  # Final there, for good; another ledger here

    def __init__(self, chain: str, crew: Crew) -> None:
        self.crew = crew
        super().__init__(chain)

    @override
    def _append(self, blobs: tuple[Blob, ...], roots: DataAvailabilityHeader) -> int:
        height = super()._append(blobs, roots)
        made, validators = self._blocks[-1][0], self.crew.validators
        header = replace(
            made.header,
            validators=validators.hash,
            next_validators=validators.hash,
            proposer=validators.validators[0].address,
        )
        signed = replace(sign(header, self.crew), availability=roots)
        self._blocks[-1] = (signed, blobs)
        return height


@pytest.fixture(scope="module")
def public() -> World:
    """Return a world on a chain where one of two validators holds exactly two thirds."""
    return build(ledger=PublicLedger("mocha-4", Crew.of(a=200, b=100)))


def test_a_public_ledger_needs_no_trusted_operator(public: World) -> None:
    verdict = public.audit(replace(public.policy, operators=()))
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    rests = {rest for f in verdict.findings for rest in f.rests_on}
    assert not any("operator" in rest for rest in rests)
    assert any("less than a third of the voting power of mocha-4" in rest for rest in rests)
    assert any("2 validators" in rest for rest in rests)
    [order] = [f for f in verdict.findings if f.claim == "order"]
    assert any("less than a third" in rest for rest in order.rests_on)
    assert any(rest.endswith("(block 10 of mocha-4)") for rest in rests)


def test_a_public_chain_that_one_validator_can_write_alone_is_self_hosted() -> None:
    world = build(ledger=PublicLedger("mocha-4", Crew.of(a=201, b=100)))
    verdict = world.audit(replace(world.policy, operators=()))
    words = (
        "the ledger is self-hosted and the policy does not trust its operator for order: whoever"
    )
    assert finding(verdict, "order", words, Outcome.UNKNOWN)
    trusting = world.audit(replace(world.policy, operators=("mocha-4",)))
    assert trusting.outcome is Outcome.HOLDS, bad(trusting)
    rests = {rest for f in trusting.findings for rest in f.rests_on}
    assert any("whoever holds most of the voting power of self-hosted chain" in r for r in rests)


def test_findings_about_a_log_on_a_self_hosted_chain_name_who_could_have_written_it() -> None:
    """One validator calls his own chain celestia."""
    world = build(ledger=PublicLedger("celestia", Crew.of("me")))
    scans = own_scans(world, world.policy)
    told = (
        world.audit(),
        audit(world.seal(), world.policy, VERIFIERS, world.now, scans[0]),
        audit_scanned(scans, world.policy, world.now),
    )
    for verdict in told:
        logs = [f for f in verdict.findings if f.claim == "log" and f.level is not None]
        assert logs
        for found in logs:
            assert "of self-hosted celestia chain celestia" in found.reason
            assert any("whoever holds most of the voting power" in r for r in found.rests_on)


def test_findings_about_a_log_on_a_public_chain_rest_on_its_validators(public: World) -> None:
    for verdict in (public.audit(), audit_scanned(own_scans(public), public.policy, public.now)):
        [found] = [f for f in verdict.findings if f.claim == "log" and f.level is not None]
        assert "self-hosted" not in found.reason
        assert any("less than a third of the voting power" in rest for rest in found.rests_on)


def own_scans(world: World, policy: Policy | None = None) -> tuple[Scanned, ...]:
    """Return what an auditor reads of a world's ledger, the issuer's log first."""
    trusted = policy or world.policy
    task = plan(world.ledger, trusted, namespace=NAMESPACE)
    return read_logs(world.ledger, CelestiaVerifier(), trusted, task, "a node", Silent())


def test_a_public_chain_that_one_validator_could_jump_over_is_self_hosted(public: World) -> None:
    members = public.members | shown(public, range(2, 10), [3, 10])
    low = anchored(public, height=3, hash=public.block(3).hash)
    verdict = public.audit(replace(low, operators=()), members)
    assert finding(verdict, "order", "the ledger is self-hosted", Outcome.UNKNOWN)
    assert public.audit(replace(low, operators=("mocha-4",)), members).outcome is Outcome.HOLDS


def test_a_public_chain_whose_power_nothing_shows_is_self_hosted(public: World) -> None:
    members = {p: d for p, d in public.members.items() if not p.startswith("receipts/")}
    verdict = public.audit(replace(public.policy, operators=()), members)
    assert verdict.outcome is not Outcome.HOLDS
    assert not any("less than a third" in rest for f in verdict.findings for rest in f.rests_on)


@pytest.mark.parametrize("is_lone", [False, True])
def test_a_reading_that_one_validators_jump_could_have_led_is_self_hosted(
    public: World,
    is_lone: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """The blocks that are kept do not show it: their validators may be those he made up."""
    ledger = copy(public.ledger)
    ledger.is_lone = is_lone  # type: ignore[attr-defined]  # as behind a light client
    policy = replace(public.policy, operators=(), monitors=())
    task = plan(ledger, policy, namespace=NAMESPACE)
    scans = read_logs(ledger, CelestiaVerifier(), policy, task, "a node", Silent())
    assert [scan.blocks.is_lone for scan in scans] == [is_lone] * len(scans)
    [order] = [f for f in audit_scanned(scans, policy, public.now).findings if f.claim == "order"]
    assert ("self-hosted" in order.reason) is is_lone


def test_a_bundle_whose_block_is_not_the_one_that_was_read_fails(honest: World) -> None:
    """The reading keeps few blocks, but the hash of every one."""
    [scan] = [s for s in own_scans(honest) if ISSUER.public_key in s.keys]
    height = honest.heights[1]
    believed = {h: block for h, block in scan.blocks.believed.items() if h != height}
    other = replace(
        scan,
        hashes={**scan.hashes, height: OTHER},
        blocks=replace(scan.blocks, believed=believed),
    )
    verdict = audit(honest.seal(), honest.policy, VERIFIERS, honest.now, other)
    assert finding(verdict, "log", f"block {height} is 0707070707070707… on the ledger")


def test_a_receipt_below_the_first_place_where_the_header_was_read_fails(honest: World) -> None:
    [scan] = [s for s in own_scans(honest) if ISSUER.public_key in s.keys]
    headers = list(scan.history.headers)
    headers[1] = replace(headers[1], height=honest.heights[1] + 1)
    late = replace(scan, history=replace(scan.history, headers=tuple(headers)))
    verdict = audit(honest.seal(), honest.policy, VERIFIERS, honest.now, late)
    words = f"batch 1 has a receipt for block {honest.heights[1]}, which was read"
    assert finding(verdict, "log", words)
