"""A log that the auditor read himself: with a bundle in a monitor's place, and without one."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

import pytest

from pipelines.flow.reading import Task, plan, read_logs
from pipelines.progress import Silent
from provenance import log
from provenance.attestation import attest
from provenance.audit import Scanned, audit
from provenance.audit.scanned import audit_disputed, audit_scanned
from provenance.canonical import JsonObject
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.findings import Level, Outcome, Verdict
from provenance.history import Sighting
from provenance.policy import Policy, Requirement, Span
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import MemoryLedger
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import (
    HONEST,
    ISSUER,
    NAMESPACE,
    ROTATED,
    STRANGER,
    VERIFIERS,
    Key,
    World,
    bad,
    build,
    commitment,
)

OTHER = Digest(b"\7" * 32)
REQUIRED = tuple(Requirement(claim, "*", Level.L1) for claim in ("log", "dataset", "unique"))


def scanned(world: World, policy: Policy | None = None, **options: Any) -> Scanned:
    """Return what an auditor reads of a world's ledger."""
    trusted = policy or world.policy
    task = plan(world.ledger, trusted, **({"namespace": NAMESPACE} | options))
    return next(scan for scan in read(world, trusted, task) if ISSUER.public_key in scan.keys)


def read(world: World, policy: Policy, task: Task) -> tuple[Scanned, ...]:
    return read_logs(world.ledger, CelestiaVerifier(), policy, task, "memory", Silent())


def without_bundle(world: World, policy: Policy | None = None, **options: Any) -> Verdict:
    trusted = policy or replace(world.policy, require=REQUIRED)
    task = plan(world.ledger, trusted, **({"namespace": NAMESPACE} | options))
    return audit_scanned(read(world, trusted, task), trusted, world.now)


def with_bundle(world: World, policy: Policy | None = None, **options: Any) -> Verdict:
    """Return the verdict on a bundle without a checkpoint, by an auditor who reads himself."""
    trusted = replace(policy or world.policy, monitors=())
    members = {p: d for p, d in world.members.items() if not p.startswith("checkpoints/")}
    scan = scanned(world, trusted, **options)
    return audit(world.seal(members), trusted, VERIFIERS, world.now, scan)


@pytest.fixture(scope="session")
def plain() -> World:
    """A world whose log publishes everything in full."""
    return build(tuple(event for event in HONEST if event != "claim"))


def grown(world: World, *posts: tuple[bytes, ...]) -> World:
    """Return the world after more blocks, one a post; the ledger of the old one stays."""
    later, ledger = copy(world), copy(world.ledger)
    ledger._blocks = list(ledger._blocks)
    for blobs in posts:
        ledger.submit([Blob(NAMESPACE, data) for data in blobs])
    later.ledger = ledger
    return later


def more(world: World, *, after: int = -1, signer: Key = ISSUER) -> log.Batch:
    """Return a batch that follows one of the world's, by default the newest."""
    entry = log.digest_entry(b"more")
    return log.append(world.batches[after].header, [entry], None, signer)


# without a bundle


def test_the_ledger_alone_shows_who_published_what_when(plain: World) -> None:
    verdict = without_bundle(plain)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    levels = {(f.claim, f.subject): f.level for f in verdict.findings if f.level}
    assert levels["dataset", "cells@v1"] is Level.L1
    assert levels["run", "first-run"] is Level.L1
    (about,) = (f for f in verdict.findings if f.claim == "log")
    assert "read by the auditor himself" in about.reason
    assert "blocks 1 to " in about.reason
    assert "memory chain tests-1" in about.reason
    assert any("censorship" in note for note in about.notes)
    assert any("another namespace" in note for note in about.notes)
    assert any("stay available" in note for note in about.notes)
    assert any("anchor" in rest for rest in about.rests_on)
    unique = [f.rests_on for f in verdict.findings if f.claim == "unique"]
    assert set(unique) == {("the auditor's own reading",)}


def test_what_the_ledger_does_not_hold_is_unknown(honest: World) -> None:
    verdict = without_bundle(honest)
    assert finding(verdict, "steps", "none of its steps are opened", Outcome.UNKNOWN)
    assert finding(verdict, "count", "chunk table", Outcome.UNKNOWN)
    assert finding(verdict, "unique", "not opened", Outcome.UNKNOWN)
    assert all(f.level is None or f.level <= Level.L1 for f in verdict.findings)


def test_a_log_that_is_not_there_is_unknown(plain: World) -> None:
    policy = replace(plain.policy, logs=(OTHER,), require=REQUIRED)
    verdict = without_bundle(plain, policy)
    assert finding(verdict, "log", "no header of it was found in blocks 1 to", Outcome.UNKNOWN)
    assert finding(without_bundle(plain, first=4), "log", "no header of it", Outcome.UNKNOWN)


def test_a_log_that_was_posted_again_hides_nothing_below_what_was_read(plain: World) -> None:
    """A fork stands in the blocks that were not read; above them the log is posted once more."""
    posts = [tuple(filter(None, (b.envelope, b.entries))) for b in plain.batches]
    again = grown(plain, *((*post, b"again") for post in posts))
    first = plain.ledger.head() + 1
    head = again.block(again.ledger.head())
    anchor = replace(plain.policy.anchors[0], height=head.height, hash=head.hash)
    anchored = replace(plain.policy, require=REQUIRED, anchors=(anchor,))
    beside = with_bundle(again, anchored, first=first)
    assert finding(beside, "log", f"it begins at block {first}, a key of", Outcome.UNKNOWN)
    verdict = without_bundle(again, anchored, first=first)
    assert finding(verdict, "log", f"it begins at block {first}, a key of", Outcome.UNKNOWN)
    assert finding(verdict, "unique", "no checkpoint says", Outcome.UNKNOWN)
    assert all(f.outcome is Outcome.UNKNOWN for f in verdict.findings if f.claim == "log")
    forked = grown(again, (more(plain, after=0).envelope,))
    assert finding(without_bundle(forked, anchored, first=first), "log", "fork: ")


def test_what_a_statement_is_signed_with_must_be_good_too(plain: World) -> None:
    """An entry under a key that was given up, and one about another log."""
    old = commitment(plain, plain["table1"], "v9", None)
    foreign = replace(old, name="others", log=OTHER)
    past = replace(old, name="past", issuer=ROTATED.public_key.key_id)
    entries = [
        log.full_entry(attest(foreign, ISSUER).encoded),
        log.full_entry(attest(past, ROTATED).encoded),
    ]
    batch = log.append(plain.batches[-1].header, entries, None, ISSUER)
    later = grown(plain, (batch.envelope, batch.entries))
    spans = (Span(plain.ledger.chain, 1, 3),)
    gone = replace(plain.policy.issuers[0], key=ROTATED.public_key, good=spans)
    issuers = (*(i for i in plain.policy.issuers if i.key != ROTATED.public_key), gone)
    verdict = without_bundle(later, replace(plain.policy, issuers=issuers, require=REQUIRED))
    assert finding(verdict, "evidence", "its commitment names another log")
    assert finding(verdict, "evidence", "is not good for block")


def test_a_log_in_the_keys_own_place_is_found_without_its_namespace(plain: World) -> None:
    """The world's namespace is no key's own, so nothing is found there."""
    verdict = without_bundle(plain, namespace=None)
    assert finding(verdict, "log", "no header of it was found", Outcome.UNKNOWN)


def test_a_log_that_was_copied_elsewhere_is_none(plain: World) -> None:
    """Anybody can post the first header's bytes into another namespace, to make it look moved."""
    policy = replace(plain.policy, require=REQUIRED)
    scan = replace(scanned(plain, policy), namespace=bytes(19) + b"elsewhere1")
    verdict = audit_scanned([scan], policy, plain.now)
    assert finding(verdict, "log", "no header of it was found", Outcome.UNKNOWN)


def test_what_a_key_signed_where_it_is_not_good_is_a_strangers(plain: World) -> None:
    """A key that was stolen after it was given up forks nothing."""
    old = plain.heights[-1]
    spans = (Span(plain.ledger.chain, 1, old),)
    issuers = tuple(
        replace(each, good=spans) if each.key == ISSUER.public_key else each
        for each in plain.policy.issuers
    )
    policy = replace(plain.policy, issuers=issuers, require=REQUIRED)
    stolen = grown(plain, (more(plain, after=0).envelope,))
    verdict = without_bundle(stolen, policy)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    assert finding(without_bundle(stolen), "log", "fork: ")


def under_both_keys(world: World) -> Policy:
    """Return the policy with the issuer's second key, good everywhere."""
    issuers = [each for each in world.policy.issuers if each.key != ROTATED.public_key]
    return replace(world.policy, issuers=(*issuers, replace(issuers[0], key=ROTATED.public_key)))


def copied(genesis: log.Genesis, signer: Key) -> tuple[bytes, ...]:
    """Return the headers of another log of the same issuer."""
    first = log.open_log(genesis, signer)
    return first.envelope, log.append(first.header, [], b"other", signer).envelope


def test_the_issuers_other_logs_that_a_stranger_copies_here_are_nothing(
    plain: World, honest: World
) -> None:
    elsewhere = copied(replace(plain["genesis"], chain="test-network"), ISSUER)
    beside = replace(plain["genesis"], namespace=bytes(29), key=ROTATED.public_key)
    posts = (elsewhere, copied(beside, ROTATED))
    policy = replace(under_both_keys(plain), require=REQUIRED)
    verdict = without_bundle(grown(plain, *posts), policy)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    verdict = with_bundle(grown(honest, *posts), under_both_keys(honest))
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


def test_a_log_that_is_second_in_its_namespace_is_judged(plain: World) -> None:
    """The issuer began another one there first; that is a finding, and hides no fork."""
    decoy = log.open_log(replace(plain["genesis"], key=ROTATED.public_key), ROTATED)
    policy = replace(under_both_keys(plain), require=REQUIRED)
    attacked = copy(plain)
    attacked.ledger = MemoryLedger(plain.ledger.chain)
    attacked.ledger.submit([Blob(NAMESPACE, decoy.envelope)])
    for batch in (*plain.batches[:3], more(plain, after=0)):
        blobs = [Blob(NAMESPACE, data) for data in (batch.envelope, batch.entries) if data]
        attacked.ledger.submit(blobs)
    top = attacked.block(attacked.ledger.head())
    anchor = replace(policy.anchors[0], height=top.height, hash=top.hash)
    verdict = without_bundle(attacked, replace(policy, anchors=(anchor,)))
    assert finding(verdict, "log", "second-log: ")
    assert finding(verdict, "log", "fork: ")
    # Where the policy's log is not found, what is wrong in its place is told.
    other = replace(policy, anchors=(anchor,), logs=(OTHER,))
    assert finding(without_bundle(attacked, other), "log", "second-log: its", Outcome.UNKNOWN)


def test_two_headers_at_one_height_are_a_finding(plain: World) -> None:
    verdict = audit_disputed("tests-1: two signed histories at block 5", plain.policy, plain.now)
    assert finding(verdict, "log", "two-blocks: tests-1: two signed histories at block 5")


# with a bundle


def test_a_bundle_needs_no_monitor_where_the_auditor_reads_himself(honest: World) -> None:
    verdict = with_bundle(honest)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    (about,) = (f for f in verdict.findings if f.claim == "log" and f.level)
    assert "read by the auditor himself" in about.reason
    levels = {f.claim: f.level for f in verdict.findings if f.level}
    assert (levels["order"], levels["steps"]) == (Level.L2, Level.L3)


def test_without_a_checkpoint_and_without_a_reading_it_stays_unknown(honest: World) -> None:
    trusted = replace(honest.policy, monitors=())
    verdict = audit(honest.seal(), trusted, VERIFIERS, honest.now)
    assert finding(verdict, "log", "whether the log has a fork or a gap", Outcome.UNKNOWN)


def test_a_log_that_goes_on_is_read_up_to_the_bundle(honest: World) -> None:
    batch = more(honest)
    later = grown(honest, (b"noise",), (batch.envelope, batch.entries))
    verdict = with_bundle(later)
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    (about,) = (f for f in verdict.findings if f.claim == "log" and f.level)
    assert "the log goes on to header" in about.reason
    assert f"blocks 1 to {later.ledger.head() - 1} of" in about.reason


ATTACKS: Mapping[str, tuple[str, Callable[[World], World]]] = {
    "a fork beyond the bundle": (
        "fork: ",
        lambda world: grown(world, (more(world, after=1).envelope,)),
    ),
    "a fork under the second key": (
        "fork: ",
        lambda world: grown(world, (more(world, after=1, signer=ROTATED).envelope,)),
    ),
    "a second first header": (
        "second-log: ",
        lambda world: grown(
            world,
            (log.open_log(replace(world["genesis"], key=ROTATED.public_key), ROTATED).envelope,),
        ),
    ),
    "a gap beyond the bundle": (
        "gap: ",
        lambda world: grown(
            world, (log.append(more(world).header, [], b"never", ISSUER).envelope,)
        ),
    ),
    "entries kept back": (
        "entries-missing: ",
        lambda world: grown(world, (more(world).envelope,)),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_an_issuer_hides_is_found_with_and_without_his_bundle(
    honest: World, name: str
) -> None:
    words, attack = ATTACKS[name]
    attacked = attack(honest)
    policy = honest.policy
    issuers = (*policy.issuers, replace(policy.issuers[0], key=ROTATED.public_key))
    known = policy.keys()
    if ROTATED.public_key not in known:
        policy = replace(policy, issuers=issuers)
    assert finding(with_bundle(attacked, policy), "log", words)
    assert finding(without_bundle(attacked, policy), "log", words)


def test_a_bundle_of_another_history_than_the_ledger_is_a_fork(honest: World, plain: World) -> None:
    """The ledger that was read holds other headers from number 2 on."""
    scan = scanned(plain)
    members = {p: d for p, d in honest.members.items() if not p.startswith("checkpoints/")}
    verdict = audit(honest.seal(members), honest.policy, VERIFIERS, honest.now, scan)
    assert finding(verdict, "log", "two blocks for one height")


def judged(world: World, scan: Scanned, *left_out: str) -> Verdict:
    """Return the verdict on a bundle without some members, by an auditor who read `scan`."""
    gone = ("checkpoints/", *left_out)
    members = {p: d for p, d in world.members.items() if not p.startswith(gone)}
    trusted = replace(world.policy, monitors=())
    return audit(world.seal(members), trusted, VERIFIERS, world.now, scan)


def test_headers_are_compared_where_no_receipt_shows_their_block(
    honest: World, plain: World
) -> None:
    verdict = judged(honest, scanned(plain), "receipts/")
    assert finding(verdict, "log", "the ledger holds another header 2: a fork")


def test_a_batch_that_was_not_found_where_it_stands_is_told(honest: World) -> None:
    scan = scanned(honest)
    short = replace(scan, history=replace(scan.history, headers=scan.history.headers[:2]))
    verdict = judged(honest, short)
    assert finding(verdict, "log", "does not hold it under a key that is good there")
    verdict = judged(honest, short, "receipts/")
    assert finding(verdict, "log", "batch 2 is not in blocks 1 to", Outcome.UNKNOWN)


def test_a_bundle_that_ends_within_a_block_is_too_old(honest: World) -> None:
    scan = scanned(honest)
    sealed = log.verify_header(more(honest).envelope, (ISSUER.public_key,))
    same = Sighting(sealed, scan.history.headers[-1].height, ())
    history = replace(scan.history, headers=(*scan.history.headers, same))
    verdict = judged(honest, replace(scan, history=history))
    assert finding(verdict, "log", "ask for a newer export", Outcome.UNKNOWN)


def test_another_place_than_the_logs_says_nothing(honest: World) -> None:
    other = replace(scanned(honest), namespace=bytes(19) + b"elsewhere1")
    trusted = replace(honest.policy, monitors=())
    verdict = audit(honest.seal(), trusted, VERIFIERS, honest.now, other)
    assert finding(verdict, "log", "another ledger, chain or namespace", Outcome.UNKNOWN)


def test_heights_that_were_not_read_say_nothing(honest: World) -> None:
    scan = scanned(honest)
    trusted = replace(honest.policy, monitors=())
    for part in (replace(scan, first=honest.heights[0] + 1), replace(scan, last=honest.heights[0])):
        verdict = audit(honest.seal(), trusted, VERIFIERS, honest.now, part)
        assert finding(verdict, "log", "which is not read", Outcome.UNKNOWN)


# reading


def test_the_hash_of_every_block_that_was_read_is_kept(honest: World) -> None:
    scan = scanned(honest, first=3)
    read = {h: honest.block(h).hash for h in range(3, honest.ledger.head() + 1)}
    assert dict(scan.hashes) == read
    assert 2 not in scan.hashes
    assert honest.ledger.head() + 1 not in scan.hashes


def test_a_policy_without_an_anchor_or_a_key_reads_nothing(honest: World) -> None:
    with pytest.raises(UnavailableError, match="no anchor for memory chain"):
        scanned(honest, replace(honest.policy, anchors=()))
    none = tuple(replace(issuer, good=()) for issuer in honest.policy.issuers)
    with pytest.raises(UnavailableError, match="no key good for chain"):
        scanned(honest, replace(honest.policy, issuers=none))
    with pytest.raises(UnavailableError, match="the ledger's head is"):
        scanned(honest, first=10_000)


class Pruned(MemoryLedger):
    """A node that has forgotten its first blocks."""

    tail = 3

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:  # type: ignore[explicit-override]
        if first < self.tail:
            raise UnavailableError(f"block {first} is pruned")
        return super().headers(first, last)


def test_an_old_anchor_outside_what_is_read_is_left_and_told(plain: World) -> None:
    """All hangs on the highest anchor; a policy that grew old may name blocks that nodes forgot."""
    (newest,) = plain.policy.anchors
    old = replace(newest, height=2, hash=plain.block(2).hash)
    pruned = copy(plain)
    pruned.ledger = copy(plain.ledger)
    pruned.ledger.__class__ = Pruned
    policy = replace(plain.policy, anchors=(old, newest))
    scan = scanned(pruned, policy, first=4)
    assert scan.notes == (scan.notes[0], f"{old.label} is outside the blocks read: not checked")
    wrong = replace(policy, anchors=(replace(old, height=5), newest))
    with pytest.raises(VerificationError, match="not the policy's anchor"):
        scanned(pruned, wrong, first=4)


def test_how_old_the_newest_block_is_is_told(plain: World) -> None:
    """A node can hide the newest blocks; who knows the date sees by how much."""
    (note,) = scanned(plain).notes
    assert re.fullmatch(
        r"the last block read, \d+, is dated 2023-11-14T\d\d:\d\d:\d\d\+00:00", note
    )


@pytest.mark.parametrize("first", [1, 8])
def test_a_ledger_that_contradicts_the_anchor_is_refused(honest: World, first: int) -> None:
    """Within what is read, and below it."""
    anchors = (replace(honest.policy.anchors[0], height=4, hash=OTHER),)
    with pytest.raises(VerificationError, match="not the policy's anchor"):
        scanned(honest, replace(honest.policy, anchors=anchors), first=first)


def test_strangers_are_passed_over(honest: World) -> None:
    foreign = log.open_log(replace(honest["genesis"], key=STRANGER.public_key), STRANGER)
    first = honest.batches[0].envelope
    flooded = grown(honest, (b"noise", foreign.envelope), (first, b"again"))
    assert scanned(flooded).history == scanned(honest).history
