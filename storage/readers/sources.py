"""What can be read again and again: records of one schema, and what they are read from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from provenance.batch import Batch
from provenance.record import Record, Schema
from storage.readers.batches import Slice
from storage.readers.digests import Digests, SourceFile
from storage.readers.files import File
from storage.readers.reading import fail


class Records(Protocol):
    """Records in a fixed order that can be read again and again."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def schema(self) -> Schema:
        """The logical schema that all its records fit."""
        ...

    @property
    def format(self) -> str:
        """All that decides which records they are, beside the bytes and the schema."""
        ...

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        ...

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order."""
        ...


class Source(Records, Protocol):
    """Records with a name for what they are read from."""

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same; empty if there is no telling."""
        ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """Records of one schema, from one or more sources in order.

    Where each file is a source of its own, `sources` and `files` are in the same order.
    """

    name: str
    schema: Schema
    order: str
    sources: tuple[Source, ...] = field(repr=False)
    digests: Digests = field(repr=False)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files, in order; they are digested when this is first asked for.

        Raises:
            MalformedError: A file has changed since the dataset was opened.
            UnavailableError: A file could not be read just now.
            VerificationError: A file is not the one that was expected.
        """
        return self.digests.all()

    @property
    def is_digested_by_reading(self) -> bool:
        """Whether reading the records digests the files as well, all of them in one source."""
        return self.digests.as_read

    @property
    def watched(self) -> Sequence[File]:
        """The files as they were when the dataset was opened."""
        return self.digests.files

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        counts = [source.count() for source in self.sources]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the records from number `start` on, in order, in batches; each call reads anew.

        Raises:
            MalformedError: Bad content, a file that changed since it was opened, or no record.
            UnavailableError: A file could not be read just now.
        """
        left, is_empty = start, True
        for source in self.sources:
            skipped = min(left, source.count() or 0) if left else 0
            left, is_empty = left - skipped, is_empty and not skipped
            for batch in source.batches(skipped):
                if left < len(batch):
                    yield Slice(batch, left, len(batch)) if left else batch
                left, is_empty = max(left - len(batch), 0), False
        if is_empty:
            raise fail(self.name, "an empty dataset", "a commitment needs at least one record")

    def records(self) -> Iterator[Record]:
        """Yield all records in order; see `batches`."""
        for batch in self.batches():
            yield from batch.records()


@dataclass(frozen=True, slots=True)
class Guarded:
    """The records of a file, which must stay the same while they are read."""

    file: File
    found: Records

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.file.name

    @property
    def schema(self) -> Schema:
        """The logical schema of its records."""
        return self.found.schema

    @property
    def format(self) -> str:
        """All that decides which records they are, beside the bytes and the schema."""
        return self.found.format

    @property
    def identity(self) -> str:
        """How it is read, the file, and what tells whether that is still the same."""
        return f"{self.format} {self.file.identity}"

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        return self.found.count()

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from `start` on; raise MalformedError if the file changes meanwhile."""
        with self.file.unchanged():
            yield from self.found.batches(start, stop)
