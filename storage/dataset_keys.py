"""Dataset keys: the secret under the leaves of all versions of one dataset.

    secrets/flights.key      `rootline-dataset-key-1 <64 hex digits>`, or sealed under a passphrase

A dataset's key is made once and never overwritten: with another one no leaf would stay the same
from version to version. A file that others can read is refused.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provenance.canonical import is_name
from provenance.errors import MalformedError
from provenance.leaf import DatasetKey
from storage.atomic import create_atomic, sweep
from storage.private import needed, read_private, sealed_file
from storage.sealed import COST, MAGIC, Sealed

_FILE: Final = re.compile(r"([a-z0-9][a-z0-9._-]{0,127})\.key")
_PLAIN: Final = re.compile(rb"rootline-dataset-key-1 ([0-9a-f]{64})\n")


@dataclass(frozen=True, slots=True)
class DatasetKeys:
    """The dataset keys in a folder: one for each dataset's whole line of versions."""

    folder: Path
    cost: int = COST

    def create(self, name: str, passphrase: str | None = None) -> DatasetKey:
        """Return the key of a dataset that has no version yet: a new one, or the one made before.

        Raises:
            MalformedError: No name.
            UnavailableError: It cannot be written.
        """
        path = self._path(name)
        sweep(self.folder)
        if not path.exists():
            self.add(name, DatasetKey(os.urandom(32)), passphrase)
        return self.load(name, passphrase)

    def load(self, name: str, passphrase: str | None = None) -> DatasetKey:
        """Return the key of a dataset.

        Raises:
            MalformedError: Others can read the file, or it holds no such key.
            VerificationError: The passphrase is wrong.
            UnavailableError: There is none, or it is sealed and no passphrase was given.
        """
        path = self._path(name)
        data = read_private(path)
        if data.startswith(MAGIC):
            sealed = sealed_file(path, data, f"dataset-key {name}")
            return DatasetKey(sealed.open(needed(path, passphrase)))
        match = _PLAIN.fullmatch(data)
        if match is None:
            raise MalformedError(f"{path} holds no dataset key: restore a backup")
        return DatasetKey(bytes.fromhex(match[1].decode()))

    def add(self, name: str, key: DatasetKey, passphrase: str | None) -> bool:
        """Store `key` unless the dataset has one; return whether this call did it."""
        path = self._path(name)
        data = b"rootline-dataset-key-1 %b\n" % key.hex().encode()
        if passphrase is not None:
            data = Sealed.seal(key, passphrase, f"dataset-key {name}", cost=self.cost).encoded
        return create_atomic(path, data, 0o600)

    def names(self) -> tuple[str, ...]:
        """Return the names of all datasets that have a key, sorted."""
        found = (_FILE.fullmatch(path.name) for path in self.folder.glob("*.key"))
        return tuple(sorted(match[1] for match in found if match))

    def _path(self, name: str) -> Path:
        if not is_name(name):
            raise MalformedError(f"{name[:80]!r} is no dataset's name")
        return self.folder / f"{name}.key"
