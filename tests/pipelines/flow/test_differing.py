"""Which records differ: against a slow reference over all leaves, and from registered versions."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.flow.catalogue import Version, find_version, nodes_of
from pipelines.flow.differing import Changes, compare, document, find_pair
from pipelines.flow.workspace import Workspace
from provenance.difference import Difference, verify_difference
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.leaves import LeafChunk
from provenance.poseidon import to_words
from provenance.tree import Words, chunk_root
from storage.nodes import NodeFile, write_nodes

SLOW: Final = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stored(folder: Path, parts: Sequence[Sequence[int]]) -> NodeFile:
    words = [to_words(part) for part in parts]
    return write_nodes(folder, [LeafChunk(chunk_root(part), part) for part in words])


def slow(before: Sequence[int], after: Sequence[int]) -> Changes:
    """Walk through both versions record by record; every leaf stands once in each."""

    def places(leaves: Sequence[int], other: Sequence[int]) -> dict[tuple[int, int], int]:
        found, anchor, distance = {}, 0, 0
        for number, leaf in enumerate(leaves):
            distance += 1
            if leaf in other:
                anchor, distance = leaf, 0
            else:
                found[anchor, distance] = number
        return found

    went, came = places(before, after), places(after, before)
    return Changes(
        tuple((went[place], came[place]) for place in went if place in came),
        tuple(number for place, number in went.items() if place not in came),
        tuple(number for place, number in came.items() if place not in went),
        len(before) - len(went),
    )


def cut(leaves: Sequence[int], ends: Callable[[int], bool]) -> list[list[int]]:
    """Return leaves in chunks, cut after those for which `ends` is true: by content, as records."""
    parts: list[list[int]] = [[]]
    for leaf in leaves:
        parts[-1].append(leaf)
        if ends(leaf):
            parts.append([])
    return [part for part in parts if part]


@st.composite
def edited(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    before = list(range(1, draw(st.integers(2, 40))))
    after, new = list(before), iter(range(1000, 2000))
    for _ in range(draw(st.integers(0, 8))):
        place = draw(st.integers(0, len(after) - 1))
        match draw(st.sampled_from(["insert", "remove", "change", "move", "append"])):
            case "insert":
                after.insert(place, next(new))
            case "remove" if len(after) > 1:
                del after[place]
            case "change":
                after[place] = next(new)
            case "move":
                after.insert(draw(st.integers(0, len(after))), after.pop(place))
            case _:
                after.append(next(new))
    return before, after


@given(edited(), st.integers(2, 7))
@SLOW
def test_edits_are_listed_as_a_walk_over_all_records_lists_them(
    tmp_path: Path, versions: tuple[list[int], list[int]], every: int
) -> None:
    before, after = versions
    nodes = [stored(tmp_path, cut(leaves, lambda n: n % every == 0)) for leaves in versions]
    assert compare(*nodes) == slow(before, after)
    assert compare(nodes[0], nodes[0]) == Changes((), (), (), len(before))


repeated = st.lists(st.integers(1, 5), min_size=1, max_size=24)


@given(repeated, repeated)
@SLOW
def test_repeated_leaves_are_counted(tmp_path: Path, before: list[int], after: list[int]) -> None:
    nodes = [stored(tmp_path, cut(leaves, lambda n: n == 5)) for leaves in (before, after)]
    found = compare(*nodes)
    went = [*found.removed, *(number for number, _ in found.changed)]
    came = [*found.added, *(number for _, number in found.changed)]
    assert len(set(went)) == len(went)
    assert len(set(came)) == len(came)
    ours, theirs = Counter(before), Counter(after)
    assert Counter(before[number] for number in went) == ours - theirs
    assert Counter(after[number] for number in came) == theirs - ours
    assert found.kept == (ours & theirs).total()


def test_a_change_within_equal_records_is_one_change(tmp_path: Path) -> None:
    before = stored(tmp_path, [[9, 9, 1, 9, 9, 2, 9]])
    after = stored(tmp_path, [[9, 9, 3, 9, 9, 4, 9]])
    assert compare(before, after) == Changes(((2, 2), (5, 5)), (), (), 5)


def test_changes_right_after_an_unchanged_chunk_hang_on_its_last_record(tmp_path: Path) -> None:
    before = stored(tmp_path, [[1, 2], [3, 4], [5, 6]])
    after = stored(tmp_path, [[7], [1, 2], [8, 4], [5, 6], [10]])
    assert compare(before, after) == Changes(((2, 3),), (), (0, 7), 5)


def test_only_changed_chunks_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(tmp_path, [[1, 2], [3, 4], [5, 6]])
    after = stored(tmp_path, [[1, 2], [3, 7], [5, 6]])
    read: list[int] = []
    whole = NodeFile.leaves_of

    def leaves_of(nodes: NodeFile, chunk: int) -> Words:
        read.append(chunk)
        return whole(nodes, chunk)

    monkeypatch.setattr(NodeFile, "leaves_of", leaves_of)
    assert compare(before, after).changed == ((3, 3),)
    assert read == [1, 1]


def test_a_damaged_node_file_is_told(tmp_path: Path) -> None:
    before = stored(tmp_path, [[1, 2], [3, 4]])
    after = stored(tmp_path, [[1, 2], [3, 5]])
    data = bytearray(after.path.read_bytes())
    data[64 + 32 * 3 + 31] ^= 1
    after.path.write_bytes(data)
    with pytest.raises(VerificationError, match="leaves of chunk 1 give another root"):
        compare(before, NodeFile.open(after.path))


def test_more_than_fits_in_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = stored(tmp_path, [[1, 2, 3]]), stored(tmp_path, [[4, 5, 6]])
    monkeypatch.setattr("pipelines.flow.differing.MAX_LEAVES", 2)
    with pytest.raises(UnavailableError, match="3 records stand in chunks that changed"):
        compare(before, after)


# Registered versions


@pytest.fixture
def pair(space: Workspace, add: Callable[[str, int], Version]) -> tuple[Version, Version]:
    """Versions of 20 and 23 records."""
    add("v1", 20)
    add("v2", 23)
    return find_pair(space, "rows@v1", "rows@v2")


def test_registered_versions_differ_by_what_was_added(
    space: Workspace, pair: tuple[Version, Version]
) -> None:
    nodes = [nodes_of(space, version.commitment) for version in pair]
    assert compare(*nodes) == Changes((), (), (20, 21, 22), 20)
    made = document(space, *pair)
    shown = verify_difference(
        Difference.parse(made.encoded), *(version.commitment for version in pair)
    )
    assert (len(shown.went), len(shown.came), shown.kept) == (0, 3, 20)


@pytest.mark.usefixtures("pair")
def test_versions_are_named_in_order(space: Workspace, add: Callable[[str, int], Version]) -> None:
    add("v3", 20)
    assert find_pair(space, "rows@v1", "rows")[1].commitment.version == "v3"
    for wrong in (("rows@v2", "rows@v1"), ("rows@v3", "rows@v1")):
        with pytest.raises(MalformedError, match="name them in that order"):
            find_pair(space, *wrong)
    with pytest.raises(MalformedError, match="are one version"):
        find_pair(space, "rows@v3", "rows")
    with pytest.raises(UnavailableError, match="no dataset rows@v9"):
        find_pair(space, "rows@v9", "rows@v1")


def test_a_version_without_its_leaves_cannot_be_compared(
    space: Workspace, pair: tuple[Version, Version]
) -> None:
    nodes_of(space, find_version(space, "rows@v1").commitment).path.unlink()
    with pytest.raises(UnavailableError, match="register the dataset again"):
        document(space, *pair)
