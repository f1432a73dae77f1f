"""Files as records: each file is one record, its path below the folder and its bytes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Final

from provenance.encoding import MAX_SIZE, encoder
from provenance.field import Digest
from provenance.record import Bytes, Field, Record, Schema, String
from storage.reading import Watched, fail, reading
from storage.text import Parsed, batched

SCHEMA: Final = Schema.of(Field("bytes", Bytes()), Field("path", String()))


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files below a folder, each a record of the fields `bytes` and `path`.

    Attributes:
        name: What errors call it.
        files: Path below the folder, and the file.
        digests: SHA-256 of each file that was read, of the very bytes that became its record.
    """

    name: str
    files: tuple[tuple[str, Watched], ...] = field(repr=False)
    schema: Schema = field(default=SCHEMA, init=False)
    identity: str = field(default="", init=False)
    digests: dict[str, Digest] = field(default_factory=dict, init=False, repr=False)

    def count(self) -> int | None:
        """Return the number of files."""
        return len(self.files)

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Parsed]:
        """Yield the files from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: A file is gone or changed, or is larger than a value can be.
            UnavailableError: The system could not read it.
        """
        return batched(self._records(start, stop))

    def _records(self, start: int, stop: int | None) -> Iterator[tuple[Record, bytes]]:
        write = encoder(SCHEMA)
        for relative, watched in islice(self.files, start, stop):
            if watched.size > MAX_SIZE:
                raise fail(str(watched.path), f"larger than {MAX_SIZE} bytes", "split it")
            content = _content(watched)
            self.digests[relative] = Digest(sha256(content).digest())
            record: Record = {"bytes": content, "path": relative}
            yield record, write(record)


def _content(watched: Watched) -> bytes:
    """Return what a file holds; it is asked before and after whether it is still the same."""
    with reading(watched.name, "check the file"):
        descriptor = os.open(watched.name, os.O_RDONLY)
        try:
            watched.check(os.fstat(descriptor))
            with open(descriptor, "rb", buffering=0, closefd=False) as file:  # opened already
                content = file.read(watched.size + 1)
            watched.check(os.fstat(descriptor))
        finally:
            os.close(descriptor)
    if len(content) != watched.size:
        raise watched.changed()
    return content
