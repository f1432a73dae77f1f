"""Certificates in a home: which blobs were put to another layer, and which were read back.

    certificates/<log id>/eigenda.sepolia_testnet/
      00000000000000000004.entries.put      put, not yet read back
      00000000000000000004.entries.json     read back and found equal

Both files hold the certificate; each appears whole and is never changed.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provenance.certificate import MAX_DOCUMENT, Certificate, Part
from provenance.errors import MalformedError
from provenance.field import Digest
from storage.atomic import create_atomic, make_folder, read_bounded, sweep, told
from storage.lock import PATIENCE, locked

FOLDER: Final = "certificates"
_NAME: Final = re.compile(r"[0-9]{20}\.(header|entries)\.json")


@dataclass(frozen=True, slots=True)
class Place:
    """One blob of a log, and one network of a layer."""

    log: Digest
    sequence: int
    part: Part
    layer: str
    network: str

    @classmethod
    def of(cls, made: Certificate) -> "Place":
        """Return what a certificate is for."""
        return cls(made.log, made.sequence, made.part, made.layer, made.network)

    @property
    def folder(self) -> str:
        """The folder that it lies in, within the folder of certificates."""
        return f"{self.log.hex()}/{self.layer}.{self.network}"

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return f"{self.sequence:020d}.{self.part}"


@dataclass(frozen=True, slots=True)
class Copies:
    """The certificates in a folder. Hold `locked` from asking what is there until it is stored."""

    folder: Path

    @classmethod
    def within(cls, home: Path) -> "Copies":
        """Return the certificates of a home; their folder is made when the first is stored."""
        return cls(home / FOLDER)

    def locked(self, *, wait: float = PATIENCE) -> AbstractContextManager[None]:
        """Hold them for one process, or raise UnavailableError that says who has them.

        What killed processes left half written is removed first.
        """
        make_folder(self.folder)
        for folder in self.folder.glob("*/*/"):
            sweep(folder)
        return locked(self.folder / "lock", wait=wait)

    def store(self, made: Certificate) -> None:
        """Store what a layer answered, before it is read back."""
        self._create(made, "put")

    def confirm(self, made: Certificate) -> None:
        """Write down that the layer gave the blob back under this certificate."""
        self._create(made, "json")
        self.forget(Place.of(made))

    def forget(self, place: Place) -> None:
        """Drop what was put and cannot be read back; what was read back stays."""
        path = self._path(place, "put")
        with told(path, "remove"):
            path.unlink(missing_ok=True)

    def pending(self, place: Place) -> Certificate | None:
        """Return what was put and not read back, or None."""
        path = self._path(place, "put")
        return self._read(path, place) if path.exists() else None

    def has(self, place: Place) -> bool:
        """Return whether there is a copy that was read back; what was put before it is dropped."""
        if not self._path(place, "json").exists():
            return False
        self.forget(place)  # a kill may have come between the two
        return True

    def of(self, log: Digest) -> Iterator[Certificate]:
        """Yield the certificates of a log's blobs that were read back, in a fixed order.

        Raises:
            MalformedError: A file is damaged, or is for another blob than its name says.
        """
        folder = self.folder / log.hex()
        for path in sorted(folder.glob("*/*.json")):
            if _NAME.fullmatch(path.name):
                yield self._read(path)

    def _read(self, path: Path, place: Place | None = None) -> Certificate:
        try:
            found = Certificate.parse(read_bounded(path, MAX_DOCUMENT))
        except MalformedError as error:
            raise MalformedError(f"{path}: {error}; remove it and copy again") from error
        named = self._path(Place.of(found), path.suffix[1:])
        if named != path or place not in (None, Place.of(found)):
            raise MalformedError(f"{path} is for another blob than its name says; remove it")
        return found

    def _create(self, made: Certificate, ending: str) -> None:
        path = self._path(Place.of(made), ending)
        make_folder(path.parent.parent)
        make_folder(path.parent)
        create_atomic(path, made.encoded)

    def _path(self, place: Place, ending: str) -> Path:
        return self.folder / place.folder / f"{place.name}.{ending}"
