"""The programs of the devnet, built from tests/devnet/go.mod and kept as long as that stays.

    python -m tests.devnet.building          says why if they cannot be built here, and ends with 0

They are 400 MB, and lie in .venv/devnet or where ROOTLINE_DEVNET says.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent
BRIDGE: Final = "github.com/celestiaorg/celestia-node/cmd/celestia"
# What `go` says when it cannot fetch, as opposed to what is wrong with the sources.
OUT_OF_REACH: Final = (
    *("dial tcp", "no such host", "connection refused", "i/o timeout", "TLS handshake"),
    *("proxyconnect", "Forbidden", "Not Found", "Service Unavailable", "Bad Gateway"),
    *("module lookup disabled", "toolchain not available", "requires go >=", "network is"),
)


class NotHereError(RuntimeError):
    """The programs are not there and cannot be made on this machine."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs: a chain of celestia-app, and the celestia-node command."""

    chain: Path
    bridge: Path


def folder() -> Path:
    """Return where the programs lie."""
    default = SOURCES.parent.parent / ".venv" / "devnet"
    return Path(os.environ.get("ROOTLINE_DEVNET", default))


def found() -> Binaries:
    """Return the programs built from the sources as they are, or raise NotHereError."""
    binaries = Binaries(folder() / "devnet", folder() / "celestia")
    stamp = folder() / "sources.sha256"
    if stamp.exists() and stamp.read_text() == _sources() and binaries.chain.exists():
        return binaries
    reason = folder() / "reason.txt"
    said = reason.read_text() if reason.exists() else "`make test-celestia` has not built it"
    raise NotHereError(f"no Celestia devnet: {said}")


def build() -> Binaries:
    """Return the programs, built now if need be (6 minutes the first time).

    Raises:
        NotHereError: There is no Go, or the modules cannot be fetched.
        subprocess.CalledProcessError: They were fetched, and do not compile.
    """
    try:
        return found()
    except NotHereError:
        folder().mkdir(parents=True, exist_ok=True)
    try:
        _compile()
    except NotHereError as error:
        (folder() / "reason.txt").write_text(str(error))
        raise
    (folder() / "reason.txt").unlink(missing_ok=True)
    (folder() / "sources.sha256").write_text(_sources())
    return found()


def _compile() -> None:
    if shutil.which("go") is None:
        raise NotHereError("Go is not installed")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    # Fetching comes first and by itself: what fails after it is our mistake, not the machine's.
    listing = subprocess.run(
        ["go", "list", "-mod=readonly", "-deps", ".", BRIDGE],
        cwd=SOURCES,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if any(text in listing.stderr for text in OUT_OF_REACH):
        last = listing.stderr.strip().splitlines()[-1]
        raise NotHereError(f"Go modules cannot be fetched: {last[:200]}")
    listing.check_returncode()
    for package in (".", BRIDGE):
        subprocess.run(
            ["go", "build", "-mod=readonly", "-o", f"{folder()}/", package],
            cwd=SOURCES,
            env=environment,
            check=True,
        )


def _sources() -> str:
    digest = sha256()
    for path in sorted([*SOURCES.glob("*.go"), SOURCES / "go.mod", SOURCES / "go.sum"]):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        print("devnet:", build().chain.parent)  # noqa: T201
    except NotHereError as missing:
        print(f"devnet: {missing}; its tests are skipped")  # noqa: T201
    except subprocess.CalledProcessError as failed:
        print(failed.stderr or "", file=sys.stderr)  # noqa: T201
        sys.exit(f"devnet: {failed}")
