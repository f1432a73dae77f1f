"""Certificates of another layer: carried at L0, refused where they are not what they say."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from provenance import canonical
from provenance.audit.case import Case
from provenance.audit.certificates import check_certificates
from provenance.audit.ledger import Published, published
from provenance.certificate import Certificate, Part
from provenance.envelope import parse as envelope
from provenance.errors import MalformedError
from provenance.evidence import Bundle
from provenance.field import Digest
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.log import Header
from provenance.policy import Requirement
from tests.provenance.audit.test_mutations import mutations
from tests.provenance.world import VERIFIERS, World

PUT_AT = 1_795_449_600
ENTRIES = 1
"""The first batch of the world's log that has entries."""


def log_of(world: World) -> Digest:
    return Header.parse(envelope(world.members["log/0000000000.json"]).payload).digest


def made(world: World, sequence: int, part: Part) -> Certificate:
    folder, ending = ("log", "json") if part == "header" else ("entries", "bin")
    blob = world.members[f"{folder}/{sequence:010d}.{ending}"]
    return Certificate(
        layer="eigenda",
        network="sepolia_testnet",
        log=log_of(world),
        sequence=sequence,
        part=part,
        size=len(blob),
        digest=canonical.digest(blob),
        locator=b"\2 what a proxy answered",
        put_at=PUT_AT,
    )


def carrying(world: World, *documents: bytes, without: str = "") -> dict[str, bytes]:
    """Return a bundle's members with these certificates, under their digests."""
    more = {f"certificates/{canonical.digest(data).hex()}.json": data for data in documents}
    return {path: data for path, data in (world.members | more).items() if path != without}


def copies(verdict: Verdict) -> list[Finding]:
    return [finding for finding in verdict.findings if finding.claim == "copy"]


def test_certificates_are_carried_at_l0_and_change_nothing_else(honest: World) -> None:
    documents = [made(honest, 0, "header").encoded, made(honest, ENTRIES, "entries").encoded]
    verdict = honest.audit(members=carrying(honest, *documents))
    [found] = copies(verdict)
    assert (found.subject, found.level) == ("eigenda sepolia_testnet", Level.L0)
    assert found.outcome is Outcome.HOLDS
    assert "carried, not verified" in found.reason
    assert "certificates for 2 of the log's" in found.reason
    assert "the proxy says" in found.reason
    assert "publication, order or inclusion: these rest on the ledger alone" in found.not_proved
    plain = honest.audit()
    assert [f for f in verdict.findings if f.claim not in ("copy", "evidence")] == [
        f for f in plain.findings if f.claim != "evidence"
    ]
    assert verdict.required == plain.required


def test_without_certificates_nothing_is_said_of_copies(honest: World) -> None:
    assert copies(honest.audit()) == []


@pytest.mark.parametrize("level", [Level.L1, Level.L2, Level.L4, Level.L5])
def test_no_requirement_above_l0_is_met_by_a_certificate(honest: World, level: Level) -> None:
    policy = replace(honest.policy, require=(Requirement("copy", "*", level),))
    members = carrying(honest, made(honest, 0, "header").encoded)
    verdict = honest.audit(policy, members=members)
    assert verdict.outcome is Outcome.UNKNOWN
    assert [f.reason for f in verdict.required] == ["found only at L0"]


def test_a_certificate_takes_no_receipts_place(honest: World) -> None:
    receipt = f"receipts/{ENTRIES:010d}.json"
    documents = [made(honest, ENTRIES, part).encoded for part in ("header", "entries")]
    verdict = honest.audit(members=carrying(honest, *documents, without=receipt))
    assert verdict.outcome is not Outcome.HOLDS
    [batch] = [f for f in verdict.findings if f.subject == f"batch {ENTRIES}"]
    assert batch.outcome is Outcome.UNKNOWN
    assert "no receipt shows where it was published" in batch.reason


def test_networks_are_told_apart(honest: World) -> None:
    one = made(honest, 0, "header")
    documents = [one.encoded, replace(one, network="unstated").encoded]
    found = copies(honest.audit(members=carrying(honest, *documents)))
    assert [f.subject for f in found] == ["eigenda sepolia_testnet", "eigenda unstated"]
    assert found[1].notes == ("which network is not stated",)


def test_one_blob_put_twice_counts_once(honest: World) -> None:
    one = made(honest, 0, "header")
    documents = [one.encoded, replace(one, locator=b"\3", put_at=PUT_AT + 86_400).encoded]
    [found] = copies(honest.audit(members=carrying(honest, *documents)))
    assert "certificates for 1 of" in found.reason
    assert "from 2026-11-23T16:00:00Z to 2026-11-24T16:00:00Z by the issuer's clock" in found.reason


OTHER = Digest(b"\7" * 32)
LIES: dict[str, tuple[Callable[[Certificate], Certificate], str]] = {
    "another log": (lambda c: replace(c, log=OTHER), "names another log"),
    "a batch beyond the log": (lambda c: replace(c, sequence=10**6), "the log ends first"),
    "another batch": (lambda c: replace(c, sequence=c.sequence + 1), "of other bytes"),
    "the other part": (lambda c: replace(c, part="header"), "of other bytes"),
    "another size": (lambda c: replace(c, size=c.size + 1), "of other bytes"),
    "another digest": (lambda c: replace(c, digest=OTHER), "of other bytes"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_certificate_for_other_bytes_is_refused(honest: World, name: str) -> None:
    lie, words = LIES[name]
    document = lie(made(honest, ENTRIES, "entries")).encoded
    verdict = honest.audit(members=carrying(honest, document))
    [found] = copies(verdict)
    assert (found.outcome, found.level) == (Outcome.FAILS, None)
    assert words in found.reason or "no entries" in found.reason
    assert verdict.outcome is Outcome.FAILS


def test_entries_that_a_batch_does_not_have_have_no_certificate(honest: World) -> None:
    document = replace(made(honest, 0, "header"), part="entries").encoded
    [found] = copies(honest.audit(members=carrying(honest, document)))
    assert found.outcome is Outcome.FAILS
    assert "batch 0 has no entries" in found.reason


def test_a_certificate_for_a_blob_that_is_not_here_is_unknown(honest: World) -> None:
    document = made(honest, ENTRIES, "entries").encoded
    members = carrying(honest, document, without=f"entries/{ENTRIES:010d}.bin")
    [found] = copies(honest.audit(members=members))
    assert found.outcome is Outcome.UNKNOWN
    assert "entries are not in the evidence" in found.reason


def test_a_certificate_under_another_name_is_refused(honest: World) -> None:
    members = honest.members | {
        f"certificates/{OTHER.hex()}.json": made(honest, 0, "header").encoded
    }
    [found] = copies(honest.audit(members=members))
    assert found.outcome is Outcome.FAILS
    assert "its name is not its digest" in found.reason


@pytest.fixture(scope="module")
def log(honest: World) -> Published:
    """What the log is found to be, by which certificates alone are judged below."""
    return published(case_of(honest, {}))


def case_of(world: World, certificates: dict[str, bytes]) -> Case:
    bundle = Bundle(b"", {**world.members, **certificates})
    return Case(bundle, world.policy, VERIFIERS, world.now)


def judged(world: World, log: Published, data: bytes, named: bytes | None = None) -> Finding:
    """Return the one finding about a certificate, under the digest of `named` or its own."""
    name = canonical.digest(data if named is None else named).hex()
    case = case_of(world, {f"certificates/{name}.json": data})
    check_certificates(case, log)
    [found] = case.findings
    return found


def test_no_byte_of_a_certificate_can_be_changed_under_its_name(
    honest: World, log: Published
) -> None:
    document = made(honest, 0, "header").encoded
    assert judged(honest, log, document).outcome is Outcome.HOLDS
    for place in range(len(document)):
        changed = document[:place] + bytes([document[place] ^ 1]) + document[place + 1 :]
        assert judged(honest, log, changed, document).outcome is Outcome.FAILS


WORDS_ONLY = {"locator", "network", "put_at"}
"""Members that are the issuer's word: nothing here could tell another one from the true one."""


def test_what_binds_a_certificate_to_the_log_cannot_be_changed_under_any_name(
    honest: World, log: Published
) -> None:
    document = made(honest, ENTRIES, "entries").encoded
    before = json.loads(document)
    told = 0
    for kind, _, make in mutations("certificate.json", document):
        changed = make()
        if changed is None or changed == document:
            continue
        found = judged(honest, log, changed)
        if found.outcome is Outcome.FAILS:
            continue
        after = json.loads(changed)
        assert {name for name in before if before[name] != after[name]} <= WORDS_ONLY, kind
        assert (found.outcome, found.level) == (Outcome.HOLDS, Level.L0)
        told += 1
    assert told == len(WORDS_ONLY)  # each flipped once


@pytest.mark.parametrize("path", ["0" * 63 + ".json", "0" * 64 + ".bin", "A" * 64 + ".json"])
def test_a_certificate_has_one_path(honest: World, path: str) -> None:
    with pytest.raises(MalformedError, match="which no bundle has"):
        honest.audit(members=honest.members | {f"certificates/{path}": b"{}"})


def test_a_ledgers_name_is_no_layers(honest: World) -> None:
    document = replace(made(honest, 0, "header"), layer="celestia").encoded
    [found] = copies(honest.audit(members=carrying(honest, document)))
    assert found.outcome is Outcome.FAILS
    assert "'layer' must be one of eigenda" in found.reason


def test_an_invented_locator_is_carried_just_as_well(honest: World) -> None:
    """Which is why it is worth L0: only whoever asks the layer could tell it from a real one."""
    document = replace(made(honest, 0, "header"), locator=b"invented").encoded
    [found] = copies(honest.audit(members=carrying(honest, document)))
    assert (found.outcome, found.level) == (Outcome.HOLDS, Level.L0)
    assert "that a certificate is one of its own" in found.not_proved[0]
