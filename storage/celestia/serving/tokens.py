"""Bearer tokens by role: whoever has one may do what the role may, and all that lesser roles may.

    keys/node.read.token    keys/node.write.token    keys/node.admin.token    (0600)

A node's own tokens are signed (JWT), but to its clients they are opaque; these are 32 random bytes.
They are made once, compared in constant time, and never written anywhere else.
"""

import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from hmac import compare_digest
from pathlib import Path
from typing import Final, Self

from provenance.errors import MalformedError
from storage.atomic import create_atomic
from storage.private import read_private

_RANDOM_BYTES: Final = 32
_LENGTH: Final = 43


class Role(IntEnum):
    """What a caller may do; each role may do all that those before it may."""

    PUBLIC = 0
    READ = 1
    WRITE = 2
    ADMIN = 3


NAMED: Final = (Role.READ, Role.WRITE, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One token for each role, all different; no `repr` shows them."""

    read: str = field(repr=False)
    write: str = field(repr=False)
    admin: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a short token, and one for two roles."""
        every = (self.read, self.write, self.admin)
        if any(len(token) < _LENGTH or not token.isascii() for token in every):
            raise MalformedError(f"a token has at least {_LENGTH} ASCII characters")
        if len(set(every)) != len(every):
            raise MalformedError("two roles share a token: delete the files, new ones are made")

    @classmethod
    def draw(cls) -> Self:
        """Return new random tokens."""
        return cls(*(_drawn() for _ in NAMED))

    @classmethod
    def kept(cls, folder: Path) -> Self:
        """Return the tokens in `folder`, made if they are missing.

        Raises:
            MalformedError: A file can be read by others, or holds no token.
            UnavailableError: The folder cannot be written.
        """
        for role in NAMED:
            if not token_file(folder, role).exists():
                create_atomic(token_file(folder, role), f"{_drawn()}\n".encode(), 0o600)
        return cls(*(_read(token_file(folder, role)) for role in NAMED))

    @property
    def _all(self) -> tuple[str, str, str]:
        return (self.read, self.write, self.admin)

    def role(self, token: str) -> Role | None:
        """Return whose token it is, or None; how long that takes does not tell how near it was."""
        given, found = token.encode(errors="replace"), None
        for role, own in zip(NAMED, self._all, strict=True):
            if compare_digest(given, own.encode()):
                found = role
        return found


def token_file(folder: Path, role: Role) -> Path:
    """Return where the token of `role` lies."""
    return folder / f"node.{role.name.lower()}.token"


def _drawn() -> str:
    return secrets.token_urlsafe(_RANDOM_BYTES)


def _read(path: Path) -> str:
    try:
        return read_private(path).decode("ascii").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path} holds no token: delete it, a new one is made") from error
