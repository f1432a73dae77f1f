"""`rootline circuits …`: what can be proved, and keys from source."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say, say_table

group = typer.Typer(help="Circuits: list, show, derive keys from source.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A circuit's name.")]


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List all circuits."""
    from circuits.spec import CIRCUITS

    rows = ((c.name, 2**c.logrows, c.onnx_digest.hex()) for c in CIRCUITS.values())
    say_table("Circuits", ("circuit", "rows", "ONNX, SHA-256"), rows, as_json=json)


@group.command()
def show(name: Name, json: AsJson = False) -> None:
    """Show a circuit's statement, its public values in order, and its digests."""
    from circuits.spec import circuit

    found = circuit(name)
    document = {
        "circuit": found.name,
        "statement": found.statement,
        "public values": list(found.public),
        "rows": 2**found.logrows,
        "ONNX": found.onnx_digest.hex(),
        "settings": found.settings_digest.hex(),
    }
    say(document, as_json=json)


@group.command()
def derive(
    name: Name,
    srs: Annotated[Path | None, typer.Option(help="A ceremony's SRS file.")] = None,
    json: AsJson = False,
) -> None:
    """Make a circuit's verifying key anew from source, and show its digest to compare."""
    from circuits.artifacts import ceremony_srs, derive_verifying_key, local_srs
    from circuits.spec import circuit
    from provenance.canonical import digest

    found, home = circuit(name), open_space(quiet=json).home.path
    typer.echo("about 10 s", err=True)
    used = ceremony_srs(home, srs) if srs else local_srs(home, found.logrows)
    key = digest(derive_verifying_key(found, used, home))
    document = {
        "circuit": found.name,
        "verifying key": key.hex(),
        "SRS": used.digest.hex(),
        "SRS is": "INSECURE: made on this machine" if used.insecure else "the ceremony's",
    }
    say(document, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="circuits")
