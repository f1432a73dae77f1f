"""Members by path <-> one ZIP file that has exactly one spelling.

Any unzip reads it, but nothing is left to chance: members are stored without compression, in order
of their paths, dated 1980-01-01, mode 0644, without comments or extra fields. A file that differs
in one byte from what `write` gives for its members is refused, so there is no hidden byte, no path
to be followed, nothing that grows when it is unpacked, and no second reading by another program.

    local header, path, bytes        for each member
    central header, path             for each member
    end of central directory

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from provenance.errors import MalformedError

MAX_ARCHIVE: Final = 2**29
MAX_MEMBERS: Final = 2**16 - 2
"""One more, and the format would need its 64-bit extension."""
MAX_PATH: Final = 128
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LOCAL_MARK: Final = b"PK\x03\x04"
_CENTRAL_MARK: Final = b"PK\x01\x02"
_END_MARK: Final = b"PK\x05\x06"
_VERSION: Final = 20
_UNIX: Final = 3 << 8
_MODE: Final = 0o644 << 16
_DATE: Final = 1 << 5 | 1


def write(members: Mapping[str, bytes]) -> bytes:
    """Return the one file that holds `members`.

    Raises:
        MalformedError: Too many members, too many bytes, or a path that is empty, too long or not
            ASCII.
    """
    if len(members) > MAX_MEMBERS:
        raise MalformedError(f"an archive of {len(members)} members; at most {MAX_MEMBERS}")
    bodies: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for path, data in sorted(members.items()):
        name = _encoded(path)
        common = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(data), len(data), len(data), len(name))
        bodies += [_LOCAL.pack(_LOCAL_MARK, *common, 0), name, data]
        rest = (0, 0, 0, 0, _MODE, offset)
        directory += [_CENTRAL.pack(_CENTRAL_MARK, _UNIX | _VERSION, *common, *rest), name]
        offset += _LOCAL.size + len(name) + len(data)
        if offset > MAX_ARCHIVE:
            raise MalformedError(f"an archive of more than {MAX_ARCHIVE} bytes")
    count, size = len(members), sum(map(len, directory))
    end = _END.pack(_END_MARK, 0, 0, count, count, size, offset, 0)
    return b"".join((*bodies, *directory, end))


def read(data: bytes) -> dict[str, bytes]:
    """Return the members of a file that `write` made.

    Raises:
        MalformedError: Too large, no archive, truncated, compressed, encrypted, a member twice, or
            any byte that `write` would not have written.
    """
    if len(data) > MAX_ARCHIVE:
        raise MalformedError(f"an archive of {len(data)} bytes; at most {MAX_ARCHIVE} are read")
    members: dict[str, bytes] = {}
    offset = 0
    while data[offset : offset + 4] == _LOCAL_MARK:
        if len(members) == MAX_MEMBERS:
            raise MalformedError(f"an archive of more than {MAX_MEMBERS} members")
        path, member, offset = _member(data, offset)
        if path in members:
            raise MalformedError(f"the archive holds {path!r} twice")
        members[path] = member
    if not members:
        raise MalformedError("not an archive: it does not begin with a member")
    if write(members) != data:
        raise MalformedError("the archive is damaged, truncated, or not in its one form")
    return members


def _member(data: bytes, offset: int) -> tuple[str, bytes, int]:
    """Return path and bytes of the member at `offset`, and the offset after it."""
    start = offset + _LOCAL.size
    if start > len(data):
        raise MalformedError("the archive is truncated within a header")
    _, _, flags, method, _, _, _, packed, size, named, extra = _LOCAL.unpack_from(data, offset)
    if method or flags or packed != size or extra:
        raise MalformedError("a member is compressed, encrypted or has extra fields")
    if named > MAX_PATH or start + named + size > len(data):
        raise MalformedError("the archive is truncated within a member")
    body = start + named
    try:
        path = data[start:body].decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("a member's path is not ASCII") from error
    return path, data[body : body + size], body + size


def _encoded(path: str) -> bytes:
    if not path.isascii() or not 1 <= len(path) <= MAX_PATH:
        raise MalformedError(f"a member's path has 1 to {MAX_PATH} ASCII characters: {path[:80]!r}")
    return path.encode()
