"""Tar archives, strictly: ustar, pax and GNU's long names, of which every byte is accounted for.

The standard library reads the headers, but not the archive: its `tarfile` takes a damaged header
for the end. Here an archive ends with two blocks of zeros and nothing after them but zeros, and
what is neither a file nor a folder is refused. gzip and zstd are known by their first bytes.
"""

import gzip
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import BinaryIO, Final, Protocol, cast

from provenance.encoding import MAX_SIZE
from provenance.errors import MalformedError, UnavailableError
from storage.readers.files import File
from storage.readers.reading import fail

BLOCK: Final = tarfile.BLOCKSIZE
MAX_HEADER: Final = 2**20
"""Bytes of an extended header: a long name, times, attributes."""
PIECE: Final = 2**22
REMEDY: Final = "write the archive anew"
_FILES: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)
_HARMLESS: Final = (
    "atime", "comment", "ctime", "gid", "gname", "mtime", "uid", "uname",
    "LIBARCHIVE.", "RHT.security.", "SCHILY.acl.", "SCHILY.dev", "SCHILY.fflags", "SCHILY.ino",
    "SCHILY.nlink", "SCHILY.xattr.",
)  # fmt: skip
"""Extended headers that say nothing of a file's name and bytes."""


_PAX: Final = re.compile(rb"([1-9][0-9]{0,6}) ")


class Stream(Protocol):
    """Bytes that are read from the beginning to the end."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


@contextmanager
def opened(file: File) -> "Iterator[Archive]":
    """Open an archive, compressed or not."""
    with file.open() as raw:
        magic = raw.read(4)
        raw.seek(0)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(cast("BinaryIO", raw)) as unzipped:
                yield Archive(file.name, unzipped)
        elif magic == b"\x28\xb5\x2f\xfd":
            try:
                pyarrow = import_module("pyarrow")
            except ModuleNotFoundError as error:
                problem = "pyarrow is not installed; install rootline-provenance[data]"
                raise UnavailableError(f"{file.name}: {problem}") from error
            with pyarrow.PythonFile(raw, "r") as native:
                yield Archive(file.name, pyarrow.CompressedInputStream(native, "zstd"))
        else:
            yield Archive(file.name, raw)


@dataclass(slots=True)
class Archive:
    """An archive that is read once, from the beginning to the end; `at` counts its bytes."""

    name: str
    stream: Stream
    at: int = 0
    _path: str = field(default="", init=False)
    _left: int = field(default=0, init=False)

    def members(self) -> Iterator[tuple[str, int]]:
        """Yield path and size of each file.

        Raises:
            MalformedError: The archive is damaged or cut off, or holds a link or a device.
        """
        extended = dict[str, str]()
        while any(block := self._take(BLOCK)):
            info = self._header(block)
            if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                extended |= self._pax(info.size)
            elif info.type == tarfile.XGLTYPE:
                if self._pax(info.size):
                    raise self._damaged("a name or size for all members at once")
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                extended["path"] = self._text(self._extended(info.size).rstrip(b"\0"))
            else:
                self._path = extended.get("path", info.name)
                size = self._size(extended.get("size", str(info.size)))
                extended = {}
                if info.isdir():
                    self._skip(size)
                    continue
                if info.type not in _FILES:
                    raise self._damaged("neither a file nor a folder: no links, no devices")
                self._left = size
                yield self._path, size
                self._skip(self._left)
                self._skip(-size % BLOCK)
        self._end(extended)

    def content(self) -> bytes:
        """Return the bytes of the member that was yielded last."""
        size, self._left = self._left, 0
        return self._take(size)

    def _header(self, block: bytes) -> tarfile.TarInfo:
        self._path = ""
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except tarfile.HeaderError as error:
            raise self._damaged(f"no header: {error}") from error
        except UnicodeDecodeError as error:
            raise self._damaged("a name that is no UTF-8") from error

    def _size(self, text: str) -> int:
        if not text.isascii() or not text.isdecimal() or len(text) > 20 or int(text) > MAX_SIZE:
            raise self._damaged(f"a size of {text[:40]!r}; at most {MAX_SIZE} bytes")
        return int(text)

    def _extended(self, size: int) -> bytes:
        """Return an extended header."""
        if not 0 <= size <= MAX_HEADER:
            raise self._damaged(f"an extended header of {size} bytes; at most {MAX_HEADER}")
        found = self._take(size)
        self._skip(-size % BLOCK)
        return found

    def _text(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self._damaged("a name that is no UTF-8") from error

    def _pax(self, size: int) -> dict[str, str]:
        """Return path and size, where an extended header gives them.

        Raises:
            MalformedError: It is damaged, or says what changes how the archive is to be read.
        """
        found, data = dict[str, str](), self._extended(size)
        while data:
            length = _PAX.match(data)
            end = int(length[1]) if length else 0
            word, equals, value = data[length.end() if length else 0 : end - 1].partition(b"=")
            if not equals or data[end - 1 : end] != b"\n":
                raise self._damaged("an extended header that is damaged")
            name, data = self._text(word), data[end:]
            if name in ("path", "size"):
                found[name] = self._text(value)
            elif not name.startswith(_HARMLESS):
                raise self._damaged(f"an extended header {name[:40]!r}")
        return found

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._take(min(size, PIECE)))

    def _take(self, size: int) -> bytes:
        """Return the next `size` bytes, asked for piece by piece: a size may be a lie."""
        found = self.stream.read(min(size, PIECE)) if size else b""
        pieces = [found]
        self.at += len(found)
        left = size - len(found)
        while left:
            piece = self.stream.read(min(left, PIECE))
            if not piece:
                raise self._damaged("cut off")
            pieces.append(piece)
            self.at += len(piece)
            left -= len(piece)
        return found if len(pieces) == 1 else b"".join(pieces)

    def _end(self, extended: dict[str, str]) -> None:
        if extended:
            raise self._damaged("an extended header without a member")
        self._path = ""
        if any(self._take(BLOCK)):
            raise self._damaged("a single block of zeros")
        while rest := self.stream.read(PIECE):
            if rest.strip(b"\0"):
                raise self._damaged("something after its end: several archives in one")

    def _damaged(self, problem: str) -> MalformedError:
        where = f"{self.name}, member {self._path[:200]!r}" if self._path else self.name
        return fail(f"{where}, at byte {self.at}", problem, REMEDY)
