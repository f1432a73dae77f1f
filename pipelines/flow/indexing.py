"""Keeping the registry in step with the home, and making it anew: an index, never the truth."""

from collections.abc import Iterator

from pipelines.flow.catalogue import attestations, trusted_keys
from pipelines.flow.publishing import log_id, outbox
from pipelines.flow.workspace import Workspace
from provenance.canonical import digest
from provenance.field import Digest
from provenance.log import DIGEST, split_entries, verify_header
from provenance.receipt import Receipt
from storage.entries import Document, Posting
from storage.outbox import Entry
from storage.registry import Registry


def registry(space: Workspace) -> Registry:
    """Return the home's registry."""
    return Registry(space.home.registry)


def rebuild(space: Workspace) -> int:
    """Make the registry anew from attestations and receipts; return how many documents it holds.

    Raises:
        UnavailableError: DuckDB is not installed, or others hold the registry.
    """
    documents = list(_documents(space))
    registry(space).rebuild(documents)
    return len(documents)


def synchronise(space: Workspace) -> Registry:
    """Return the registry once it knows all that the home holds; what it knows already stays.

    Raises:
        UnavailableError: DuckDB is not installed, or others hold the registry.
    """
    found = registry(space)
    found.record(_documents(space))
    return found


def _documents(space: Workspace) -> Iterator[Document]:
    yield from attestations(space)
    for entry in outbox(space).batches(log_id(space)):
        posting = _posting(space, entry)
        if posting is not None:
            yield posting


def _posting(space: Workspace, entry: Entry) -> Posting | None:
    if entry.receipt is None:
        return None
    header = verify_header(entry.header, trusted_keys(space)).header
    posted = [
        Digest(item[5:]) if item[0] == DIGEST else digest(item[5:])
        for item in split_entries(entry.entries)
    ]
    if header.statement is not None:
        posted.append(digest(header.statement))
    return Posting.of(Receipt.parse(entry.receipt), header, posted)
