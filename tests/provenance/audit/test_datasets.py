"""Lies about datasets: schemas, versions, issuers, places in the log, tables, opened records."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from provenance import canonical, log
from provenance.audit.datasets import opened_document, rfc3339, table_document
from provenance.field import Digest, FieldElement
from provenance.findings import Outcome, Verdict
from provenance.policy import Issuer, Span
from provenance.rfc9162 import leaf_hash, path
from provenance.schema import Field, Schema
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import (
    HONEST,
    ROTATED,
    SCHEMA,
    STRANGER,
    World,
    bad,
    build,
    commitment,
)

OTHER = Digest(b"\7" * 32)


def swapped(one: str, other: str) -> Schema:
    """Return the schema with two names swapped."""
    names = {one: other, other: one}
    return Schema.of(*(Field(names.get(f.name, f.name), f.type) for f in SCHEMA.fields))


def test_a_commitment_whose_schema_has_two_names_swapped_opens_nothing() -> None:
    schema = swapped("grade", "size")
    assert schema != SCHEMA
    verdict = build(v2=lambda v2: replace(v2, schema=schema)).audit()
    assert verdict.outcome is Outcome.FAILS
    assert {f.claim for f in verdict.findings if f.outcome is Outcome.FAILS} >= {"record", "steps"}


def test_an_opened_record_with_two_values_swapped_fails(honest: World) -> None:
    opening = honest["table2"].opening(3)
    data = opening.encoded_record
    changed = data[-9:] + data[9:-9] + data[:9]  # size and age: a validity byte and 8 bytes each
    verdict = with_opening(honest, replace(opening, encoded_record=changed))
    assert finding(verdict, "record", "the proof leads to")


def test_an_opened_record_elsewhere_or_under_another_salt_fails(honest: World) -> None:
    opening, other = honest["table2"].opening(3), honest["table2"].opening(4)
    for changed in (
        replace(opening, path=other.path),
        replace(opening, salt=other.salt),
        replace(opening, feature_salt=other.feature_salt),
        replace(opening, path=replace(opening.path, count=opening.path.count + 1)),
    ):
        assert finding(with_opening(honest, changed), "record", "the proof leads to")
    without = replace(opening, feature_salt=None)
    assert finding(with_opening(honest, without), "record", "kind of leaf")


def with_opening(world: World, opening: Any, dataset: Digest | None = None) -> Verdict:
    document = opened_document(dataset or world["v2"].digest, opening)
    data = canonical.encode(document)
    member = {f"openings/{canonical.digest(data).hex()}.json": data}
    return world.audit(members=world.members | member)


def test_an_opened_record_of_another_version_fails(honest: World) -> None:
    verdict = with_opening(honest, honest["table2"].opening(0), honest["v1"].digest)
    assert finding(verdict, "record", "the proof leads to")


def test_an_opened_record_of_something_that_is_no_dataset_fails(honest: World) -> None:
    verdict = with_opening(honest, honest["table2"].opening(3), honest["run"].digest)
    assert finding(verdict, "record", "is no dataset")
    verdict = with_opening(honest, honest["table2"].opening(3), OTHER)
    assert finding(verdict, "record", "not shown to be published", Outcome.UNKNOWN)


def test_an_opening_under_another_name_than_its_digest_fails(honest: World) -> None:
    data = honest.members[honest["opening"]]
    verdict = honest.audit(members=honest.members | {f"openings/{OTHER.hex()}.json": data})
    assert finding(verdict, "record", "name is not its digest")


def test_two_commitments_for_one_version_fail() -> None:
    def again(world: World) -> Any:
        return replace(world["v2"], facts={"licence": "CC-BY-4.0"})

    verdict = with_another(again)
    assert finding(verdict, "log", "two different commitments for one version")
    assert finding(verdict, "unique", "two different commitments for one version")


def test_two_first_versions_fail() -> None:
    verdict = with_another(lambda world: replace(world["v2"], version="v0", previous=None))
    assert finding(verdict, "log", "two versions that both claim to be the first")
    assert finding(verdict, "unique", "two versions that both claim to be the first")


def test_two_children_of_one_version_fail() -> None:
    verdict = build(("data", "third version", *HONEST[1:])).audit()
    assert finding(verdict, "log", "two versions follow this one")
    assert finding(verdict, "unique", "two versions follow this one")


def with_another(make: Callable[[World], Any]) -> Verdict:
    """Return the verdict on a log that holds one more commitment."""
    return build(("data", "extra", *HONEST[1:]), extra=make).audit()


def test_the_same_commitment_posted_twice_is_no_finding() -> None:
    verdict = with_another(lambda world: world["v1"])
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


@pytest.mark.parametrize("later", [True, False])
def test_the_same_start_signed_and_posted_again_counts_where_it_stood_first(*, later: bool) -> None:
    """ed25519 lets its owner make another signature of the same words, and so another envelope."""
    world = build((*HONEST[:4], "again", *HONEST[4:]), later=lambda _: later)
    again = [p for p in world.members if p.startswith("attestations/")]
    assert len(again) == len([p for p in build().members if p.startswith("attestations/")]) + 1
    verdict = world.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    [run] = [f for f in verdict.findings if f.claim == "run"]
    assert run.reason.startswith("announced in block 5, registered in block 8")


def test_a_previous_version_that_is_another_dataset_fails() -> None:
    verdict = build(v1=lambda v1: replace(v1, name="cell-lines")).audit()
    assert finding(verdict, "dataset", "its previous version is another dataset")


def test_a_version_published_before_its_previous_one_fails() -> None:
    verdict = build(("v2", "v1", *HONEST[1:])).audit()
    assert finding(verdict, "dataset", "published before its previous version")


def test_a_previous_version_that_is_not_in_the_evidence_is_no_finding() -> None:
    verdict = build(v2=lambda v2: replace(v2, previous=OTHER)).audit()
    assert [f.outcome for f in verdict.findings if f.claim == "dataset"] == [Outcome.HOLDS] * 2


def test_a_licence_that_the_policy_does_not_allow_fails() -> None:
    verdict = build(v2=lambda v2: replace(v2, facts={"licence": "proprietary"})).audit()
    assert finding(verdict, "facts", "declared licence 'proprietary' is not allowed")
    verdict = build(v2=lambda v2: replace(v2, facts={})).audit()
    assert finding(verdict, "facts", "declared licence None is not allowed")


def test_a_policy_without_licences_allows_any() -> None:
    world = build(v2=lambda v2: replace(v2, facts={}))
    verdict = world.audit(replace(world.policy, licences=None))
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


def test_a_foreign_commitment_signed_anew_fails() -> None:
    """STRANGER's own commitment, taken by ISSUER and signed and posted as his."""
    world = build(("data", "foreign", *HONEST[1:]))
    verdict = world.audit()
    assert finding(verdict, "log", "the commitment names issuer")
    assert finding(verdict, "evidence", "the commitment names issuer")


def test_another_issuers_envelope_in_this_log_names_his_own_log() -> None:
    world = build(
        v1=lambda v1: replace(v1, issuer=STRANGER.key_id, log=OTHER),
    )
    assert finding(world.audit(), "evidence", "signed by another issuer than the log's")
    own = build(v1=lambda v1: replace(v1, log=OTHER))
    assert finding(own.audit(), "evidence", "its commitment names another log")


def test_a_statement_that_the_log_publishes_and_the_bundle_leaves_out_fails(honest: World) -> None:
    told = 0
    for name in [member for member in honest.members if member.startswith("attestations/")]:
        verdict = honest.audit(members={k: v for k, v in honest.members.items() if k != name})
        assert verdict.outcome is not Outcome.HOLDS
        told += any("the bundle leaves it out" in found.reason for found in verdict.findings)
    assert told == 4  # two versions, a start and a run; the claim stands there by its digest


def test_an_attestation_under_another_name_than_its_digest_fails(honest: World) -> None:
    data = next(d for p, d in honest.members.items() if p.startswith("attestations/"))
    verdict = honest.audit(members=honest.members | {f"attestations/{OTHER.hex()}.json": data})
    assert finding(verdict, "evidence", "its name is not its digest")


def test_an_attestation_by_a_key_outside_its_heights_fails() -> None:
    world = build(v1=lambda v1: replace(v1, issuer=ROTATED.key_id))
    assert world.audit().outcome is Outcome.HOLDS
    chain = world.ledger.chain
    rotated = Issuer(ROTATED.public_key, "Example Lab", (Span(chain, 4, None),))
    policy = replace(world.policy, issuers=(world.policy.issuers[0], rotated))
    assert finding(world.audit(policy), "evidence", "is not good for block 3")


def by_path(world: World, **changes: Any) -> Verdict:
    """Return the verdict where a path ties the two versions to their batch, and no blob does."""
    entries = log.split_entries(world.members.pop("entries/0000000001.bin"))
    leaves = [leaf_hash(entry) for entry in entries]
    for number, entry in enumerate(entries):
        name = canonical.digest(entry[5:]).hex()
        told = {"sequence": 1, "index": number, "full": True} | (changes if number == 0 else {})
        world.add_path(name, siblings=path(leaves, number).siblings, **told)
    return world.audit()


def test_a_path_ties_an_entry_to_its_header_but_uniqueness_is_unknown() -> None:
    verdict = by_path(build())
    assert [f.outcome for f in verdict.findings if f.claim == "dataset"] == [Outcome.HOLDS] * 2
    assert finding(verdict, "unique", "not opened to this auditor", Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": 1}, "the proof leads to"),
        ({"index": 2}, "outside a tree of 2"),
        ({"sequence": 2}, "too long for a tree of 1"),
        ({"sequence": 9}, "an integer from 1 to 4"),
        ({"full": False}, "the proof leads to"),
    ],
)
def test_an_entry_at_another_place_fails(changes: dict[str, Any], words: str) -> None:
    assert finding(by_path(build(), **changes), "evidence", words)


def test_a_sibling_that_is_no_hash_fails() -> None:
    world = build()
    name = next(p for p in world.members if p.startswith("attestations/")).split("/")[1][:-5]
    world.add_path(name, sequence=1, index=0, siblings=(), full=True)
    document = canonical.decode(world.members[f"paths/{name}.json"]) | {"siblings": [7]}
    world.members[f"paths/{name}.json"] = canonical.encode(document)
    assert finding(world.audit(), "evidence", "a sibling is a hash in hex")


def test_an_attestation_that_no_batch_holds_is_unknown() -> None:
    world = build()
    world.attested(commitment(world, world["table2"], "v9", None))
    assert finding(world.audit(), "evidence", "nothing shows in which batch", Outcome.UNKNOWN)


def test_an_attestation_whose_batch_has_no_receipt_is_unknown(honest: World) -> None:
    members = {p: d for p, d in honest.members.items() if p != "receipts/0000000001.json"}
    verdict = honest.audit(members=members)
    assert finding(verdict, "evidence", "batch 1 has no receipt", Outcome.UNKNOWN)
    assert finding(verdict, "log", "no receipt shows where it was published", Outcome.UNKNOWN)


def test_a_digest_that_is_not_opened_makes_uniqueness_unknown() -> None:
    world = build(("data", "hidden", *HONEST[1:]))
    verdict = world.audit()
    assert finding(verdict, "unique", "not opened to this auditor", Outcome.UNKNOWN)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_table_that_does_not_give_root_or_count_fails(honest: World, version: str) -> None:
    table = honest[f"table{version[1]}"]
    first, second = table.chunks
    for chunks, words in (
        ((second, first), "the proof leads to"),
        ((first,), "1 chunks, not 2"),
        ((replace(first, count=first.count + 1), second), "counts"),
        (
            (replace(first, count=first.count + 1), replace(second, count=second.count - 1)),
            "the proof leads to",
        ),
        ((replace(first, root=FieldElement(1)), second), "the proof leads to"),
    ):
        of = honest[version].digest
        data = canonical.encode(table_document(of, chunks))
        verdict = honest.audit(members=honest.members | {f"tables/{of.hex()}.json": data})
        assert finding(verdict, "count", words)


def test_a_table_of_another_commitment_fails(honest: World) -> None:
    one, other = (f"tables/{honest[v].digest.hex()}.json" for v in ("v1", "v2"))
    verdict = honest.audit(members=honest.members | {one: honest.members[other]})
    assert finding(verdict, "count", "speaks of another commitment")


def test_times_are_written_whatever_a_header_says() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(2**63) == "2262-04-11T23:47:16Z"
    assert rfc3339(10**30) == "9999-12-31T23:59:59Z"
    assert rfc3339(-(10**30)) == "1970-01-01T00:00:00Z"
