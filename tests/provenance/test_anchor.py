"""Which blocks an auditor may believe."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from provenance.anchor import DRIFT, Anchor, Blocks, Step, believe
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


class Counted(dict[int, Block]):
    """Believed blocks that count how often all of them are looked through."""

    looked = 0

    @override
    def __iter__(self) -> Iterator[int]:
        self.looked += 1
        return super().__iter__()


def test_a_flood_of_receipts_that_hang_on_nothing_does_not_look_through_all_blocks() -> None:
    counted = Counted({b.height: b for b in CHAIN})
    blocks = Blocks((at(5),), counted, {}, (), is_lone=False)
    for height in range(-50, 1):
        with pytest.raises(UnavailableError, match="the links end at block 1"):
            blocks.at(height)
    assert counted.looked <= 1


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


# leaving a block by a jump


def crewed(crew: dict[str, int], *, signers: str | None = None, **changes: object) -> Block:
    """Return a block by validators with these powers, whom all or only `signers` signed."""
    power = tuple((name.encode(), share) for name, share in crew.items())
    names = crew if signers is None else signers
    values: dict[str, object] = {"power": power}
    values["signers"] = frozenset(name.encode() for name in names)
    values["validators"] = values["next_validators"] = word(*crew)
    return replace(block(1), **(values | changes))  # type: ignore[arg-type]  # any one may be given


def at_height(height: int, made: Block, branch: str = "") -> Block:
    """Return the block as one of a chain's branch; the blocks between are not shown."""
    return replace(
        made, height=height, hash=word(height, branch), previous=word(height - 1, branch),
        time=height * 10**9,
    )  # fmt: skip


FOUR = {"a": 1, "b": 1, "c": 1, "d": 1}


def jump(crew: dict[str, int], signers: str, new: dict[str, int] | None = None) -> bool:
    """Whether a block of `crew` leads to one that `signers` signed, in a set that is theirs."""
    low = at_height(5, crewed(crew))
    high = at_height(9, crewed(new or dict.fromkeys(signers, 1), signers=signers))
    return 9 in believe([], [low, high], [at(5)], NOW, TRUSTING).believed


@pytest.mark.parametrize(
    ("crew", "signers", "is_enough"),
    [
        (FOUR, "ab", True),
        (FOUR, "a", False),
        ({"a": 1, "b": 1, "c": 1}, "a", False),
        ({"a": 100, "b": 100, "c": 100}, "a", False),
        ({"a": 101, "b": 100, "c": 100}, "a", True),
        ({"a": 1, "b": 2}, "a", False),
        ({"a": 34, "b": 66}, "a", True),
        ({"a": 33, "b": 66}, "a", False),
        ({"a": 1, "b": 2**60}, "a", False),
        (FOUR, "xyz", False),
        (FOUR, "xyzab", True),
        (FOUR, "", False),
    ],
)
def test_a_jump_needs_more_than_a_third_of_the_power_of_the_block_that_is_left(
    crew: dict[str, int],
    signers: str,
    is_enough: bool,  # noqa: FBT001  # a column
) -> None:
    assert jump(crew, signers, {"x": 1}) is is_enough


def test_a_vote_has_the_power_of_the_set_that_is_left_not_of_the_attackers() -> None:
    assert not jump({"a": 1, "b": 1, "c": 1}, "a", {"a": 2**60})


def test_a_key_that_stands_twice_in_a_set_counts_once() -> None:
    twice = replace(crewed(FOUR), power=((b"a", 1), (b"a", 1), (b"b", 1), (b"c", 1)))
    low, high = at_height(5, twice), at_height(9, crewed({"x": 1}, signers="a"))
    assert 9 not in believe([], [low, high], [at(5)], NOW, TRUSTING).believed


def test_a_block_leads_neither_down_nor_to_another_chain() -> None:
    low, high = at_height(5, crewed(FOUR)), at_height(9, crewed(FOUR))
    assert Step(low).leads_to(high)
    assert not Step(low).leads_to(replace(high, chain="embedded-2"))
    assert not Step(high).leads_to(low)
    assert not Step(high).leads_to(high)


def test_only_a_signed_block_can_be_left_by_a_jump() -> None:
    low, high = at_height(5, crewed(FOUR)), at_height(9, crewed(FOUR))
    plain = replace(low, power=(), signers=frozenset())
    assert believed([plain], [high], at(5)) == (5,)
    assert believed([], [low, high], at(5)) == (5, 9)
    assert believed([low], [high], at(5)) == (5, 9)
    unsigned = replace(high, power=(), signers=frozenset())
    assert believed([unsigned], [low], at(5)) == (5,)


def test_below_a_block_that_was_jumped_to_links_count() -> None:
    crew = crewed(FOUR)
    chain = [at_height(height, crew) for height in range(1, 10)]
    assert believed(chain[5:8], [chain[4], chain[8]], at(5)) == (5, 6, 7, 8, 9)
    found = believe([chain[5], chain[7]], [chain[4], chain[8]], [at(5)], NOW, TRUSTING)
    assert sorted(found.believed) == [5, 8, 9]
    with pytest.raises(UnavailableError, match="the links end at block 8"):
        found.at(6)


def test_links_that_lead_below_the_anchor_to_another_history_are_a_fork() -> None:
    crew = crewed(FOUR)
    chain = [at_height(height, crew) for height in range(1, 10)]
    other = [at_height(height, crew, "fork") for height in range(1, 10)]
    # The fork leaves out the anchor's own height: what is not there cannot be compared.
    assert believed([other[5]], [chain[4], other[8]], at(5)) == (5, 9)
    forged = [*other[:4], replace(other[5], previous=chain[4].hash), *other[6:]]
    assert believed([forged[4], *other[6:8]], [chain[4], other[8]], at(5)) == (5, 6, 7, 8, 9)
    with pytest.raises(VerificationError, match="another block 5 than the anchor"):
        believed(other[4:8], [chain[4], other[8]], at(5))


@pytest.mark.parametrize("anchor", [9, 5], ids=["from above", "after a jump"])
def test_links_to_validators_whom_the_block_below_did_not_announce_are_an_alarm(
    anchor: int,
) -> None:
    """Whoever holds 40% makes up blocks of a set of his own that even link to the anchor."""
    whale = crewed({"w": 40, "x": 20, "y": 20, "z": 20})
    made_up = crewed({"w": 1, **dict.fromkeys("abcdefghi", 1)})
    chain = [at_height(height, whale if height < 6 else made_up) for height in range(1, 10)]
    with pytest.raises(VerificationError, match="block 6 is by validators whom block 5 did not"):
        believe(chain[5:8], [chain[4], chain[8]], [at(anchor)], NOW, TRUSTING)


def test_believed_neighbours_that_do_not_link_are_an_alarm() -> None:
    """Two anchors' walks end side by side: the block that both would name is left out."""
    chain = [at_height(height, crewed(FOUR)) for height in range(1, 10)]
    other = at_height(7, crewed(FOUR), "fork")
    with pytest.raises(VerificationError, match="block 8 does not follow block 7"):
        believe([chain[7], chain[8]], [chain[4], other], [at(9), at(5)], NOW, TRUSTING)


def test_a_fork_below_a_second_anchor_is_an_alarm_that_names_both_blocks() -> None:
    crew = crewed(FOUR)
    chain = [at_height(height, crew) for height in range(1, 10)]
    other = [at_height(height, crew, "fork") for height in range(1, 10)]
    anchors = [at(9), Anchor("embedded", "embedded-1", 5, word(5, ""))]
    links = [*chain[6:9], other[7]]
    known = believe(links, [chain[4], chain[7]], anchors, NOW, TRUSTING)
    assert (known.anchor_of(7).height, known.anchor_of(5).height) == (9, 5)
    with pytest.raises(VerificationError, match="two believed blocks 8") as caught:
        believe(links, [chain[4], other[7]], anchors, NOW, TRUSTING)
    assert chain[7].hash.hex() in str(caught.value)
    assert other[7].hash.hex() in str(caught.value)


def test_an_anchor_that_the_evidence_contradicts_is_an_alarm_whatever_hangs_on_the_others() -> None:
    crew = crewed(FOUR)
    chain = [at_height(height, crew) for height in range(1, 10)]
    for anchors in ([at(9), at(4, hash=word("real"))], [at(4, hash=word("real")), at(9)]):
        with pytest.raises(VerificationError, match="another block 4 than the anchor"):
            believe(chain, [], anchors, NOW, TRUSTING)
    with pytest.raises(VerificationError, match="two anchors for block 4"):
        believe(chain, [], [at(4), at(4, hash=word("real"))], NOW, TRUSTING)


def test_every_anchor_starts_a_walk_of_its_own() -> None:
    crew = crewed(FOUR)
    chain = [at_height(height, crew) for height in range(1, 10)]
    strangers = crewed(dict.fromkeys("wxyz", 1))
    later = [at_height(height, strangers) for height in range(20, 24)]
    both = [*chain, *later]
    only = believe(chain[:3], both, [at(3)], later[-1].time, TRUSTING)
    assert sorted(only.believed) == list(range(1, 10))
    found = believe(chain[:3], both, [at(3), at(20)], later[-1].time, TRUSTING)
    assert sorted(found.believed) == [*range(1, 10), *range(20, 24)]
    assert found.anchor_of(9).height == 3
    assert found.anchor_of(22).height == 20


def test_keys_of_old_validators_cannot_write_on_from_an_old_anchor() -> None:
    low, forged = at_height(5, crewed(FOUR)), at_height(9, crewed(FOUR))
    old = replace(forged, time=low.time + TRUSTING)
    for now in (low.time + TRUSTING, low.time + 100 * TRUSTING):
        dated = replace(old, time=now)
        found = believe([], [low, dated], [at(5)], now, TRUSTING)
        assert sorted(found.believed) == [5]
        with pytest.raises(UnavailableError, match="older than the trusting period"):
            found.at(9)
    # A step in between does not make the anchor younger.
    steps = [at_height(5, crewed(FOUR)), at_height(6, crewed(FOUR)), old]
    assert believed([], steps, at(5), low.time + TRUSTING) == (5,)


def test_a_jump_goes_forward_in_time_and_not_beyond_the_clock() -> None:
    low, high = at_height(5, crewed(FOUR)), at_height(9, crewed(FOUR))
    for time in (low.time, low.time - 1):
        with pytest.raises(VerificationError, match="block 9 is not later than block 5"):
            believed([], [low, replace(high, time=time)], at(5))
    assert believed([], [low, replace(high, time=NOW + DRIFT)], at(5)) == (5, 9)
    ahead = believe([], [low, replace(high, time=NOW + DRIFT + 1)], [at(5)], NOW, TRUSTING)
    with pytest.raises(UnavailableError, match="dated later than this check"):
        ahead.at(9)


def test_two_blocks_that_a_third_vouches_for_are_an_equivocation() -> None:
    low, high = at_height(5, crewed(FOUR)), at_height(9, crewed(FOUR))
    twin = at_height(9, crewed(FOUR, signers="abc"), "twin")
    with pytest.raises(VerificationError, match="two signed blocks for height 9") as caught:
        believed([], [low, high, twin], at(5))
    assert twin.hash.hex() in str(caught.value)
    stranger = at_height(9, crewed({"x": 1}), "twin")
    assert believed([], [low, stranger, high], at(5)) == (5, 9)


def test_the_next_block_needs_the_announced_validators_however_many_vouch() -> None:
    low, following = at_height(5, crewed(FOUR)), at_height(6, crewed(FOUR))
    changed = replace(following, validators=word("others"))
    assert believed([], [low, changed], at(5)) == (5,)
    assert believed([], [low, replace(following, previous=word("x"))], at(5)) == (5,)


def lone(*blocks: Block, anchor: int = 5) -> bool:
    return believe([], blocks, [at(anchor)], NOW, TRUSTING).is_lone


def test_who_could_have_written_the_blocks_alone_is_seen() -> None:
    third = {"a": 34, "b": 33, "c": 33}
    low = at_height(5, crewed(third))
    assert not lone(low)
    assert not lone(low, at_height(6, crewed(third)))
    assert lone(low, at_height(9, crewed(third)))  # one of them suffices for a jump
    assert lone(low, at_height(6, replace(crewed({"a": 3, "b": 1}), validators=low.validators)))
    assert not lone(low, at_height(9, crewed({"a": 3, "b": 1}, signers="")))
    even = at_height(5, crewed({"a": 1, "b": 1, "c": 1}))
    assert not lone(even, at_height(9, crewed({"a": 2, "b": 1, "c": 0}, signers="ab")))
    assert lone(at_height(5, crewed({"a": 1})))


# against a slow reference


def slowly(linked: list[Block], signed: list[Block], anchor: Block) -> set[Digest]:
    """Return the hashes of believed blocks, by looking at everything again and again."""
    here, found = anchor, {anchor.hash}
    for height in range(anchor.height + 1, 30):
        for b in signed:
            power = {key: share for key, share in here.power if key in b.signers}
            third = sum(share for _, share in here.power) / 3
            is_next = b.previous == here.hash and b.validators == here.next_validators
            if b.height == height and (
                is_next if height == here.height + 1 else sum(power.values()) > third
            ):
                here = b
                found.add(b.hash)
                break
    while more := {
        b.hash for a in (*linked, *signed) if a.hash in found
        for b in (*linked, *signed) if b.hash == a.previous
    } - found:  # fmt: skip
        found |= more
    return found


CREWS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4), min_size=1, max_size=5)


@st.composite
def histories(draw: st.DrawFn) -> list[Block]:
    """Draw a chain in which validators come and go."""
    chain, crew = [], draw(CREWS)
    for height in range(1, draw(st.integers(2, 12))):
        following = draw(CREWS) if draw(st.booleans()) else crew
        names = "".join(sorted(crew))
        signers = draw(st.sampled_from([names, names[:2], names[1:]]))
        made = crewed(crew, signers=signers, next_validators=word(*following))
        chain.append(at_height(height, made))
        crew = following
    return chain


@settings(deadline=None, max_examples=120)
@given(histories(), st.data())
def test_what_is_believed_is_what_a_slow_reference_believes(
    chain: list[Block], data: st.DataObject
) -> None:
    heights = st.sets(st.sampled_from([b.height for b in chain]))
    low = data.draw(st.sampled_from(chain))
    known = data.draw(heights)
    linked = [b for b in chain if b.height in known]
    shown = data.draw(heights) | {low.height}
    signed = [b for b in chain if b.height in shown]
    found = believe(linked, signed, [at(low.height)], NOW + TRUSTING // 2, TRUSTING)
    assert {b.hash for b in found.believed.values()} == slowly(linked, signed, low)
