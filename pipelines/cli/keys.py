"""`rootline keys …`: signing keys and dataset keys, and what is lost without them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson, Force
from pipelines.cli.output import open_space, read_passphrase, say, say_table, write_new
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from pipelines.flow.workspace import Workspace

group = typer.Typer(help="Signing keys and dataset keys.", no_args_is_help=True)

Target = Annotated[Path, typer.Argument(help="The backup file.")]
BACKUP = "ROOTLINE_BACKUP_PASSPHRASE"
Passphrase = Annotated[
    Path | None, typer.Option(help=f"Its first line seals the backup; or {BACKUP}.")
]


@group.command()
def show(json: AsJson = False) -> None:
    """List the keys; secret halves are never shown."""
    space = open_space(quiet=json)
    columns = ("key", "public key", "at rest")
    signing = [
        (f"{k.name}.{k.generation}", k.public_key.hex(), "sealed" if k.is_sealed else "plain")
        for k in space.ring.stored()
    ]
    datasets = [(f"dataset {name}", "secret", "") for name in space.secrets.names()]
    say_table("Keys", columns, [*signing, *datasets], as_json=json)


@group.command()
def rotate(
    name: Annotated[str, typer.Argument(help="issuer or monitor.")],
    json: AsJson = False,
) -> None:
    """Make a new key that follows the newest of NAME; the old ones stay, and so does the log."""
    from storage.keys import ISSUER, MONITOR

    space = open_space(quiet=json)
    if name not in (ISSUER, MONITOR):
        raise MalformedError(
            f"cannot rotate {name!r:.80}: {ISSUER} or {MONITOR}; the operator's key names the chain"
        )
    words = "name the new key to your auditors: their policies know the old one only"
    if name == ISSUER:
        words += f"; {_finished(space)}"
    key = space.ring.rotate(name, space.passphrase)
    document = {"key": name, "public key": key.public_key.hex(), "next": words}
    say(document, as_json=json)


def _finished(space: "Workspace") -> str:
    """Post what the old key has signed, so that nothing by it comes later; say up to where."""
    from pipelines.flow.publishing import publish

    publish(space)
    return f"the old one signed nothing after block {space.ledger.head()}"


@group.command()
def backup(
    file: Target,
    passphrase_file: Passphrase = None,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write all keys into one sealed file."""
    from storage.backup import LOSS, Backup

    space = open_space(quiet=json)
    passphrase = _passphrase(passphrase_file)
    found = Backup.collect(space.ring, space.secrets, space.passphrase)
    write_new(file, found.seal(passphrase), force=force, mode=0o600)
    document = {
        "written": str(file),
        "signing keys": len(found.signing),
        "dataset keys": len(found.datasets),
        "without it": " ".join(LOSS.split()),
    }
    say(document, as_json=json)


@group.command()
def restore(file: Target, passphrase_file: Passphrase = None, json: AsJson = False) -> None:
    """Put the keys of a backup into this home, made if it is missing; keys that are there stay."""
    from pipelines.flow.workspace import PASSPHRASE, Workspace
    from storage.atomic import read_bounded
    from storage.backup import MAX_BACKUP, Backup
    from storage.home import Home

    place = Home.place(Path.cwd(), os.environ)
    space = Workspace(Home.create(_found(place)), os.environ.get(PASSPHRASE))
    found = Backup.open(read_bounded(file, MAX_BACKUP), _passphrase(passphrase_file))
    count = found.restore(space.ring, space.secrets, space.passphrase)
    say({"restored": count}, as_json=json)


def _found(place: Path) -> Path:
    """Return the home that is found from here, or where one would be made."""
    from provenance.errors import UnavailableError
    from storage.home import Home

    try:
        return Home.find(Path.cwd(), os.environ).path
    except UnavailableError:
        return place


def _passphrase(path: Path | None) -> str:
    if path is not None:
        return read_passphrase(path)
    named = os.environ.get(BACKUP)
    if not named:
        raise MalformedError(f"a backup is sealed: give --passphrase-file, or set {BACKUP}")
    return named


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="keys")
