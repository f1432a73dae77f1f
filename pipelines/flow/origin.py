"""What code and environment a run is made with, as far as this machine can tell."""

import subprocess
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from provenance.field import Digest


def code_origin(folder: Path) -> dict[str, str]:
    """Return the git commit of `folder`, and the digest of what differs from it.

    Outside a git repository, or without git, there is nothing to return.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    difference = _git(folder, "diff", "HEAD")
    if commit is None or difference is None:
        return {}
    return {"commit": commit.decode().strip(), "diff": sha256(difference).hexdigest()}


def environment_digest() -> Digest:
    """Return SHA-256 over the names and versions of all installed distributions, sorted."""
    found = {f"{item.metadata['Name'].lower()}=={item.version}" for item in distributions()}
    return Digest(sha256("\n".join(sorted(found)).encode()).digest())


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(  # noqa: S603  # fixed words, no shell
            ["git", *arguments],  # noqa: S607  # whatever git is on the path
            cwd=folder,
            capture_output=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
