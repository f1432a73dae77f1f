"""The SHA-256 of each file of a dataset: computed when asked for, by threads, or while it is read.

hashlib lets other threads run, so that digesting one file can overlap with reading another.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Final

from provenance.errors import VerificationError
from provenance.field import Digest
from storage.readers.files import File
from storage.readers.reading import reading

BLOCK: Final = 2**22


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read.

    Attributes:
        path: Relative to the dataset's folder, with `/` between names.
        size: Length in bytes.
        sha256: Plain digest of its bytes.
        file: The file itself.
    """

    path: str
    size: int
    sha256: Digest
    file: File = field(compare=False, repr=False)

    @property
    def identity(self) -> str:
        """Where it is, and what tells that it has changed: inode and times, or an ETag."""
        return self.file.identity


@dataclass(slots=True)
class Digests:
    """The digests of a dataset's files, each found once.

    Attributes:
        files: In the dataset's order.
        expected: SHA-256 by path, where it is known beforehand.
        as_read: Whether reading the records notes the digests.
    """

    files: Sequence[File]
    expected: Mapping[str, bytes] = field(default_factory=dict)
    as_read: bool = False
    _found: dict[int, Digest] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def note(self, number: int, digest: bytes) -> None:
        """Keep the digest of a file.

        Raises:
            VerificationError: It is not the one that was expected.
        """
        file = self.files[number]
        if self.expected and (expected := self.expected.get(file.path, digest)) != digest:
            raise VerificationError(
                f"{file.name}: its SHA-256 is {digest.hex()}, not {expected.hex()} as expected;"
                " get the file again"
            )
        self._found[number] = Digest(digest)

    def all(self, threads: int | None = None) -> tuple[SourceFile, ...]:
        """Return all files, those without a digest digested by `threads`, by default one a core.

        Raises:
            MalformedError: A file has changed since the dataset was opened.
            UnavailableError: A file could not be read just now.
            VerificationError: A digest is not the one that was expected.
        """
        with self._lock:
            missing = [at for at in range(len(self.files)) if at not in self._found]
            if missing:
                with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as pool:
                    list(pool.map(self._digest, missing))
        return tuple(
            SourceFile(file.path, file.size, self._found[at], file)
            for at, file in enumerate(self.files)
        )

    def _digest(self, number: int) -> None:
        file = self.files[number]
        digest = sha256()
        with file.unchanged(), reading(file.name, "check the file"), file.open() as opened:
            while block := opened.read(BLOCK):
                digest.update(block)
        self.note(number, digest.digest())
