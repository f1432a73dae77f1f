"""Drafts: what a killed run has left is used as far as it is whole, and never further."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from provenance.chunk import Marks
from provenance.errors import UnavailableError
from provenance.field import Digest
from provenance.poseidon import to_words, words_to_bytes
from provenance.tree import Chunk, ChunkTree, Words, chunk_root, chunk_tree
from storage.drafts import DRAFT, LOG, PARTS, Draft, of_version
from storage.nodes import NodeFile
from storage.parts import Part

RULES = "0123"


def words(start: int, count: int) -> Words:
    return to_words(range(start, start + count))


def part(source: str, start: int, leaves: Words, *, last: bool = False) -> Part:
    marks = Marks.of(leaves[:, 0].copy())
    stored = words_to_bytes(leaves).tobytes()
    return Part(source, start, marks, Digest(sha256(stored).digest()), last)


def same(tree: ChunkTree | None, chunk: Chunk) -> bool:
    return tree is not None and tree.chunk == chunk


class Killed(BaseException):
    """Stands for SIGKILL: nothing but what reached the files stays."""


def broken_off(folder: Path, fill: Callable[[Draft], None], by: BaseException) -> None:
    with Draft.open(folder, "job") as draft:
        fill(draft)
        raise by


def killed(folder: Path, fill: Callable[[Draft], None]) -> None:
    with pytest.raises(Killed):
        broken_off(folder, fill, Killed())


def two_parts(draft: Draft) -> None:
    for number, start in enumerate((1, 101)):
        leaves = words(start, 100)
        draft.write(leaves)
        draft.note(part("a", 100 * number, leaves, last=number == 1))
        draft.close(chunk_tree(leaves))


def test_a_finished_draft_is_a_node_file_with_its_parts(tmp_path: Path) -> None:
    with Draft.open(tmp_path, "job") as draft:
        two_parts(draft)
        nodes = draft.finish(RULES, {"a": "aa"})
    nodes.verify()
    assert nodes.records == 200
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".inner", ".nodes", ".parts"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    known = of_version(NodeFile.open(nodes.path), RULES)
    found = list(known.parts_of("aa"))
    assert [each.start for each, _ in found] == [0, 100]
    assert np.array_equal(np.concatenate([leaves for _, leaves in found]), words(1, 200))
    assert same(known.chunk(words(101, 100)), nodes.chunks[1])


def test_the_next_run_knows_what_a_killed_one_has_finished(tmp_path: Path) -> None:
    killed(tmp_path, two_parts)
    with Draft.open(tmp_path, "job") as draft:
        assert [len(leaves) for _, leaves in draft.earlier.parts_of("a")] == [100, 100]
        assert same(draft.earlier.chunk(words(1, 100)), chunk_root(words(1, 100)))
        assert draft.earlier.chunk(words(1, 99)) is None
        assert draft.earlier.chunk(words(2, 100)) is None
        assert list(draft.earlier.parts_of("b")) == []


def test_a_run_killed_early_does_not_lose_what_the_one_before_had(tmp_path: Path) -> None:
    killed(tmp_path, two_parts)
    killed(tmp_path, lambda draft: draft.note(part("b", 0, words(1, 5))))
    with Draft.open(tmp_path, "job") as draft:
        assert len(list(draft.earlier.parts_of("a"))) == 2


def test_another_job_knows_nothing_of_it(tmp_path: Path) -> None:
    killed(tmp_path, two_parts)
    with Draft.open(tmp_path, "other") as draft:
        assert list(draft.earlier.parts_of("a")) == []


@pytest.mark.parametrize("bit", [0, 8 * 64 + 3, 8 * (64 + 32 * 50), 8 * (64 + 32 * 99) + 255])
def test_a_flipped_bit_in_the_leaves_ends_what_is_taken_over(tmp_path: Path, bit: int) -> None:
    killed(tmp_path, two_parts)
    path = tmp_path / f"job{DRAFT}"
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    with Draft.open(tmp_path, "job") as draft:
        whole = 2 if bit < 8 * 64 else 0
        assert len(list(draft.earlier.parts_of("a"))) == whole
        found = draft.earlier.chunk(words(1, 100))
        assert (found is None) == (whole == 0)


@pytest.mark.parametrize("cut", [1, 40, 32 * 100, 32 * 100 + 1, 32 * 200])
def test_a_draft_cut_off_is_used_as_far_as_it_is_whole(tmp_path: Path, cut: int) -> None:
    killed(tmp_path, two_parts)
    path = tmp_path / f"job{DRAFT}"
    path.write_bytes(path.read_bytes()[:-cut])
    with Draft.open(tmp_path, "job") as draft:
        kept = (200 * 32 - cut) // (100 * 32)
        assert len(list(draft.earlier.parts_of("a"))) == kept


def log_lines(folder: Path) -> list[bytes]:
    return (folder / f"job{LOG}").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [lines[0].replace(b'"start":0', b'"start":1'), *lines[1:]],
        lambda lines: [lines[0][:-1], *lines[1:]],
        lambda lines: [b"{}\n", *lines],
        lambda lines: [b"\n", *lines],
        lambda lines: [b"\xff" * 40 + b"\n", *lines],
        lambda lines: [b"[" * 100_000 + b"\n", *lines],
        lambda _: [],
    ],
)
def test_a_log_line_that_is_damaged_hides_all_after_it(
    tmp_path: Path, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    killed(tmp_path, two_parts)
    (tmp_path / f"job{LOG}").write_bytes(b"".join(spoil(log_lines(tmp_path))))
    with Draft.open(tmp_path, "job") as draft:
        assert list(draft.earlier.parts_of("a")) == []
        assert draft.earlier.chunk(words(1, 100)) is None


def test_a_log_that_ends_within_a_line_keeps_the_lines_before(tmp_path: Path) -> None:
    killed(tmp_path, two_parts)
    lines = log_lines(tmp_path)
    (tmp_path / f"job{LOG}").write_bytes(b"".join(lines[:3])[:-10])
    with Draft.open(tmp_path, "job") as draft:
        assert len(list(draft.earlier.parts_of("a"))) == 1
        assert same(draft.earlier.chunk(words(1, 100)), chunk_root(words(1, 100)))


def test_parts_with_a_gap_are_not_joined(tmp_path: Path) -> None:
    def gap(draft: Draft) -> None:
        leaves = words(1, 100)
        draft.write(leaves)
        draft.note(part("a", 5, leaves))

    killed(tmp_path, gap)
    with Draft.open(tmp_path, "job") as draft:
        assert list(draft.earlier.parts_of("a")) == []


def test_versions_made_under_other_rules_spare_chunks_only(tmp_path: Path) -> None:
    with Draft.open(tmp_path, "job") as draft:
        two_parts(draft)
        nodes = draft.finish(RULES, {"a": "aa"})
    other = of_version(nodes, "4567")
    assert list(other.parts_of("aa")) == []
    assert same(other.chunk(words(1, 100)), nodes.chunks[0])
    nodes.path.with_suffix(PARTS).unlink()
    assert of_version(nodes, RULES).chunk(words(1, 100)) is None


def test_a_chunk_that_was_logged_wrong_is_found_by_verifying(tmp_path: Path) -> None:
    with Draft.open(tmp_path, "job") as draft:
        draft.write(words(1, 100))
        draft.close(chunk_tree(words(2, 100)))
        nodes = draft.finish(RULES, {})
    with pytest.raises(Exception, match="chunk 0"):
        nodes.verify()


def test_a_full_disk_is_told_and_keeps_the_draft(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="full"):
        broken_off(tmp_path, two_parts, OSError(28, "No space left on device"))
    with Draft.open(tmp_path, "job") as draft:
        assert len(list(draft.earlier.parts_of("a"))) == 2
