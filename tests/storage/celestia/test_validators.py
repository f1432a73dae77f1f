"""Validator sets: each key once, its own address, power within bounds."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.canonical import Fields
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from storage.celestia.validators import MAX_POWER, Validator, ValidatorSet

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
PUBLIC = [PublicKey(key.public_key().public_bytes_raw()) for key in KEYS]


def validators(*powers: int) -> ValidatorSet:
    return ValidatorSet(tuple(map(Validator, PUBLIC, powers)))


def fields(value: Any) -> Fields:
    return Fields.of(value, "test")


def test_a_set_is_written_as_it_is_read() -> None:
    chosen = validators(3, 1, 1)
    assert ValidatorSet.from_fields(fields(chosen.to_json())) == chosen
    assert chosen.power == 5


def test_sets_of_other_power_or_order_have_other_hashes() -> None:
    sets = [validators(1, 2), validators(2, 2), ValidatorSet(validators(1, 2).validators[::-1])]
    assert len({each.hash for each in sets}) == 3


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(MalformedError, match="empty"):
        ValidatorSet(())


def test_a_validator_that_stands_twice_is_refused() -> None:
    with pytest.raises(MalformedError, match="twice"):
        ValidatorSet((Validator(PUBLIC[0], 1), Validator(PUBLIC[0], 2)))


def test_too_much_power_is_refused() -> None:
    with pytest.raises(MalformedError, match="more voting power"):
        validators(MAX_POWER, 1)


MEMBER: dict[str, Any] = dict(Validator(PUBLIC[0], 5).to_json())
BAD_VALIDATORS: dict[str, Any] = {
    "another's address": {**MEMBER, "address": "00" * 20},
    "no power": {**MEMBER, "voting_power": "0"},
    "negative power": {**MEMBER, "voting_power": "-1"},
    "too much power": {**MEMBER, "voting_power": str(MAX_POWER + 1)},
    "another kind of key": {**MEMBER, "pub_key": {**MEMBER["pub_key"], "type": "secp256k1"}},
    "a surplus member of the key": {**MEMBER, "pub_key": {**MEMBER["pub_key"], "x": "1"}},
    "a priority that no hash covers": {**MEMBER, "proposer_priority": "0"},
}


@pytest.mark.parametrize("name", BAD_VALIDATORS)
def test_what_is_no_validator_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        ValidatorSet.from_fields(fields({"validators": [BAD_VALIDATORS[name]]}))


def test_a_set_of_more_than_a_thousand_is_refused() -> None:
    with pytest.raises(MalformedError, match="at most 1000"):
        ValidatorSet.from_fields(fields({"validators": [MEMBER] * 1001}))


def test_a_surplus_member_of_a_set_is_refused() -> None:
    with pytest.raises(MalformedError, match="proposer"):
        ValidatorSet.from_fields(fields({"validators": [MEMBER], "proposer": MEMBER}))
