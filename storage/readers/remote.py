"""Files in remote stores: S3 and what pyarrow reaches by URL.

    s3://bucket/folder/part-1.parquet        with AWS's variables of the environment
    gs://bucket/folder                       and others that pyarrow knows
    fsspec+memory://folder                   and those that fsspec knows

Each reading asks for a range of bytes, and asks again where that fails. An object must keep its
size, ETag and version; AWS's own repetitions are switched off, or both would multiply.
"""

import os
import posixpath
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

import pyarrow as pa
from pyarrow import fs

from provenance.errors import MalformedError
from storage.readers.files import File, changed
from storage.readers.order import chosen, is_hidden
from storage.readers.reading import fail, reading
from storage.readers.retry import Retry

REMEDY: Final = "check the URL"
THREADS: Final = 16
"""Objects that are asked about at once."""
AHEAD: Final = 2**23
"""Bytes in a range where readings follow each other."""
S3: Final = "s3://"


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """A remote store.

    Attributes:
        filesystem: Reaches it.
        scheme: What its URLs begin with, up to the path that the file system knows.
        retry: How patiently it is asked.
    """

    filesystem: fs.FileSystem
    scheme: str
    retry: Retry

    def is_folder(self, place: str) -> bool:
        """Return whether objects lie below a URL.

        Raises:
            MalformedError: There is nothing at all.
            UnavailableError: The store did not answer.
        """
        found = self.info(place)
        if found.type == fs.FileType.NotFound:
            raise fail(place, "no such file", REMEDY)
        return bool(found.type == fs.FileType.Directory)

    def find(self, folder: str, include: str, *, hidden: bool) -> list[str]:
        """Return the paths of the objects below a folder, in order; raises as `find_files`."""
        inside = self._inside(folder)
        selector = fs.FileSelector(inside, recursive=True)
        with reading(folder, REMEDY):
            found = self.retry(folder, lambda: self.filesystem.get_file_info(selector))
        paths = (
            posixpath.relpath(each.path, inside) for each in found if each.type == fs.FileType.File
        )
        wanted = (path for path in paths if hidden or not any(map(is_hidden, path.split("/"))))
        return chosen(folder, wanted, include)

    def absolute(self, place: str) -> str:
        """Return the path that the file system knows."""
        return self._inside(place)

    def files(self, root: str, paths: Sequence[str]) -> tuple[File, ...]:
        """Return the objects at `paths` below `root` as they are now.

        Raises:
            MalformedError: There is no such object.
            UnavailableError: The store did not answer.
        """
        inside = self._inside(root)
        with ThreadPoolExecutor(THREADS) as pool:
            return tuple(pool.map(lambda path: RemoteFile.of(self, inside, path), paths))

    def _inside(self, place: str) -> str:
        return place.removeprefix(self.scheme).rstrip("/")

    def info(self, url: str) -> fs.FileInfo:
        """Return what lies at a URL, if anything.

        Raises:
            UnavailableError: The store did not answer.
        """
        path = self._inside(url)
        with reading(url, REMEDY):
            return self.retry(url, lambda: self.filesystem.get_file_info(path))


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object in a remote store.

    Attributes:
        path: Its place in the dataset.
        name: Its URL.
        size: Its length in bytes.
        stamp: Size, time of modification in nanoseconds, and ETag and version if it has any.
        store: Where it is.
        once: Drawn at random where the stamp tells no change: such an object is never the same.
    """

    path: str
    name: str
    size: int
    stamp: str
    store: RemoteStore = field(repr=False)
    once: str = ""

    @classmethod
    def of(cls, store: RemoteStore, root: str, path: str) -> Self:
        """Return the object at `path` below `root` as it is now.

        Raises:
            MalformedError: There is none.
            UnavailableError: The store did not answer.
        """
        name = f"{store.scheme}{posixpath.join(root, path)}"
        size, stamp = _stamp(store, name)
        once = "" if _tells(size, stamp) else f" {secrets.token_hex(8)}"
        return cls(path, name, size, stamp, store, once)

    @property
    def identity(self) -> str:
        """URL and stamp; another one each time it is opened, where the store tells only sizes."""
        return f"{self.name} {self.stamp}{self.once}"

    def open(self) -> "Ranges":
        """Return the object, to be read range by range."""
        return Ranges(self, _opened(self.store, self.name))

    def read(self) -> bytes:
        """Return all its bytes; raises as `unchanged`, and UnavailableError."""
        with self.unchanged(), self.open() as opened:
            return opened.read()

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Check before and after the block that the object is the same."""
        self._check()
        yield
        self._check()

    def _check(self) -> None:
        if _stamp(self.store, self.name) != (self.size, self.stamp):
            raise changed(self.name)


def _opened(store: RemoteStore, name: str) -> pa.NativeFile:
    path = name.removeprefix(store.scheme)
    with reading(name, REMEDY):
        return store.retry(name, lambda: store.filesystem.open_input_file(path))


def _stamp(store: RemoteStore, name: str) -> tuple[int, str]:
    """Return the size of an object, and what tells whether it is still the same."""
    info = store.info(name)
    if info.type != fs.FileType.File:
        raise fail(name, "no such file", REMEDY)
    with _opened(store, name) as opened:
        told = _metadata(opened)
    marks = [told.get(word, "") for word in ("ETag", "VersionId")]
    return info.size, " ".join([str(info.size), str(info.mtime_ns), *filter(None, marks)])


def _tells(size: int, stamp: str) -> bool:
    """Return whether a stamp says more than the size: without it, nothing shows a change."""
    return stamp != f"{size} None"


def _metadata(opened: pa.NativeFile) -> dict[str, str]:
    found: Any = opened.metadata()
    return {str(word): bytes(value).decode() for word, value in (found or {}).items()}


@dataclass(slots=True)
class Ranges:
    """An open object: each reading is one range, asked for until it comes.

    Where readings follow each other, ranges are longer than asked for, and serve several.
    """

    file: RemoteFile
    native: pa.NativeFile
    at: int = 0
    _begin: int = 0
    _held: bytes = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end.

        Raises:
            MalformedError: The object has become shorter.
            UnavailableError: The store did not answer.
        """
        left = max(self.file.size - self.at, 0)
        count = left if size < 0 else min(size, left)
        held_end = self._begin + len(self._held)
        if not self._begin <= self.at <= self.at + count <= held_end:
            is_next = self._held and self._begin <= self.at <= held_end
            self._held = self._range(min(max(count, AHEAD if is_next else 0), left))
            self._begin = self.at
        start = self.at - self._begin
        self.at += count
        return self._held[start : start + count]

    def _range(self, count: int) -> bytes:
        name, at, native = self.file.name, self.at, cast("Any", self.native)
        with reading(name, REMEDY):
            found = bytes(self.file.store.retry(name, lambda: native.read_at(count, at)))
        if len(found) != count:
            raise changed(name)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.file.size}[whence]
        self.at = max(base + offset, 0)
        return self.at

    def tell(self) -> int:
        """Return the place."""
        return self.at

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self.native.closed)

    def close(self) -> None:
        """Let go of the connection."""
        self.native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def store_of(urls: Sequence[str], retry: Retry) -> RemoteStore:
    """Return the one store that all URLs are in.

    Raises:
        MalformedError: They are in several, or in none that is known.
    """
    schemes = {url.partition("://")[0] for url in urls}
    if len(schemes) != 1:
        raise MalformedError("files in several remote stores in one list; take one store at a time")
    with reading(urls[0], REMEDY):
        if schemes == {"s3"}:
            return RemoteStore(_s3(urls[0].removeprefix(S3).partition("/")[0]), S3, retry)
        filesystem, path = fs.FileSystem.from_uri(urls[0])
        scheme = urls[0].rstrip("/").removesuffix(path.rstrip("/"))
        if not all(url.startswith(scheme) for url in urls):
            raise MalformedError("files on several hosts in one list; take one at a time")
        return RemoteStore(filesystem, scheme, retry)


def _s3(bucket: str) -> fs.S3FileSystem:
    """Return S3 as the environment says: endpoint, region and credentials."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=region or (None if endpoint else fs.resolve_s3_region(bucket)),
        anonymous="AWS_NO_SIGN_REQUEST" in os.environ,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
