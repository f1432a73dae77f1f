"""A light client against a node that lies: only what hangs on the anchor comes out."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from provenance.anchor import Anchor
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header_store import EquivocationError, HeaderStore
from storage.celestia.light import PAGE, LightClient
from tests.storage.celestia.chains import SECOND, WEEK, Chain, Crew, Node, forged

CREW = Crew.of("a", "b", "c", "d")
STRANGERS = Crew.of("w", "x", "y", "z")
LONG = Chain("many-1", CREW, 70)


def store_in(folder: Path) -> HeaderStore:
    return HeaderStore(folder / "headers.sqlite")


def client(
    folder: Path, node: Node, anchor: Anchor | int = 1, *, now: int | None = None
) -> LightClient:
    """Return a light client whose store is in `folder`; its clock stands at `now`."""
    fixed = node.chain.anchor(anchor) if isinstance(anchor, int) else anchor
    time = node.chain.now if now is None else now
    return LightClient(node, store_in(folder), fixed, lambda: time, WEEK)


def branch(height: int, count: int, crew: Crew = CREW, *, step: int = 2 * SECOND) -> Chain:
    """Return another history by the same validators that leaves LONG above `height`."""
    other = LONG.fork(height)
    other.step = step
    return other.extend(count, crew)


# what an honest node gives


def test_a_jump_that_all_vouch_for_asks_for_one_header(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node)
    assert light.at(70) == LONG.at(70)
    assert node.asked == [1, 70]
    assert light.at(70) == LONG.at(70)
    assert node.asked == [1, 70]


def test_what_was_verified_is_not_asked_for_again_after_a_restart(tmp_path: Path) -> None:
    client(tmp_path, Node(LONG)).at(70)
    silent = Node(LONG, tail=99)
    assert client(tmp_path, silent).at(70) == LONG.at(70)
    assert silent.asked == []


def test_blocks_below_the_anchor_hang_on_it_by_their_hashes(tmp_path: Path) -> None:
    light = client(tmp_path, Node(LONG), 60, now=LONG.now + 100 * WEEK)
    assert light.at(10) == LONG.at(10)
    assert list(light.between(10, 60)) == LONG.blocks[9:60]


def test_headers_asked_one_after_the_other_come_in_pages(tmp_path: Path) -> None:
    node = Node(LONG)
    assert list(client(tmp_path, node).between(2, 70)) == LONG.blocks[1:]
    assert node.asked == [1, 2, 2 + PAGE, 2 + 2 * PAGE]


def test_a_page_that_is_not_there_yet_is_asked_for_one_by_one(tmp_path: Path) -> None:
    given = client(tmp_path, Node(LONG)).between(68, 72)
    assert [next(given) for _ in range(3)] == LONG.blocks[67:]
    with pytest.raises(UnavailableError, match="from the future"):
        next(given)


def test_the_head_moves_on(tmp_path: Path) -> None:
    node = Node(LONG.fork(3))
    light = client(tmp_path, node, now=LONG.now)
    assert light.head() == LONG.at(3)
    assert light.head() == LONG.at(3)
    node.chain = LONG
    assert light.head() == LONG.at(70)


def test_a_jump_over_a_change_of_validators_is_halved(tmp_path: Path) -> None:
    chain = Chain("many-1", CREW, 0)
    for turn in range(8):
        names = [f"v{turn}-{n}" for n in range(3)], [f"v{turn + 1}-{n}" for n in range(3)]
        chain.extend(9, Crew.of(*names[0]), then=Crew.of(*names[1]))
    node = Node(chain)
    light = client(tmp_path, node)
    assert light.head() == chain.at(72)
    assert len(node.asked) < 40
    asked = len(node.asked)
    assert light.at(72) == chain.at(72)
    assert len(node.asked) == asked
    assert list(light.between(1, 72)) == chain.blocks


def test_far_below_a_verified_head_a_jump_up_is_shorter_than_the_links_down(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node)
    light.head()
    assert light.at(30) == LONG.at(30)
    assert [light.at(height) for height in range(31, 50)] == LONG.blocks[30:49]
    assert node.asked == [1, 30, 31]


def test_between_two_verified_blocks_links_decide(tmp_path: Path) -> None:
    light = client(tmp_path, Node(LONG))
    light.at(70)
    late = client(tmp_path, Node(LONG), now=LONG.now + 9 * WEEK)
    assert late.at(35) == LONG.at(35)


# a node that lies


def test_another_block_at_the_anchors_height_is_refused(tmp_path: Path) -> None:
    node = Node(LONG)
    with pytest.raises(VerificationError, match="the wrong anchor, or another history"):
        client(tmp_path, node, replace(LONG.anchor(5), hash=Digest(bytes(32)))).at(9)
    node.lies[5] = forged(LONG.at(5), CREW)
    with pytest.raises(VerificationError, match="the wrong anchor, or another history"):
        client(tmp_path, node, 5).at(9)
    assert store_in(tmp_path).top("many-1") == 0


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (LONG.at(41), "block 41 of many-1 when asked for block 40"),
        (forged(LONG.at(40), CREW, chain="many-2"), "block 40 of many-2 when asked"),
        (replace(LONG.at(40), commit=LONG.at(41).commit), "leads to"),
        (forged(LONG.at(40), CREW, signers="ab"), "not more than two thirds"),
        (forged(LONG.at(40), CREW, time=LONG.at(1).header.time), "not later than block 1"),
        (forged(LONG.at(40), CREW, time=LONG.now + 11 * SECOND), "dated in the future"),
    ],
    ids=["height", "chain", "commit", "two of four", "time", "future"],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    tmp_path: Path, lie: ExtendedHeader, words: str
) -> None:
    node = Node(LONG)
    node.lies[40] = lie
    with pytest.raises(VerificationError, match=words):
        client(tmp_path, node).at(40)
    assert store_in(tmp_path).top("many-1") == 1


def test_a_header_by_made_up_validators_is_refused_in_few_questions(tmp_path: Path) -> None:
    node = Node(LONG)
    node.newest = forged(LONG.at(70), STRANGERS, height=2**50)
    with pytest.raises(UnavailableError, match="from the future"):
        client(tmp_path, node).head()
    node.newest = None
    node.lies = {height: forged(LONG.at(height), STRANGERS) for height in range(2, 71)}
    for ask in (client(tmp_path, node).head, lambda: client(tmp_path, node).at(2)):
        with pytest.raises(VerificationError, match="validators that nobody announced"):
            ask()
    assert len(node.asked) < 20
    assert store_in(tmp_path).top("many-1") == 1


def test_exactly_a_third_of_the_power_cannot_lead_to_a_set_of_its_own(tmp_path: Path) -> None:
    chain = Chain("many-1", Crew.of(a=3, b=2, c=2, d=2), 40)
    node = Node(chain)
    thief = Crew.of(a=99, w=1)
    node.lies = {height: forged(chain.at(height), thief) for height in range(2, 41)}
    with pytest.raises(VerificationError, match="nobody announced"):
        client(tmp_path, node).head()
    # More than a third is believed: that is the assumption on which every jump rests.
    node.chain = Chain("many-1", Crew.of(a=4, b=2, c=2, d=2), 40)
    node.lies = {40: forged(node.chain.at(40), thief)}
    (tmp_path / "other").mkdir()
    assert client(tmp_path / "other", node).head() == node.lies[40]


WHALE = Crew.of(whale=40, b=20, c=20, d=20)
SYBILS = Crew.of(*"stuvwxyz", whale=1)


def made_up() -> Chain:
    """Return a history above block 5 that somebody with 40% of the power makes up, whole."""
    return Chain("many-1", WHALE, 5).extend(7, SYBILS)


def test_a_set_that_nobody_announced_is_found_out_by_whoever_reads_every_block(
    tmp_path: Path,
) -> None:
    node = Node(made_up())
    assert client(tmp_path, node, 5).head() == node.chain.at(12)
    with pytest.raises(EquivocationError, match="two signed histories at block 6"):
        client(tmp_path, node, 5).at(6)
    with pytest.raises(EquivocationError, match="two signed histories at block 6"):
        client(tmp_path, node, 5).head()  # the anchor below does not decide about it
    real = Chain("many-1", WHALE, 9)
    light = client(tmp_path, Node(real), real.anchor(6))
    assert light.head() == real.at(9)
    assert light.at(5) == real.at(5)


def test_reading_upwards_stops_there_too(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="validators that nobody announced"):
        client(tmp_path, Node(made_up()), 5).at(6)


def test_who_could_alone_have_led_a_jump_is_seen(tmp_path: Path) -> None:
    light = client(tmp_path, Node(made_up()), 5)
    before = light.is_lone
    light.head()
    assert (before, light.is_lone) == (False, True)
    (tmp_path / "many").mkdir()
    several = client(tmp_path / "many", Node(LONG), 5)
    several.head()
    assert not several.is_lone
    (tmp_path / "steps").mkdir()
    steps = client(tmp_path / "steps", Node(Chain("many-1", WHALE, 9)), 5)
    assert [steps.at(height).header.height for height in range(6, 10)] == [6, 7, 8, 9]
    assert not steps.is_lone  # to the next block it takes two thirds


def test_links_alone_do_not_carry_a_set_that_nobody_announced(tmp_path: Path) -> None:
    node = Node(made_up())
    light = client(tmp_path, node, 12)
    with pytest.raises(EquivocationError, match="two signed histories at block 6"):
        light.at(3)
    kept = {each.header.height for _, each in store_in(tmp_path).disputed("many-1")}
    assert kept == {5, 6}


def test_old_keys_cannot_write_on_from_an_old_anchor(tmp_path: Path) -> None:
    now = LONG.at(5).header.time + WEEK
    forgery = LONG.fork(5).extend(1, CREW, change=lambda h: replace(h, time=now - SECOND))
    node = Node(forgery)
    for ask in (client(tmp_path, node, 5, now=now).head, client(tmp_path, node, 5, now=now).at):
        with pytest.raises(UnavailableError, match="older than the trusting period"):
            ask(6) if ask.__name__ == "at" else ask()  # type: ignore[call-arg]  # one of two
    assert client(tmp_path, node, 5, now=now).at(4) == LONG.at(4)
    assert client(tmp_path, node, 5, now=now - 1).head() == forgery.at(6)


def test_the_period_counts_from_the_newest_verified_header(tmp_path: Path) -> None:
    slow = Chain("many-1", CREW, 4, step=WEEK - 1)
    for height in (1, 2, 3, 4):
        node = Node(slow.fork(height))
        light = client(tmp_path, node, slow.anchor(1), now=slow.at(height).header.time)
        assert light.head() == slow.at(height)
    late = slow.at(4).header.time + WEEK
    with pytest.raises(UnavailableError, match="make it the anchor"):
        client(tmp_path, Node(slow), slow.anchor(1), now=late).at(5)


def test_a_new_anchor_goes_on_where_the_old_one_became_too_old(tmp_path: Path) -> None:
    client(tmp_path, Node(LONG), now=LONG.now).at(10)
    later = LONG.fork(70).extend(1, CREW, change=lambda h: replace(h, time=LONG.now + 9 * WEEK))
    later.extend(9, CREW)
    light = client(tmp_path, Node(later), later.anchor(75))
    assert light.head() == later.at(80)
    assert list(light.between(8, 80)) == later.blocks[7:]


def test_an_anchor_that_contradicts_what_was_verified_is_refused(tmp_path: Path) -> None:
    client(tmp_path, Node(LONG)).head()
    with pytest.raises(VerificationError, match="the wrong anchor, or another history"):
        client(tmp_path, Node(LONG), replace(LONG.anchor(70), hash=Digest(bytes(32)))).at(1)
    node = Node(LONG)
    node.lies[20] = forged(LONG.at(20), STRANGERS)
    anchor = replace(LONG.anchor(20), hash=node.lies[20].header.hash)
    with pytest.raises(VerificationError, match="the one that the verified block 38 leads down to"):
        client(tmp_path, node, anchor).at(20)
    assert client(tmp_path, Node(LONG)).at(20) == LONG.at(20)


def test_anchors_of_two_histories_are_an_alarm_once_links_join_them(tmp_path: Path) -> None:
    other = branch(5, 20)
    client(tmp_path, Node(LONG), 60).at(40)
    assert client(tmp_path, Node(other), 7, now=LONG.now).at(7) == other.at(7)
    with pytest.raises(EquivocationError, match="two signed histories at block 7"):
        client(tmp_path, Node(LONG), 60).at(8)
    (tmp_path / "other").mkdir()
    client(tmp_path / "other", Node(LONG), 60).at(8)
    with pytest.raises(VerificationError, match="the one that the verified block 8 leads down to"):
        client(tmp_path / "other", Node(other), 7).at(7)


def test_a_fork_below_the_anchor_is_refused(tmp_path: Path) -> None:
    node = Node(LONG)
    other = branch(5, 40)
    node.lies = {height: other.at(height) for height in range(6, 46)}
    light = client(tmp_path, node, 60)
    with pytest.raises(VerificationError, match="block 45 is not the one that the verified block"):
        light.at(10)


def test_times_that_do_not_rise_are_refused_downwards_too(tmp_path: Path) -> None:
    still = LONG.fork(5).extend(1, CREW, change=lambda h: replace(h, time=LONG.at(5).header.time))
    with pytest.raises(VerificationError, match="block 6 is not later than block 5"):
        client(tmp_path, Node(still), 6).at(4)


def test_a_node_that_falls_behind_takes_no_verified_block_away(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node)
    light.head()
    node.newest = LONG.at(69)
    assert light.head() == LONG.at(70)


def test_a_node_that_is_behind_is_still_one_of_this_chain(tmp_path: Path) -> None:
    """The head is known already, so nothing newer is asked for: a foreign node must not pass."""
    light = client(tmp_path, Node(LONG), now=LONG.now)
    light.head()
    light.at(20)
    for other, words in (
        (Chain("another-chain", STRANGERS, 3), "block 3 of another-chain when asked for"),
        (Chain("many-1", STRANGERS, 3), "validators that nobody announced|another than"),
        (LONG.fork(19).extend(1, STRANGERS), "block 20 is"),
    ):
        with pytest.raises(VerificationError, match=words):
            client(tmp_path, Node(other), LONG.anchor(1), now=LONG.now).head()
    assert store_in(tmp_path).disputed("many-1") == ()


def test_how_far_a_node_is_can_be_asked(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node, 40, now=LONG.now)
    light.head()
    known = [light.shown]
    for height in (69, 10):
        node.chain = LONG.fork(height)
        assert light.head() == LONG.at(70)
        known.append(light.shown)
    assert known == [70, 69, 10]


def test_two_signed_blocks_of_a_height_below_the_head_stop_everything(tmp_path: Path) -> None:
    client(tmp_path, Node(LONG), 10, now=LONG.now).at(15)
    client(tmp_path, Node(LONG), 10, now=LONG.now).head()
    with pytest.raises(EquivocationError, match="two signed histories at block 15"):
        client(tmp_path, Node(branch(14, 1)), 10, now=LONG.now).head()


def test_pruned_and_future_heights_keep_the_nodes_words(tmp_path: Path) -> None:
    node = Node(LONG, tail=30)
    with pytest.raises(UnavailableError, match="below Tail"):
        client(tmp_path, node, 5).at(40)
    light = client(tmp_path, node, 35)
    with pytest.raises(UnavailableError, match="below Tail"):
        light.at(29)
    with pytest.raises(UnavailableError, match="from the future"):
        light.at(71)
    with pytest.raises(MalformedError, match="there is no block 0"):
        light.at(0)


def test_a_page_cut_short_or_bent_is_refused_but_its_good_part_stays(tmp_path: Path) -> None:
    node = Node(LONG)
    node.lies[10] = forged(LONG.at(10), STRANGERS)
    light = client(tmp_path, node)
    with pytest.raises(VerificationError, match="nobody announced"):
        list(light.between(2, 20))
    assert store_in(tmp_path).top("many-1") == 9
    assert list(light.between(2, 9)) == LONG.blocks[1:9]


class Short(Node):
    """A node that leaves out the last header of each range."""

    @override
    def between(self, lower: ExtendedHeader, last: int) -> tuple[ExtendedHeader, ...]:
        """Return the headers but one."""
        return super().between(lower, last)[:-1]


def test_a_range_with_too_few_headers_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"answered \d+ headers of"):
        client(tmp_path, Short(LONG), 60).at(30)
    (tmp_path / "other").mkdir()
    assert list(client(tmp_path / "other", Short(LONG)).between(2, 9)) == LONG.blocks[1:9]


# two histories


def halted(folder: Path, height: int, now: int) -> None:
    """Check that a new client stops at `height`, and not below."""
    light = client(folder, Node(LONG), 3, now=now)
    for ask in (light.head, lambda: light.at(height), lambda: light.at(height + 5)):
        with pytest.raises(EquivocationError, match=f"two signed histories at block {height} "):
            ask()
    assert light.at(3) == LONG.at(3)


def test_two_heads_of_one_height_stop_everything_from_there_on(tmp_path: Path) -> None:
    other = branch(9, 1)
    light = client(tmp_path, Node(LONG.fork(10)), 3, now=LONG.now)
    light.head()
    with pytest.raises(EquivocationError) as caught:
        client(tmp_path, Node(other), 3, now=LONG.now).head()
    assert all(chain.at(10).header.hash.hex() in str(caught.value) for chain in (LONG, other))
    kept = store_in(tmp_path).disputed("many-1")
    assert {each.header.hash for _, each in kept} == {c.at(10).header.hash for c in (LONG, other)}
    halted(tmp_path, 10, LONG.now)


def test_another_head_counts_by_its_own_validators_or_by_those_below(tmp_path: Path) -> None:
    node = Node(LONG.fork(10))
    node.newest = branch(9, 1).at(10)
    with pytest.raises(EquivocationError):  # nothing below the anchor is verified: the same set
        client(tmp_path, node, 10).head()
    (tmp_path / "other").mkdir()
    node.newest = None
    client(tmp_path / "other", node, 3).head()
    node.newest = forged(LONG.at(10), Crew.of("a", "b", "w"))
    with pytest.raises(EquivocationError):  # another set, for which half of those below vouch
        client(tmp_path / "other", node, 3).head()


def test_a_next_block_upon_another_history_stops_everything(tmp_path: Path) -> None:
    other = branch(9, 2)
    client(tmp_path, Node(LONG.fork(10)), 3, now=LONG.now).head()
    with pytest.raises(EquivocationError, match="two signed histories at block 10"):
        client(tmp_path, Node(other), 3, now=LONG.now).head()
    halted(tmp_path, 10, LONG.now)


def test_a_jump_to_another_history_is_found_out_by_its_links(tmp_path: Path) -> None:
    other = branch(9, 11)
    client(tmp_path, Node(LONG.fork(10)), 3, now=LONG.now).head()
    light = client(tmp_path, Node(other), 3, now=LONG.now)
    assert light.head() == other.at(20)  # nothing shows yet that it leaves out block 10
    with pytest.raises(EquivocationError, match="two signed histories at block 10"):
        light.at(11)
    halted(tmp_path, 10, LONG.now)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_operator_decides_by_an_anchor(
    tmp_path: Path,
    is_first: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    other = branch(9, 30)
    client(tmp_path, Node(LONG.fork(10)), 3, now=LONG.now).head()
    with suppress(EquivocationError):
        client(tmp_path, Node(other.fork(10)), 3, now=LONG.now).head()
    right, wrong = (LONG, other) if is_first else (other, LONG)
    light = client(tmp_path, Node(right), right.anchor(10), now=LONG.now)
    assert light.head() == right.blocks[-1]
    assert light.at(10) == right.at(10)
    assert light.at(8) == LONG.at(8)
    # The other side is still wrong, and no longer stops anything.
    with pytest.raises(ProvenanceError):
        client(tmp_path, Node(wrong), wrong.anchor(10), now=LONG.now).head()
    assert client(tmp_path, Node(right), right.anchor(10), now=LONG.now).at(11) == right.at(11)
    assert store_in(tmp_path).disputed("many-1") == ()


def test_keys_that_are_worth_nothing_any_more_stop_nothing(tmp_path: Path) -> None:
    client(tmp_path, Node(LONG.fork(10)), 3).head()
    late = LONG.now + WEEK
    with pytest.raises(VerificationError, match="another than the verified") as caught:
        client(tmp_path, Node(branch(9, 1)), 3, now=late).head()
    assert not isinstance(caught.value, EquivocationError)
    stranger = Node(LONG.fork(10))
    stranger.newest = forged(LONG.at(10), STRANGERS)
    with pytest.raises(VerificationError, match="another than the verified"):
        client(tmp_path, stranger, 3).head()
    assert store_in(tmp_path).disputed("many-1") == ()
    assert client(tmp_path, Node(LONG), 3).head() == LONG.at(70)


# any mixture of questions and lies

TURNS = [Crew.of(*names) for names in ("abcd", "cdef", "efgh", "ghab")]
BUSY = Chain("many-1", TURNS[0], 0)
for _turn in range(8):
    BUSY.extend(4, TURNS[_turn % 4], then=TURNS[(_turn + 1) % 4])
LIES = {
    "strangers": [forged(each, STRANGERS) for each in BUSY.blocks],
    "one of four": [forged(each, Crew.of("a", "w")) for each in BUSY.blocks],
    "too few": [forged(each, TURNS[0], "ab") for each in BUSY.blocks],
    "a block too early": [*BUSY.blocks[1:], BUSY.blocks[0]],
    "another chain": list(Chain("many-2", TURNS[0], 32).blocks),
}


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_whatever_a_node_mixes_in_only_the_chains_headers_come_out(data: st.DataObject) -> None:
    node = Node(BUSY, tail=data.draw(st.sampled_from([1, 1, 9])))
    heights = st.integers(1, 32)
    with TemporaryDirectory() as folder:
        anchor = data.draw(heights)
        for _ in range(data.draw(st.integers(1, 6))):
            kind = data.draw(st.sampled_from([*LIES, None]))
            node.lies = {h: LIES[kind][h - 1] for h in data.draw(st.sets(heights))} if kind else {}
            light = client(Path(folder), node, anchor)
            wanted = data.draw(heights)
            with suppress(ProvenanceError):
                assert light.at(wanted) == BUSY.at(wanted)
            with suppress(ProvenanceError):
                head = light.head()
                assert head == BUSY.at(head.header.height)
        store, reached = store_in(Path(folder)), 0
        while (found := store.above("many-1", reached)) is not None:
            reached = found.header.height
            assert found == BUSY.at(reached)
        assert store.disputed("many-1") == ()
