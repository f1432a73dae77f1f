"""The membership claim: one form, and a context that no other claim has."""

from dataclasses import replace

import pytest

from provenance import canonical
from provenance.errors import MalformedError
from provenance.membership import MembershipClaim, context_statement
from tests.provenance.documents import (
    CLAIM,
    STRANGER,
    assert_members_are_needed,
    assert_one_form,
    word,
)


def test_a_claim_has_one_form() -> None:
    assert MembershipClaim.parse(CLAIM.encoded) == CLAIM
    assert_members_are_needed(MembershipClaim.parse, CLAIM.encoded)
    assert assert_one_form(MembershipClaim.parse, CLAIM.encoded) > 100


def test_the_context_changes_with_all_that_the_claim_is_about() -> None:
    changed = [
        replace(CLAIM, issuer=STRANGER.public_key.key_id),
        replace(CLAIM, log=word("other")),
        replace(CLAIM, dataset=word("other")),
        replace(CLAIM, circuit="membership-14.v2"),
    ]
    assert len({claim.context for claim in (CLAIM, *changed)}) == 5


def test_the_context_holds_no_public_value_of_the_proof() -> None:
    other = replace(CLAIM, blinded_leaf=CLAIM.blinded_index, blinded_index=CLAIM.blinded_leaf)
    assert other.context == replace(CLAIM, proof=word("other")).context == CLAIM.context
    assert other.digest != CLAIM.digest


def test_a_context_is_no_claim_and_no_claim_a_context() -> None:
    with pytest.raises(MalformedError, match="'kind'"):
        MembershipClaim.parse(CLAIM.context)
    kind = canonical.decode(CLAIM.context)["kind"]
    assert kind == "rootline/context/v1" != canonical.decode(CLAIM.encoded)["kind"]
    assert CLAIM.context == context_statement(CLAIM.issuer, CLAIM.log, CLAIM.dataset, CLAIM.circuit)


@pytest.mark.parametrize(
    ("name", "value"), [("issuer", "me"), ("issuer", "A" * 64), ("circuit", ""), ("circuit", "A b")]
)
def test_a_wrong_claim_cannot_be_made(name: str, value: str) -> None:
    with pytest.raises(MalformedError):
        replace(CLAIM, **{name: value})  # type: ignore[arg-type]  # both members are texts
