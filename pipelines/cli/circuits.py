"""`rootline circuits …`: what can be proved, and keys from source."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say, say_table
from provenance import canonical
from provenance.errors import UnavailableError

group = typer.Typer(help="Circuits: list, show, derive keys from source.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A circuit's name.")]


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List all circuits."""
    from circuits.pinned import PINNED
    from circuits.registry import circuit

    rows = (
        (c.name, 2**c.logrows, c.proof_bytes, canonical.digest(c.onnx()).hex())
        for c in map(circuit, PINNED)
    )
    columns = ("circuit", "rows", "proof bytes", "ONNX, SHA-256")
    say_table("Circuits", columns, rows, as_json=json)


@group.command()
def show(name: Name, json: AsJson = False) -> None:
    """Show a circuit's statement, its public values in order, its digests and its cost."""
    from circuits.proving.membership import estimate
    from circuits.registry import circuit

    found, cost = circuit(name), estimate(name)
    document = {
        "circuit": found.name,
        "statement": found.statement,
        "public values": list(found.public),
        "rows": cost.rows,
        "proof bytes": found.proof_bytes,
        "seconds a proof": cost.proof_seconds,
        "seconds for keys": cost.keys_seconds,
        "megabytes": round(cost.memory_bytes / 1e6),
        "ONNX": canonical.digest(found.onnx()).hex(),
        "settings": found.settings_digest.hex() if found.settings_digest else "a policy's matter",
    }
    say(document, as_json=json)


@group.command()
def derive(
    name: Name,
    srs: Annotated[
        Path | None, typer.Option(help="The SRS file to use; else this home's own, INSECURE.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a circuit's verifying key anew from source, and show its digest to compare.

    Works without a home, so that an auditor can compare it with the key that a proof names.
    """
    from circuits.proving.artifacts import ceremony_srs, derive_verifying_key, local_srs
    from circuits.proving.membership import estimate
    from circuits.registry import circuit

    found = circuit(name)
    sys.stderr.write(f"{name}: about {estimate(name).keys_seconds:.0f} s\n")
    with ExitStack() as stack:
        try:
            home = open_space(quiet=True).home.path
        except UnavailableError:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rootline-")))
        used = ceremony_srs(home, srs) if srs else local_srs(home, found.logrows)
        key = canonical.digest(derive_verifying_key(found, used, home))
    document = {
        "circuit": found.name,
        "verifying key": key.hex(),
        "settings": found.settings_digest.hex() if found.settings_digest else "not pinned",
        "SRS": used.digest.hex(),
        "SRS is": "INSECURE: made on this machine" if used.insecure else "the ceremony's",
    }
    say(document, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="circuits")
