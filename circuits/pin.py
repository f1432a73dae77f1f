"""Print the entry of a circuit for pinned.py: `python -m circuits.pin NAME… [--function FILE]`.

Graph and settings come from source, and the size of a proof from one that is made of nothing but
zeros (`circuits.proving.prover.proof_size`). Keys and a proof are made for that under an INSECURE
SRS; no digest here depends on it.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from circuits.pinned import Pinned
from circuits.proving.artifacts import derive_anew, local_srs
from circuits.registry import circuit
from provenance import canonical
from provenance.errors import ProvenanceError


def measured(name: str, function: bytes | None, home: Path) -> Pinned:
    """Return what is to be pinned of a circuit, whatever is pinned so far.

    Args:
        name: The circuit's name.
        function: The ONNX of the function that it is about, if it needs one.
        home: For the SRS; keys are not kept.
    """
    known = circuit(name, function)
    found = replace(known, onnx_digest=None, settings_digest=None, proof_bytes=None)
    derived = derive_anew(found, local_srs(home, found.logrows), home, progress=_tell)
    return Pinned(canonical.digest(found.onnx()), derived.settings, derived.proof_bytes)


def entry(name: str, pinned: Pinned) -> str:
    """Return the lines that go into pinned.py."""
    return (
        f'    "{name}": _pinned(\n        "{pinned.onnx.hex()}",\n'
        f'        "{pinned.settings.hex()}",\n        {pinned.proof_bytes},\n    ),\n'
    )


def main() -> None:
    """Print an entry for each name."""
    parser = argparse.ArgumentParser(prog="python -m circuits.pin", description=__doc__)
    parser.add_argument("name", nargs="+")
    parser.add_argument("--function", type=Path, help="ONNX of the function, if they need one")
    parser.add_argument("--home", type=Path, help="where an SRS is kept for the next time")
    chosen = parser.parse_args()
    function = chosen.function.read_bytes() if chosen.function else None
    with tempfile.TemporaryDirectory(prefix="rootline-") as folder:
        for name in chosen.name:
            pinned = measured(name, function, chosen.home or Path(folder))
            sys.stdout.write(entry(name, pinned))


def _tell(stage: str) -> None:
    sys.stderr.write(f"{stage}\n")


if __name__ == "__main__":
    try:
        main()
    except (ProvenanceError, OSError) as failed:
        sys.exit(f"circuits.pin: {failed}")
