"""The commit engine against the plain stream: the same tree, however work is split or broken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines.flow.committing as engine
from pipelines.flow.committing import Assembly, Table, commit_sources, in_order
from pipelines.flow.crews import Crew
from pipelines.flow.working import Orders, Worked, by_batch
from provenance.batch import Batch, Rows
from provenance.errors import MalformedError
from provenance.leaf import DatasetKey
from provenance.leaves import LeafMaker, chunks_of
from provenance.schema import Field, Int, Schema
from provenance.tree import Chunk, ChunkTree, Words
from storage.drafts import NOTHING, Draft, Known, of_version
from storage.nodes import NodeFile
from storage.parts import Part

SCHEMA = Schema.of(Field("n", Int()))
MAKER = LeafMaker(SCHEMA, DatasetKey(bytes(range(32))))


class Killed(BaseException):
    """Stands for SIGKILL."""


@dataclass
class Numbers:
    """Records that are the numbers given; `read` counts what was asked for."""

    identity: str
    numbers: Sequence[int]
    size: int = 500
    stop: int | None = None
    read: int = field(default=0)

    @property
    def name(self) -> str:
        return self.identity

    @property
    def schema(self) -> Schema:
        return SCHEMA

    @property
    def format(self) -> str:
        return "numbers"

    def count(self) -> int | None:
        return None

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        assert stop is None
        for at in range(start, len(self.numbers), self.size):
            if self.stop is not None and at >= self.stop:
                raise Killed
            rows = [{"n": n} for n in self.numbers[at : at + self.size]]
            self.read += len(rows)
            yield Rows(SCHEMA, rows)


plan = by_batch(Orders(MAKER))


def plain(*sources: Numbers) -> list[Chunk]:
    rows = [{"n": n} for n in chain(*(source.numbers for source in sources))]
    return [each.chunk for each in chunks_of([Rows(SCHEMA, rows)], MAKER)]


def run(
    folder: Path, sources: Sequence[Numbers], known: Known = NOTHING, threads: int = 2
) -> NodeFile:
    with Crew(count=threads).hired() as hands, Draft.open(folder, "job") as draft:

        def reuse(source: Numbers) -> Iterable[tuple[Part, Words]]:
            yield from known.parts_of(f"sha of {source.identity}")
            if f"sha of {source.identity}" not in known.parts:
                yield from draft.earlier.parts_of(source.identity)

        assembly = Assembly(draft, hands.pool, (draft.earlier, known), hands.ahead)
        commit_sources(assembly, sources, plan, lambda _: None, reuse)
        return draft.finish(
            "rules", {s.identity: f"sha of {s.identity}" for s in sources if s.identity}
        )


def numbers(seed: int, count: int) -> range:
    return range(seed * 10**6, seed * 10**6 + count)


COUNTS = st.lists(st.integers(0, 4000), min_size=1, max_size=4).filter(any)
SIZES, THREADS = st.integers(300, 3000), st.integers(1, 3)


@settings(
    deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(COUNTS, SIZES, THREADS)
def test_any_files_batches_and_threads_give_the_tree_of_the_plain_stream(
    tmp_path: Path, counts: list[int], size: int, threads: int
) -> None:
    check_tree(tmp_path, counts, size, threads)


@pytest.mark.slow
@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(COUNTS, SIZES, THREADS)
def test_many_files_batches_and_threads_give_the_tree_of_the_plain_stream(
    tmp_path: Path, counts: list[int], size: int, threads: int
) -> None:
    check_tree(tmp_path, counts, size, threads)


def check_tree(tmp_path: Path, counts: list[int], size: int, threads: int) -> None:
    sources = [Numbers(str(at), numbers(at, count), size) for at, count in enumerate(counts)]
    nodes = run(tmp_path, sources, threads=threads)
    nodes.verify()
    assert list(nodes.chunks) == plain(*sources)


def test_constant_records_are_cut_where_chunks_are_full(tmp_path: Path) -> None:
    source = Numbers("a", [7] * 40_000, 5000)
    assert [chunk.count for chunk in run(tmp_path, [source]).chunks] == [16_384, 16_384, 7232]


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 9000), max_size=3), st.integers(400, 2000))
def test_a_killed_commit_goes_on_and_ends_with_the_same_root(
    tmp_path_factory: pytest.TempPathFactory, kills: list[int], part: int
) -> None:
    folder = tmp_path_factory.mktemp("nodes")
    before, engine.PART = engine.PART, part  # type: ignore[misc]  # a smaller part for a small test
    try:
        for stop in kills:
            with pytest.raises(Killed):
                run(
                    folder,
                    [Numbers("a", numbers(1, 900)), Numbers("b", numbers(2, 9001), stop=stop)],
                )
        sources = [Numbers("a", numbers(1, 900)), Numbers("b", numbers(2, 9001))]
        nodes = run(folder, sources)
    finally:
        engine.PART = before  # type: ignore[misc]
    nodes.verify()
    assert list(nodes.chunks) == plain(*sources)
    if kills:
        assert sources[0].read == 0  # a finished file is never read again
        assert sources[1].read <= 9001 - max(0, max(kills) - part - 5 * 500)
    assert sorted(path.suffix for path in folder.iterdir()) == [".inner", ".nodes", ".parts"]


def test_a_file_that_changed_since_the_kill_is_read_anew(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, [Numbers("a", numbers(1, 900)), Numbers("b", numbers(2, 900), stop=500)])
    sources = [Numbers("a, changed", numbers(3, 900)), Numbers("b", numbers(2, 900))]
    assert list(run(tmp_path, sources).chunks) == plain(*sources)
    assert sources[0].read == 900


def test_the_next_version_reads_only_files_that_changed(tmp_path: Path) -> None:
    names = "abcdef"
    first = [Numbers(name, numbers(at, 5000)) for at, name in enumerate(names)]
    known = of_version(run(tmp_path, first), "rules")
    changed = [*numbers(3, 2000), -1, *numbers(3, 5000)[2001:]]
    second = [
        Numbers(name, changed if name == "d" else first[at].numbers)
        for at, name in enumerate(names)
    ]
    second[3].identity = "d, changed"
    nodes = run(tmp_path, second, known)
    nodes.verify()
    assert list(nodes.chunks) == plain(*second)
    assert [source.read for source in second] == [0, 0, 0, 5000, 0, 0]


def test_files_taken_over_may_be_moved_repeated_and_left_out(tmp_path: Path) -> None:
    first = [Numbers(name, numbers(at, 3000)) for at, name in enumerate("abc")]
    known = of_version(run(tmp_path, first), "rules")
    second = [Numbers(name, first["abc".index(name)].numbers) for name in "caac"]
    nodes = run(tmp_path, second, known)
    nodes.verify()
    assert list(nodes.chunks) == plain(*second)
    assert sum(source.read for source in second) == 0


def test_chunks_that_are_known_are_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Numbers("", numbers(1, 30_000), 4000)  # no identity: it is read again
    first = run(tmp_path, [source])
    known = of_version(first, "rules")
    hashed: list[int] = []
    real = engine.chunk_tree  # type: ignore[attr-defined]

    def counted(leaves: Words) -> ChunkTree:
        hashed.append(len(leaves))
        return real(leaves)

    monkeypatch.setattr(engine, "chunk_tree", counted)
    assert run(tmp_path, [source], known).chunks == first.chunks
    assert hashed == []
    edited = [*source.numbers[:15_000], -1, *source.numbers[15_000:]]
    run(tmp_path, [Numbers("", edited, 4000)], known)
    assert 1 <= len(hashed) <= 2


def test_a_record_that_cannot_be_committed_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="'n'"):
        run(tmp_path, [Numbers("a", [1, 2, 2**80])])
    assert not list(tmp_path.glob("*.nodes"))


def test_no_record_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="empty"):
        run(tmp_path, [Numbers("a", []), Numbers("b", [])])


def test_runs_are_absorbed_in_order_and_a_table_stores_nothing() -> None:
    source, seen, table = Numbers("a", numbers(1, 3000), 100), list[Worked](), Table()
    with Crew(count=3).hired() as hands:
        assembly = Assembly(table, hands.pool, (), hands.ahead)
        commit_sources(assembly, [source], plan, seen.append, lambda _: ())
    whole = MAKER.leaves(Rows(SCHEMA, [{"n": n} for n in source.numbers]))
    assert np.array_equal(np.concatenate([run.words for run in seen]), whole.words)
    assert table.chunks == plain(source)


def test_no_more_is_handed_out_than_may_lie_ahead() -> None:
    read: list[int] = []

    def tasks() -> Iterator[Callable[[], int]]:
        for number in range(100):
            read.append(number)
            yield partial(int.__neg__, number)

    with Crew(count=2).hired() as hands:
        for number, made in enumerate(in_order(hands.pool, tasks(), 5)):
            assert made == -number
            assert len(read) <= number + 6
