"""Files as records: each file is one record, its path below the folder and its bytes.

Small files are read many at a time, each with one opening and one reading; the digests are those of
the very bytes that became records.
"""

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from provenance.batch import Encoded
from provenance.encoding import MAX_SIZE
from provenance.record import Bytes, Field, Record, Schema, String
from storage.readers.batches import BYTES, RECORDS
from storage.readers.digests import Digests
from storage.readers.files import File, LocalFile
from storage.readers.reading import fail, reading

SCHEMA: Final = Schema.of(Field("bytes", Bytes()), Field("path", String()))
THREADS: Final = 16
"""Files that are fetched at once where they come from far away: most of that is waiting."""
_HEAD: Final = struct.Struct(">BI")
"""How bytes and strings are encoded: that they are not null, and their length."""


@dataclass(frozen=True, slots=True)
class FileBatch:
    """Files from number `first` on, and what they hold."""

    digests: Digests
    first: int
    contents: Sequence[bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.contents)

    def encoded(self) -> Encoded:
        """Return the canonical bytes, and note the digests.

        Raises:
            VerificationError: A file is not the one that was expected.
        """
        parts = []
        for number, content in enumerate(self.contents, self.first):
            self.digests.note(number, sha256(content).digest())
            path = self.digests.files[number].path.encode()
            parts.append(_HEAD.pack(1, len(content)) + content + _HEAD.pack(1, len(path)) + path)
        return Encoded.of(parts)

    def records(self) -> Sequence[Record]:
        """Return path and bytes of each."""
        files = self.digests.files[self.first : self.first + len(self.contents)]
        return [
            {"bytes": content, "path": file.path}
            for file, content in zip(files, self.contents, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files below a folder, each a record of the fields `bytes` and `path`."""

    name: str
    digests: Digests = field(repr=False)
    schema: Schema = field(default=SCHEMA, init=False)
    format: str = field(default="files", init=False)

    @property
    def identity(self) -> str:
        """The folder, and a digest of what its files are."""
        found = sha256()
        for file in self.digests.files:
            found.update(f"{file.identity}\n".encode())
        return f"{self.name} {found.hexdigest()}"

    def count(self) -> int | None:
        """Return the number of files."""
        return len(self.digests.files)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[FileBatch]:
        """Yield the files from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: A file is gone or changed, or is larger than a value can be.
            UnavailableError: The system could not read it.
        """
        first = start
        with ThreadPoolExecutor(THREADS) as pool:
            for group in _groups(self.digests.files[start:stop]):
                is_near = isinstance(group[0], LocalFile)
                yield FileBatch(
                    self.digests, first, list((map if is_near else pool.map)(_content, group))
                )
                first += len(group)


def _groups(files: Sequence[File]) -> Iterator[list[File]]:
    """Yield files together that are a batch together."""
    group, held = list[File](), 0
    for file in files:
        if group and (held + file.size > BYTES or len(group) == RECORDS):
            yield group
            group, held = [], 0
        group.append(file)
        held += file.size
    if group:
        yield group


def _content(file: File) -> bytes:
    if file.size > MAX_SIZE:
        raise fail(file.name, f"larger than {MAX_SIZE} bytes", "split it")
    try:
        return file.read()
    except OSError:
        with reading(file.name, "check the file"):
            raise
