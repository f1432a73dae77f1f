"""The outermost command: what becomes of errors, however a command ends.

An error is one line on standard error, and with --json a document on standard output; never a
traceback. Wrong usage is unusable input (exit code 2).
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from pipelines.cli.output import Exit, exit_code, say_error
from provenance.errors import MalformedError, ProvenanceError, UnavailableError

UsageError: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""Typer's own base of all wrong usage; it has moved from package to package."""
FULL: Final = "cannot be written: the disk, quota or size limit is full; free space, run this again"


class Program(TyperGroup):
    """The program `rootline`."""

    def main(  # type: ignore[explicit-override]  # Python 3.11 has no override
        self,
        *args: Any,  # noqa: ANN401  # Typer's own parameters, passed on as they are
        **extra: Any,  # noqa: ANN401  # likewise
    ) -> NoReturn:
        """Run one command, and exit with its code."""
        given: Sequence[str] | None = args[0] if args else extra.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        as_json = "--json" in words[: words.index("--") if "--" in words else None]
        try:
            code = self._run(words, extra)
        except UsageError as error:
            code = _say_usage(error, as_json=as_json)
        except typer.Abort:
            code = _interrupted()
        except ProvenanceError as error:
            say_error(error, as_json=as_json)
            code = exit_code(error)
        except ModuleNotFoundError as error:
            say_error(_missing(error), as_json=as_json)
            code = Exit.UNKNOWN
        except BrokenPipeError:
            code = _closed()
        except OSError as error:
            say_error(_told(error), as_json=as_json)
            code = _closed()
        except MemoryError:
            say_error(UnavailableError("out of memory: nothing was changed"), as_json=as_json)
            code = Exit.UNKNOWN
        sys.exit(code)

    def invoke(self, ctx: Any) -> Any:  # type: ignore[explicit-override]  # noqa: ANN401  # as above; Typer's
        """Run the command that was named; Ctrl-C says that nothing is lost."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(_interrupted()) from None
        except OSError as error:  # Typer would end the process silently
            if isinstance(error, BrokenPipeError):
                raise typer.Exit(_closed()) from None
            raise

    def _run(self, words: list[str], extra: dict[str, Any]) -> int:
        extra["standalone_mode"] = False
        code = super().main(words, **extra)
        sys.stdout.flush()
        return code if isinstance(code, int) else Exit.DONE


def _say_usage(error: Exception, *, as_json: bool) -> Exit:
    formatted = getattr(error, "format_message", lambda: str(error))()
    if type(error).__name__ == "NoArgsIsHelpError":
        return Exit.UNUSABLE  # the help stands on standard output already
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "rootline"
    say_error(MalformedError(f"{formatted.rstrip('.')}: see `{path} --help`"), as_json=as_json)
    return Exit.UNUSABLE


def _missing(error: ModuleNotFoundError) -> UnavailableError:
    name = (error.name or "").partition(".")[0]
    return UnavailableError(
        f"{name} is not installed: pip install 'rootline-provenance[all]' has everything"
    )


def _told(error: OSError) -> UnavailableError:
    if error.filename is None and error.errno in (27, 28, 122):  # EFBIG, ENOSPC, EDQUOT
        return UnavailableError(FULL)
    place = f"{error.filename}: " if error.filename else ""
    return UnavailableError(f"{place}{error.strerror or error}: mend it and run this again")


def _closed() -> Exit:
    """Nobody reads any more: say nothing, also not when Python flushes its buffers at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.UNKNOWN


def _interrupted() -> Exit:
    sys.stderr.write("rootline: interrupted; run the command again to go on\n")
    return Exit.UNKNOWN
