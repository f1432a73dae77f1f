"""`rootline keys …`: signing keys and dataset keys, and what is lost without them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say, say_table
from provenance.errors import MalformedError

group = typer.Typer(help="Signing keys and dataset keys.", no_args_is_help=True)

Target = Annotated[Path, typer.Argument(help="The backup file.")]
Passphrase = Annotated[
    Path | None,
    typer.Option(help="Its first line seals the backup; or ROOTLINE_BACKUP_PASSPHRASE."),
]


@group.command()
def show(json: AsJson = False) -> None:
    """List the keys; secret halves are never shown."""
    space = open_space(quiet=json)
    signing = [
        (f"{k.name}.{k.generation}", k.public_key.hex(), "sealed" if k.is_sealed else "plain")
        for k in space.ring.stored()
    ]
    datasets = [(f"dataset {name}", "secret", "") for name in space.secrets.names()]
    say_table("Keys", ("key", "public key", "at rest"), [*signing, *datasets], as_json=json)


@group.command()
def rotate(
    name: Annotated[str, typer.Argument(help="issuer, monitor or operator.")] = "monitor",
    json: AsJson = False,
) -> None:
    """Make a new key that follows the newest of NAME; the old ones stay."""
    space = open_space(quiet=json)
    if name in ("issuer", "operator"):
        raise MalformedError(
            f"the {name} key is named in the first header of the log or chain: a new one begins a "
            "new home; move to it with `rootline init` elsewhere"
        )
    key = space.ring.rotate(name, space.passphrase)
    say({"key": name, "public key": key.public_key.hex()}, as_json=json)


@group.command()
def backup(file: Target, passphrase_file: Passphrase = None, json: AsJson = False) -> None:
    """Write all keys into one sealed file."""
    from storage.atomic import write_atomic
    from storage.backup import LOSS, Backup

    space = open_space(quiet=json)
    passphrase = _passphrase(passphrase_file)
    found = Backup.collect(space.ring, space.secrets, space.passphrase)
    write_atomic(file, found.seal(passphrase), 0o600)
    say({"written": str(file), "without it": " ".join(LOSS.split())}, as_json=json)


@group.command()
def restore(file: Target, passphrase_file: Passphrase = None, json: AsJson = False) -> None:
    """Put the keys of a backup into this home; keys that are there stay."""
    from storage.atomic import read_bounded
    from storage.backup import Backup

    space = open_space(quiet=json)
    found = Backup.open(read_bounded(file, 2**26), _passphrase(passphrase_file))
    count = found.restore(space.ring, space.secrets, space.passphrase)
    say({"restored": count}, as_json=json)


def _passphrase(path: Path | None) -> str:
    from storage.atomic import read_bounded

    if path is not None:
        return read_bounded(path, 4096).decode().splitlines()[0]
    named = os.environ.get("ROOTLINE_BACKUP_PASSPHRASE")
    if not named:
        raise MalformedError("a backup is sealed: give --passphrase-file")
    return named


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="keys")
