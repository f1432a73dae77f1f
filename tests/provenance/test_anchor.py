"""Which blocks an auditor may believe."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.anchor import DRIFT, Anchor, Blocks, believe
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.receipt import Block

WEEK = 7 * 86_400 * 10**9
TRUSTING = WEEK


def word(*parts: object) -> Digest:
    return Digest(sha256(repr(parts).encode()).digest())


def block(height: int, branch: str = "", previous: Digest | None = None) -> Block:
    """Return a block of a chain in which the same validators sign everything."""
    below = word(height - 1, branch) if height > 1 else None
    return Block(
        chain="embedded-1",
        height=height,
        hash=word(height, branch),
        previous=previous or below,
        time=height * 10**9,
        data_root=word("data"),
        validators=word("validators"),
        next_validators=word("validators"),
        proposer=b"proposer",
    )


CHAIN = [block(height) for height in range(1, 10)]
NOW = 10**10


def at(height: int, **changes: object) -> Anchor:
    values = {
        "ledger": "embedded",
        "chain": "embedded-1",
        "height": height,
        "hash": word(height, ""),
    }
    return Anchor(**(values | changes))  # type: ignore[arg-type]  # any one may be changed


def believed(
    linked: list[Block], signed: list[Block], anchor: Anchor, now: int = NOW
) -> tuple[int, ...]:
    return tuple(sorted(believe(linked, signed, [anchor], now, TRUSTING).believed))


def test_blocks_below_the_anchor_hang_on_it() -> None:
    assert believed(CHAIN, [], at(9)) == tuple(range(1, 10))
    assert believed(CHAIN, [], at(5)) == (1, 2, 3, 4, 5)


@settings(deadline=None)
@given(st.sets(st.integers(1, 9)), st.integers(1, 9))
def test_links_end_at_the_first_missing_block(missing: set[int], top: int) -> None:
    kept = [b for b in CHAIN if b.height not in missing]
    expected = []
    for height in range(top, 0, -1):
        if height in missing:
            break
        expected.append(height)
    assert believed(kept, [], at(top)) == tuple(sorted(expected))


def test_signed_blocks_above_the_anchor_hang_on_it_too() -> None:
    assert believed(CHAIN[:5], CHAIN[5:], at(5)) == tuple(range(1, 10))
    assert believed([], CHAIN, at(1)) == tuple(range(1, 10))


def test_unsigned_blocks_above_the_anchor_do_not() -> None:
    found = believe(CHAIN, [], [at(5)], NOW, TRUSTING)
    with pytest.raises(UnavailableError, match=r"block 6 .* does not hang on the policy's anchor"):
        found.at(6)
    assert found.at(5) == CHAIN[4]


def test_outside_the_trusting_period_nothing_above_the_anchor_counts() -> None:
    for now in (CHAIN[4].time - DRIFT - 1, CHAIN[4].time + TRUSTING):
        assert believed(CHAIN[:5], CHAIN[5:], at(5), now) == (1, 2, 3, 4, 5)
    for now in (CHAIN[4].time, CHAIN[4].time + TRUSTING - 1):
        assert believed(CHAIN[:5], CHAIN[5:], at(5), now) == tuple(range(1, 10))


@pytest.mark.parametrize(
    "forged",
    [
        replace(CHAIN[5], previous=word("elsewhere")),
        replace(CHAIN[5], validators=word("other validators")),
        replace(CHAIN[5], height=7),
        replace(CHAIN[5], chain="embedded-2"),
    ],
    ids=["another predecessor", "validators that nobody announced", "a height left out", "chain"],
)
def test_a_signed_block_that_does_not_follow_ends_the_blocks(forged: Block) -> None:
    assert believed(CHAIN[:5], [forged, *CHAIN[6:]], at(5)) == (1, 2, 3, 4, 5)


def test_validators_change_only_as_the_block_below_announced() -> None:
    change = replace(CHAIN[5], next_validators=word("new"))
    after = replace(CHAIN[6], validators=word("new"), next_validators=word("new"))
    assert believed(CHAIN[:5], [change, after], at(5)) == (1, 2, 3, 4, 5, 6, 7)
    assert believed(CHAIN[:5], [change, CHAIN[6]], at(5)) == (1, 2, 3, 4, 5, 6)


def test_two_signed_blocks_for_one_height_are_an_equivocation() -> None:
    twin = replace(CHAIN[5], hash=word("twin"))
    with pytest.raises(VerificationError, match="two signed blocks for height 6"):
        believe(CHAIN[:5], [CHAIN[5], twin], [at(5)], NOW, TRUSTING)
    assert believed(CHAIN[:5], [CHAIN[5], CHAIN[5]], at(5)) == (1, 2, 3, 4, 5, 6)


def test_another_block_at_the_anchors_height_is_refused() -> None:
    for linked, signed in ((CHAIN, []), ([], CHAIN)):
        with pytest.raises(VerificationError, match="another block 5 than the anchor"):
            believe(linked, signed, [at(5, hash=word("real"))], NOW, TRUSTING)


def test_an_anchor_of_another_height_than_its_block_is_refused() -> None:
    with pytest.raises(VerificationError, match="the anchor's block has height 5"):
        believe(CHAIN, [], [at(6, hash=word(5, ""))], NOW, TRUSTING)


def test_a_block_that_names_one_of_another_height_as_its_previous_is_refused() -> None:
    skipping = replace(CHAIN[8], previous=CHAIN[6].hash)
    with pytest.raises(VerificationError, match="block 9 follows a block 7"):
        believe([*CHAIN[:8], skipping], [], [at(9)], NOW, TRUSTING)


def test_blocks_of_another_chain_do_not_count() -> None:
    others = [replace(b, chain="embedded-2") for b in CHAIN]
    assert believed(others, others, at(5)) == ()


def test_what_is_missing_is_said() -> None:
    nothing = believe([], [], [at(5)], NOW, TRUSTING)
    with pytest.raises(UnavailableError, match="the anchor's block 5 is not in the evidence"):
        nothing.at(5)
    cut = believe(CHAIN[2:5], [], [at(5)], NOW, TRUSTING)
    with pytest.raises(UnavailableError, match="the links end at block 3"):
        cut.at(2)
    whole = Blocks((at(5),), {}, {}, (), is_lone=False)
    with pytest.raises(UnavailableError, match="holds no block of that height"):
        whole.at(2)


def test_blocks_whose_times_do_not_rise_are_refused_on_either_side_of_the_anchor() -> None:
    still = [replace(b, time=CHAIN[2].time) if b.height == 4 else b for b in CHAIN]
    with pytest.raises(VerificationError, match="block 4 is not later than block 3"):
        believed(still, [], at(9))
    with pytest.raises(VerificationError, match="block 4 is not later than block 3"):
        believed(still[:3], still[3:], at(3))


def test_a_second_anchor_is_compared_with_the_believed_block_of_its_height() -> None:
    def both(other: Anchor) -> Blocks:
        return believe(CHAIN, [], [at(9), other], NOW, TRUSTING)

    assert both(at(4)).at(4) == CHAIN[3]
    assert both(at(20)).at(9) == CHAIN[8]
    with pytest.raises(VerificationError, match="another block 4 than the anchor"):
        both(at(4, hash=word("other")))
