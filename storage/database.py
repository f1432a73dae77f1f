"""A DuckDB file that many processes use in turn: one short transaction each, and nobody keeps it.

DuckDB lets one process write, or several read, never both. Writers take a lock file first, so that
those who wait can be told who holds it; readers only wait for the file itself.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

from provenance.errors import UnavailableError
from storage.atomic import told
from storage.lock import locked

PAUSE: Final = 0.05
"""Seconds between two attempts to open a file that somebody else has open."""
T = TypeVar("T")
Statement = tuple[str, Sequence[object]]
"""SQL with question marks, and a value for each."""


@dataclass(frozen=True, slots=True)
class Database:
    """The file at `path`. `script` makes its tables, and a table `layout` that holds `layout`."""

    path: Path
    script: str
    layout: int
    wait: float

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; a missing file is made first.

        Raises:
            UnavailableError: Others had the file open for `wait` seconds, or it is damaged.
        """
        if not self.path.exists():
            self.write(())
        return self._patiently(lambda: self._run(self.path, ((query, values),), read_only=True))

    def write(self, statements: Sequence[Statement]) -> None:
        """Run all statements in one transaction; a missing file is made first.

        Raises:
            UnavailableError: As for `read`, or it cannot be written.
        """
        with self._locked():
            if self.path.exists():
                self._patiently(lambda: self._run(self.path, statements))
            else:
                self._replace(statements)

    def replace(self, statements: Sequence[Statement]) -> None:
        """Make the file anew from the script and `statements`; the old one stays until then."""
        with self._locked():
            self._replace(statements)

    def _locked(self) -> AbstractContextManager[None]:
        return locked(_beside(self.path, ".lock"), wait=self.wait)

    def _replace(self, statements: Sequence[Statement]) -> None:
        new = _beside(self.path, ".new")
        with told(self.path, "write"):
            for stale in (new, _beside(new, ".wal")):
                stale.unlink(missing_ok=True)
            self._patiently(lambda: self._run(new, statements, script=self.script))
            # Left by a killed writer, it would be replayed into the new file.
            _beside(self.path, ".wal").unlink(missing_ok=True)
            new.replace(self.path)

    def _run(
        self,
        path: Path,
        statements: Sequence[Statement],
        *,
        script: str = "",
        read_only: bool = False,
    ) -> list[tuple[Any, ...]]:
        """Open, run all in one transaction, close; return the rows of the last statement."""
        duckdb = _duckdb()
        # No extension is needed, so none is ever fetched; threads only make opening slow.
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "threads": 1,
        }
        rows: list[tuple[Any, ...]] = []
        with duckdb.connect(path, read_only=read_only, config=config) as db:
            db.begin()
            if script:
                db.execute(script)
            if db.execute("SELECT version FROM layout").fetchall() != [(self.layout,)]:
                raise duckdb.InvalidInputException("another version made it")
            for statement, values in statements:
                rows = db.execute(statement, values).fetchall()
            db.commit()
        return rows

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """Return what `attempt` returns, tried again while others have the file open."""
        duckdb = _duckdb()
        deadline = time.monotonic() + self.wait
        while True:
            try:
                return attempt()
            except duckdb.Error as error:
                if not _is_busy(error):
                    remedy = "`rootline registry rebuild` makes it anew"
                    raise UnavailableError(f"{self.path}: {_line(error)}; {remedy}") from error
                if time.monotonic() > deadline:
                    message = f"{self.path} is in use {_user(error)}; waited {self.wait:g} s"
                    raise UnavailableError(f"{message}: try again later") from error
            time.sleep(PAUSE)


def _duckdb() -> ModuleType:
    try:
        import duckdb
    except ImportError as error:
        raise UnavailableError("duckdb is not installed: install the extra `registry`") from error
    return duckdb


def _is_busy(error: Exception) -> bool:
    # The second is this process's own doing: one thread reads while another writes.
    return "Could not set lock" in str(error) or "different configuration" in str(error)


def _user(error: Exception) -> str:
    held = re.search(r"held in (\S+) \(PID (\d+)\)", str(error))
    return f"by process {held[2]} ({held[1]})" if held else "by another thread of this process"


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
