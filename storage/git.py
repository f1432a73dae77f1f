"""Questions to a git repository, answered by the git program; nothing is changed."""

import os
import subprocess
from pathlib import Path
from typing import Final

from provenance.errors import MalformedError, UnavailableError

# Set by git in hooks; they would lead to another repository than the one that was named.
_LEADING: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


def git(folder: Path, *arguments: str) -> bytes:
    """Return what `git ARGUMENTS` prints, run in `folder`.

    Raises:
        UnavailableError: There is no git, or it cannot run.
        MalformedError: There is no such folder, or git refuses.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _LEADING}
    command = ["git", "--no-pager", "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False)  # noqa: S603  # no shell; arguments are separated from revisions by --end-of-options
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise MalformedError(f"there is no folder {folder}: name a git repository") from error
        raise UnavailableError("git is not installed: install it") from error
    except OSError as error:
        raise UnavailableError(f"git cannot run in {folder}: {error.strerror}") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise MalformedError(f"git in {folder}: {reason[0][:300]}")
    return done.stdout


def top_folder(folder: Path) -> Path:
    """Return the top folder of the repository that `folder` is in, or raise MalformedError."""
    return Path(os.fsdecode(git(folder, "rev-parse", "--show-toplevel").rstrip(b"\n")))


def resolve(folder: Path, revision: str) -> str:
    """Return the commit that a branch, tag or other revision names, 40 or 64 hex digits.

    Raises:
        MalformedError: There is no such revision, or no repository.
    """
    top_folder(folder)
    try:
        found = git(
            folder, "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"
        )
    except MalformedError as error:
        message = f"{folder} has no revision {revision[:80]!r}: see `git log`"
        raise MalformedError(message) from error
    return found.decode().strip()


def tree(folder: Path, commit: str) -> dict[str, str]:
    """Return all files of a commit, relative to `folder`, each with its object's id."""
    lines = git(folder, "ls-tree", "-r", "-z", "--end-of-options", commit).split(b"\0")
    found = {}
    for line in filter(None, lines):
        about, _, name = line.partition(b"\t")
        found[os.fsdecode(name)] = about.split()[2].decode()
    return found
