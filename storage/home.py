"""Where everything that is written lies: one folder, ROOTLINE_HOME.

    .rootline/            0700; its .gitignore holds `*`, so git ignores it whole
      keys/  secrets/     signing keys, dataset keys (0700, files 0600)
      registry.duckdb     an index that can be rebuilt
      ledger.sqlite       the embedded ledger; or, where another is chosen,
      ledger.json  headers.sqlite
      nodes/  circuits/  outbox/  receipts/  attestations/  evidence/  runs/
      cache/              other tools' caches; may be deleted
      dagster/            Dagster's storage

It is found as git finds `.git`: the nearest `.rootline` here or above, unless ROOTLINE_HOME names
another. Nothing is written outside it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from provenance.errors import MalformedError, UnavailableError
from storage.atomic import make_folder, told, write_atomic

FOLDER: Final = ".rootline"
VARIABLE: Final = "ROOTLINE_HOME"
PRIVATE: Final = ("keys", "secrets")
FOLDERS: Final = (
    *PRIVATE,
    "nodes",
    "circuits",
    "outbox",
    "receipts",
    "attestations",
    "evidence",
    "cache",
    "dagster",
    "runs",
)


@dataclass(frozen=True, slots=True)
class Home:
    """An existing home folder; every path that is written to comes from here."""

    path: Path

    @classmethod
    def place(cls, start: Path, environ: Mapping[str, str]) -> Path:
        """Return where `rootline init` makes a home: ROOTLINE_HOME, or `.rootline` in `start`."""
        named = environ.get(VARIABLE)
        return start / named if named else start / FOLDER

    @classmethod
    def create(cls, path: Path) -> Self:
        """Return the home at `path`, made with all its folders; what is there already stays.

        Raises:
            MalformedError: A file stands there.
            UnavailableError: The folder cannot be written.
        """
        if path.exists() and not path.is_dir():
            raise MalformedError(f"{path} is a file; a home is a folder: move the file away")
        with told(path, "make"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        for name in FOLDERS:
            make_folder(path / name)
        write_atomic(path / ".gitignore", b"*\n")
        return cls(path.absolute())

    @classmethod
    def find(cls, start: Path, environ: Mapping[str, str]) -> Self:
        """Return the home that ROOTLINE_HOME names, else the nearest one from `start` upwards.

        A home that is found, not named, must belong to whoever runs this: another user could put
        one above a shared folder, with policies and Dagster code of his own.

        Raises:
            UnavailableError: There is none.
            MalformedError: It is a file, or another user's.
        """
        if environ.get(VARIABLE):
            return cls._named(cls.place(start, environ))
        here = start.absolute()
        for folder in (here, *here.parents):
            found = folder / FOLDER
            if found.exists():
                return cls._found(found)
        raise UnavailableError(f"no {FOLDER} in {here} or above: run `rootline init`")

    @classmethod
    def _named(cls, path: Path) -> Self:
        if not path.exists():
            raise UnavailableError(f"{VARIABLE} names {path}, which is missing: `rootline init`")
        if not path.is_dir():
            raise MalformedError(f"{VARIABLE} names {path}, which is no folder: name another")
        return cls(path.absolute())

    @classmethod
    def _found(cls, path: Path) -> Self:
        if not path.is_dir():
            raise MalformedError(f"{path} is a file; a home is a folder: move the file away")
        if path.stat().st_uid != os.geteuid():
            raise MalformedError(f"{path} belongs to another user: set {VARIABLE} to use it anyway")
        return cls(path)

    @property
    def keys(self) -> Path:
        """Signing keys."""
        return self.path / "keys"

    @property
    def secrets(self) -> Path:
        """Dataset keys."""
        return self.path / "secrets"

    @property
    def registry(self) -> Path:
        """The DuckDB index."""
        return self.path / "registry.duckdb"

    @property
    def ledger(self) -> Path:
        """The embedded ledger's file."""
        return self.path / "ledger.sqlite"

    @property
    def settings(self) -> Path:
        """Which ledger the home posts to, if not the embedded one."""
        return self.path / "ledger.json"

    @property
    def token(self) -> Path:
        """The token of that ledger's node."""
        return self.keys / "ledger.token"

    @property
    def headers(self) -> Path:
        """Verified block headers of that ledger: its nodes forget them."""
        return self.path / "headers.sqlite"

    @property
    def nodes(self) -> Path:
        """Node files, from which inclusion proofs are made."""
        return self.path / "nodes"

    @property
    def circuits(self) -> Path:
        """Circuit artifacts, by digest."""
        return self.path / "circuits"

    @property
    def outbox(self) -> Path:
        """Batches of the log, posted and waiting."""
        return self.path / "outbox"

    @property
    def receipts(self) -> Path:
        """Receipts of what was posted."""
        return self.path / "receipts"

    @property
    def attestations(self) -> Path:
        """Signed envelopes, by digest."""
        return self.path / "attestations"

    @property
    def evidence(self) -> Path:
        """Exported bundles."""
        return self.path / "evidence"

    @property
    def cache(self) -> Path:
        """What other tools cache; may be deleted at any time."""
        return self.path / "cache"

    @property
    def dagster(self) -> Path:
        """Dagster's storage."""
        return self.path / "dagster"

    @property
    def runs(self) -> Path:
        """Recorded training runs, finished or not."""
        return self.path / "runs"

    def environment(self) -> dict[str, str]:
        """Return the variables with which other tools stay inside this home, and keep quiet."""
        return {
            VARIABLE: str(self.path),
            "DAGSTER_HOME": str(self.dagster),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            "DVC_NO_ANALYTICS": "true",
            "DVC_SITE_CACHE_DIR": str(self.cache / "dvc"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NUMBA_CACHE_DIR": str(self.cache / "numba"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
