"""WebDataset: tar archives in which the files of a sample stand side by side under one name.

    train/0001.jpg   train/0001.json   train/0002.jpg      {"__key__": "train/0001", "jpg": …, …}

A sample is a run of members with the same path up to the first dot of the file's name; what follows
the dot is the field, and a part that a sample lacks is null (docs/spec/record.md).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from provenance.batch import Batch, Rows
from provenance.encoding import Value
from provenance.errors import MalformedError
from provenance.record import Bytes, Field, Record, Schema, String
from storage.readers.batches import BYTES, RECORDS, between
from storage.readers.files import File
from storage.readers.reading import fail, reading
from storage.readers.tar import Archive, opened

KEY: Final = "__key__"
REMEDY: Final = "pack the samples anew"
THREADS: Final = 8
"""Archives whose headers are read at once: most of that is waiting."""


def shard_schema(files: Sequence[File]) -> Schema:
    """Return the schema of samples: their key, and each part that occurs in any of the archives.

    Only headers are read.

    Raises:
        MalformedError: An archive is damaged, or holds what is no part of a sample.
        UnavailableError: The system could not read it.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        parts = sorted(set().union(*pool.map(_parts, files)))
    return Schema.of(Field(KEY, String()), *(Field(part, Bytes()) for part in parts))


def _parts(file: File) -> set[str]:
    with file.unchanged(), reading(file.name, REMEDY), opened(file) as archive:
        return {split(file.name, path)[1] for path, _ in archive.members()}


def split(archive: str, path: str) -> tuple[str, str]:
    """Return the key of a member's sample, and which part of it the member is.

    Raises:
        MalformedError: The path is absolute, leads upwards, or its file's name has no key or part.
    """
    folder, slash, name = path.rpartition("/")
    stem, _, part = name.partition(".")
    where = f"{archive}, member {path[:200]!r}"
    if path.startswith("/") or ".." in path.split("/"):
        raise fail(where, "a path that leads out of the archive", REMEDY)
    if not stem or not part or part == KEY:
        raise fail(where, "no name of a sample's part, as 0001.jpg is", REMEDY)
    return f"{folder}{slash}{stem}", part


@dataclass(frozen=True, slots=True)
class ShardSource:
    """The samples of one archive."""

    file: File
    schema: Schema
    format: str = field(default="tar", init=False)

    def __post_init__(self) -> None:
        """Raise MalformedError unless the schema is one of samples."""
        for member in self.schema.fields:
            if member.type != (String() if member.name == KEY else Bytes()):
                problem = f"field {member.name!r}: a sample has a string {KEY!r}, and bytes"
                raise fail(self.name, problem, "correct the declared schema")
        if all(member.name != KEY for member in self.schema.fields):
            raise fail(self.name, f"no field {KEY!r}", "correct the declared schema")

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.file.name

    def count(self) -> int | None:
        """Return None: only reading tells."""
        return None

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the samples from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: The archive is damaged, or a part occurs twice in a sample.
            UnavailableError: The system could not read it.
        """
        with reading(self.name, REMEDY), opened(self.file) as archive:
            yield from between(self._batches(archive), start, stop)

    def _batches(self, archive: Archive) -> Iterator[Rows]:
        rows, held = list[Record](), 0
        for record, size in self._samples(archive):
            if rows and (held + size > BYTES or len(rows) == RECORDS):
                yield Rows(self.schema, rows)
                rows, held = [], 0
            rows.append(record)
            held += size
        if rows:
            yield Rows(self.schema, rows)

    def _samples(self, archive: Archive) -> Iterator[tuple[Record, int]]:
        """Yield each sample with its size."""
        record, total = dict[str, Value](), 0
        for path, size in archive.members():
            key, part = split(self.name, path)
            if record and record[KEY] != key:
                yield record, total
                record, total = {}, 0
            record = record or {**dict.fromkeys(self._names), KEY: key}
            if part not in record:
                raise self._wrong(path, f"a part {part!r} that is not in the declared schema")
            if record[part] is not None:
                raise self._wrong(path, f"a sample with two parts {part!r}")
            record[part] = archive.content()
            total += size
        if record:
            yield record, total

    @property
    def _names(self) -> list[str]:
        return [member.name for member in self.schema.fields]

    def _wrong(self, path: str, problem: str) -> MalformedError:
        return fail(f"{self.name}, member {path[:200]!r}", problem, REMEDY)
