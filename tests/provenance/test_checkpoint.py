"""A monitor's checkpoint: one form, signed by somebody whom the policy names."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from provenance import canonical, checkpoint, envelope
from provenance.checkpoint import Checkpoint
from provenance.errors import MalformedError, SignatureError
from tests.provenance.documents import (
    Key,
    assert_members_are_needed,
    assert_one_form,
    vectors,
    word,
)

MONITOR = Key("monitor")
KEYS = (MONITOR.public_key,)
PLACE = bytes(19) + b"rl-tests-1"
SEEN = Checkpoint(
    chain="embedded-1",
    log=word("log"),
    head=word("head"),
    sequence=5,
    first=2,
    last=11,
    block=word("block"),
    namespace=PLACE,
    keys=(MONITOR.public_key.key_id,),
)


@pytest.mark.parametrize("case", vectors("checkpoint")["cases"], ids=lambda case: case["name"])
def test_checkpoint_vectors(case: dict[str, Any]) -> None:
    payload = case["payload"].encode()
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        found = Checkpoint.parse(payload)
        assert found.payload == payload
        assert canonical.digest(payload).hex() == case["digest"]
        assert checkpoint.sign(found, MONITOR).decode() == case["envelope"]


def test_a_signed_checkpoint_comes_back() -> None:
    assert checkpoint.verify(checkpoint.sign(SEEN, MONITOR), KEYS) == SEEN


def parsed(data: bytes) -> SimpleNamespace:
    payload = Checkpoint.parse(data).payload
    return SimpleNamespace(encoded=payload, digest=canonical.digest(payload))


def test_a_checkpoint_has_one_form() -> None:
    assert assert_one_form(parsed, SEEN.payload) > 20
    assert_members_are_needed(Checkpoint.parse, SEEN.payload)


def test_heights_that_run_backwards_cannot_be_made() -> None:
    for first, last in ((12, 11), (0, 11), (-1, -1)):
        with pytest.raises(MalformedError, match="checkpoint: heights"):
            replace(SEEN, first=first, last=last)


def test_a_checkpoint_by_somebody_else_is_refused() -> None:
    with pytest.raises(SignatureError):
        checkpoint.verify(checkpoint.sign(SEEN, Key("stranger")), KEYS)
    with pytest.raises(SignatureError):
        checkpoint.verify(checkpoint.sign(SEEN, MONITOR), ())


def test_a_header_signed_by_a_monitor_is_no_checkpoint() -> None:
    sealed = envelope.seal("application/vnd.rootline.header.v1+json", SEEN.payload, MONITOR)
    with pytest.raises(MalformedError, match=r"expected a application/vnd\.rootline\.checkpoint"):
        checkpoint.verify(sealed.encoded, KEYS)
