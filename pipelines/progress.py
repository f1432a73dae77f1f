"""How long work tells how far it is: stages with a count, shown as bars or not at all."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars


class Stage(Protocol):
    """One stage of long work under way."""

    def advance(self, count: int = 1) -> None:
        """Tell that `count` more units are done."""
        ...


class Progress(Protocol):
    """Where stages are shown."""

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Stage]:
        """Give a stage of `total` units, or of unknown length, until the block ends."""
        ...


class _Quiet:
    def advance(self, count: int = 1) -> None:
        """Show nothing."""


class Silent:
    """Shows nothing: for machines, tests, and work below a second."""

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:  # noqa: ARG002  # the protocol's
        """Give a stage that shows nothing."""
        yield _Quiet()


class Shown:
    """Shows each stage as a bar on standard error, where it does not disturb `--json`."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._depth = 0

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Stage]:
        """Give a stage with a bar of its own."""
        if not self._depth:
            self._bars.start()
        self._depth += 1
        task = self._bars.add_task(name, total=total)
        try:
            yield _Bar(self._bars, task)
        finally:
            self._bars.remove_task(task)
            self._depth -= 1
            if not self._depth:
                self._bars.stop()


class _Bar:
    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, count: int = 1) -> None:
        """Move the bar."""
        self._bars.advance(self._task, count)
