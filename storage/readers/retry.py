"""Asking a remote store again, some times and ever more patiently, before giving up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from provenance.errors import UnavailableError
from storage.readers.reading import first_line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a store is asked again after it has failed.

    Attributes:
        waits: Seconds before each further try.
        sleep: Waits.
    """

    waits: tuple[float, ...] = (0.2, 1.0, 5.0)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, name: str, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, as soon as it does.

        Args:
            name: What errors call that which is asked for.
            ask: Raises FileNotFoundError where asking again is of no use, else OSError.

        Raises:
            FileNotFoundError: There is no such object.
            UnavailableError: It failed each time.
        """
        for wait in self.waits:
            try:
                return ask()
            except FileNotFoundError:
                raise
            except OSError:
                self.sleep(wait)
        try:
            return ask()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnavailableError(
                f"{name}: cannot be read after {len(self.waits) + 1} tries: {first_line(error)};"
                " run it again to go on where it stopped"
            ) from error


PATIENT: Final = Retry()
