"""What a commitment holds, made from records: the node file, and the exclusion indexes."""

import hmac
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.committing import Assembly, Table, commit_sources
from pipelines.flow.crews import Crew
from pipelines.flow.working import Divided, IndexRequest, Orders, Worked, by_batch
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.batch import Rows
from provenance.chunk import cut_key
from provenance.errors import ProvenanceError
from provenance.exclusion import IndexEntry
from provenance.field import FieldElement
from provenance.leaf import DatasetKey
from provenance.leaves import LeafMaker, chunks_of
from provenance.record import Record
from provenance.schema import Schema
from provenance.tree import Chunk, Words, record_root
from storage.drafts import NOTHING, Draft, Known, of_version
from storage.index_builder import IndexBuilder
from storage.nodes import NodeFile, write_nodes
from storage.parts import Part
from storage.readers.datasets import Dataset, Source, SourceFile

EXACT: Final = "exact/1"
BATCH: Final = 1024
CORES: Final = len(os.sched_getaffinity(0))


Reopen = Callable[[], Dataset]


@dataclass(slots=True)
class _Index:
    request: IndexRequest
    builder: IndexBuilder
    without: int = 0

    def entry(self) -> IndexEntry:
        """Return what the commitment says of the index, once its file lies in the home."""
        built = self.builder.finish()
        request = self.request
        return IndexEntry(
            request.normaliser, request.field, (), built.root, built.count, self.without
        )


def rules_of(maker: LeafMaker) -> str:
    """Return a tag of what leaves depend on but their records: key, schema and feature spec."""
    spec = canonical.encode(maker.spec.to_json()) if maker.spec else b""
    return hmac.digest(cut_key(maker.key), maker.schema.digest + spec, "sha256").hex()[:32]


def build(
    space: Workspace,
    dataset: Dataset,
    maker: LeafMaker,
    name: str,
    earlier: Sequence[Version],
    requests: Sequence[IndexRequest],
    reopen: Reopen | None = None,
) -> tuple[NodeFile, tuple[IndexEntry, ...]]:
    """Return the node file of a dataset's records, and its indexes, once they lie in the home.

    The caller holds the lock of the dataset's commits.

    Args:
        space: The home.
        dataset: The records.
        maker: Makes the leaves.
        name: The dataset's name.
        earlier: Its versions, of which the newest spares work.
        requests: Indexes to build.
        reopen: Opens the same dataset elsewhere; without it the records are read here.

    Raises:
        MalformedError: A record cannot be committed exactly.
        UnavailableError: A file could not be read, or the disk is full; run it again to go on.
    """
    rules, folder = rules_of(maker), space.home.nodes
    job = f"{name}-{rules}"
    with ExitStack() as stack:
        hands = stack.enter_context(space.crew.hired())
        stage = stack.enter_context(space.progress.stage(f"commit {name}", dataset.count()))
        indexes = [
            _Index(
                each, stack.enter_context(IndexBuilder(folder, maker.key, threads=hands.ahead // 2))
            )
            for each in requests
        ]
        draft = stack.enter_context(Draft.open(folder, job))
        known = _known(space, earlier, rules)
        files = stack.enter_context(_digested(dataset))
        names = _names(dataset, files) if known.parts and not indexes else {}

        def absorb(run: Worked) -> None:
            for index, (keys, without) in zip(indexes, run.keys, strict=True):
                index.builder.add(keys)
                index.without += without
            stage.advance(len(run.words))

        def reuse(source: Source) -> Iterator[tuple[Part, Words]]:
            if indexes:  # their keys come from the records
                return
            for part, words in _parts(source, names, known, draft.earlier):
                stage.advance(part.count)
                yield part, words

        assembly = Assembly(draft, hands.pool, (draft.earlier, known), hands.ahead)
        orders = Orders(maker, tuple(requests))
        reads_far = reopen if hands.is_far else None
        plan = Divided(orders, dataset, reads_far) if reads_far else by_batch(orders)
        commit_sources(assembly, dataset.sources, plan, absorb, reuse)
        nodes = draft.finish(rules, _names(dataset, files))
        return nodes, tuple(index.entry() for index in indexes)


def commit_rows(
    folder: Path, rows: Sequence[Record], schema: Schema, key: DatasetKey
) -> tuple[FieldElement, tuple[Chunk, ...]]:
    """Return root and chunk table of records in memory, once their node file lies in `folder`."""
    batches = (Rows(schema, rows[at : at + BATCH]) for at in range(0, len(rows), BATCH))
    nodes = write_nodes(folder, chunks_of(batches, LeafMaker(schema, key)))
    return nodes.root, nodes.chunks


def recompute_root(
    dataset: Dataset, maker: LeafMaker, advance: Callable[[int], None]
) -> FieldElement:
    """Return the record root that a dataset's records have now; nothing is written.

    Raises:
        MalformedError: A record cannot be committed exactly.
        UnavailableError: A file could not be read.
    """
    table = Table()
    with Crew().hired() as hands:
        assembly = Assembly(table, hands.pool, (), hands.ahead)
        plan = by_batch(Orders(maker))
        commit_sources(
            assembly, dataset.sources, plan, lambda run: advance(len(run.words)), lambda _: ()
        )
    return record_root(table.chunks)


def _known(space: Workspace, earlier: Sequence[Version], rules: str) -> Known:
    """Return what the newest version spares the next; nothing where its node file is not usable."""
    try:
        return of_version(nodes_of(space, earlier[-1].commitment), rules) if earlier else NOTHING
    except ProvenanceError:
        return NOTHING


def _parts(
    source: Source, names: Mapping[str, str], known: Known, draft: Known
) -> Iterator[tuple[Part, Words]]:
    name = names.get(source.identity)
    if name and name in known.parts:  # what has no name is never the same
        yield from known.parts_of(name)
    elif source.identity:
        yield from draft.parts_of(source.identity)


@contextmanager
def _digested(dataset: Dataset) -> Iterator[Future[tuple[SourceFile, ...]]]:
    """Have the files' digests computed while their records are read, if reading does not do it."""
    with ThreadPoolExecutor(1, thread_name_prefix="digest") as pool:
        later: Future[tuple[SourceFile, ...]] = Future()
        yield later if dataset.is_digested_by_reading else pool.submit(lambda: dataset.files)


def _names(dataset: Dataset, files: Future[tuple[SourceFile, ...]]) -> dict[str, str]:
    """Return how each source's file is read, and its SHA-256, by the source's identity."""
    if dataset.is_digested_by_reading or not dataset.watched:  # no file has a source of its own
        return {}
    found = files.result()
    pairs = zip(dataset.sources, found, strict=True)
    return {source.identity: f"{source.format} {file.sha256.hex()}" for source, file in pairs}
