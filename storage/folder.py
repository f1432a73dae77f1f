"""Files as records: each file is one record, its path below the folder and its bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from provenance.encoding import MAX_SIZE
from provenance.record import Bytes, Field, Record, Schema, String
from storage.reading import Watched, fail, reading
from storage.text import batched

SCHEMA: Final = Schema.of(Field("bytes", Bytes()), Field("path", String()))


@dataclass(frozen=True, slots=True)
class FolderSource:
    """Files below a folder, each a record of the fields `bytes` and `path`."""

    name: str
    files: tuple[tuple[str, Watched], ...] = field(repr=False)
    schema: Schema = field(default=SCHEMA, init=False)

    def batches(self) -> Iterator[Sequence[Record]]:
        """Yield the files in order.

        Raises:
            MalformedError: A file is gone or changed, or is larger than a value can be.
            UnavailableError: The system could not read it.
        """
        return batched(self._records())

    def _records(self) -> Iterator[tuple[Record, int]]:
        for relative, watched in self.files:
            if watched.before.st_size > MAX_SIZE:
                raise fail(str(watched.path), f"larger than {MAX_SIZE} bytes", "split it")
            yield {"bytes": _content(watched), "path": relative}, watched.before.st_size


def _content(watched: Watched) -> bytes:
    with watched.unchanged(), reading(str(watched.path), "check the file"):
        return watched.path.read_bytes()
