"""`rootline circuits …`: what can be proved, and keys from source."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say, say_table
from provenance.errors import UnavailableError
from storage.atomic import read_bounded

group = typer.Typer(help="Circuits: list, show, derive keys from source.", no_args_is_help=True)

MAX_FUNCTION = 2**24

Name = Annotated[str, typer.Argument(help="A circuit's name; also one that is not listed.")]
Function = Annotated[
    Path | None, typer.Option(help="The function's ONNX, for circuits about one of your own.")
]


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List the usual circuits; others are known by what their names say."""
    from circuits.pinned import PINNED
    from circuits.registry import circuit

    rows = (
        (c.name, 2**c.logrows, c.proof_bytes, PINNED[c.name].onnx.hex())
        for c in map(circuit, PINNED)
    )
    columns = ("circuit", "rows", "proof bytes", "ONNX, SHA-256")
    say_table("Circuits", columns, rows, as_json=json)


@group.command()
def show(name: Name, function: Function = None, json: AsJson = False) -> None:
    """Show a circuit's statement, its public values in order, its digests and its cost."""
    from circuits.proving.costs import estimate
    from circuits.registry import circuit
    from provenance import canonical

    found = circuit(name, _read(function))
    cost = estimate(found)
    document = {
        "circuit": found.name,
        "statement": found.statement,
        "public values": list(found.public),
        "rows": cost.rows,
        "proof bytes": found.proof_bytes or "not pinned",
        "seconds a proof": cost.proof_seconds,
        "seconds for keys": cost.keys_seconds,
        "megabytes": round(max(cost.memory_bytes, cost.keys_bytes) / 1e6),
        "megabytes on disk": round(cost.disk_bytes / 1e6),
        "ONNX": canonical.digest(found.onnx()).hex(),
        "settings": found.settings_digest.hex() if found.settings_digest else "not pinned",
    }
    say(document, as_json=json)


@group.command()
def derive(
    name: Name,
    srs: Annotated[
        Path | None, typer.Option(help="The SRS file to use; else this home's own, INSECURE.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Take an SRS that is not of the ceremony.")
    ] = False,
    function: Function = None,
    json: AsJson = False,
) -> None:
    """Make a circuit's verifying key anew from source; print what a policy says of the circuit.

    Works without a home. Compare it with an entry of your policy, or paste it into `circuits`.
    A key belongs to an SRS: to compare with a proof made under an issuer's own one, take his file
    (HOME/circuits/srs/insecure-…) with --insecure; whoever made it can forge proofs.
    """
    from circuits.proving.artifacts import (
        adopt_srs,
        ceremony_srs,
        derive_anew,
        local_srs,
    )
    from circuits.proving.costs import estimate
    from circuits.proving.machine import cores
    from circuits.registry import circuit

    found = circuit(name, _read(function))
    seconds = estimate(found, cores()).keys_seconds
    sys.stderr.write(f"{name}: about {seconds:.0f} s; longer if no proof size is pinned\n")
    with ExitStack() as stack:
        try:
            home = open_space(quiet=True).home.path
        except UnavailableError:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rootline-")))
        if srs is None:
            used = local_srs(home, found.logrows)
        else:
            used = adopt_srs(home, srs.read_bytes()) if insecure else ceremony_srs(home, srs)
        derived = derive_anew(found, used, home)
    if used.insecure:
        sys.stderr.write("the SRS is INSECURE: whoever made it can forge proofs under these keys\n")
    say(derived.json, as_json=json)


def _read(function: Path | None) -> bytes | None:
    return read_bounded(function, MAX_FUNCTION) if function else None


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="circuits")
