"""`rootline init`, `registry rebuild` and `dev`: the home folder."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.choosing import choose_ledger, read_fees
from pipelines.cli.options import AsJson
from pipelines.cli.output import Exit, given_token, open_space, read_passphrase, say
from provenance.errors import MalformedError

registry = typer.Typer(help="The index over this home's statements.", no_args_is_help=True)


def init(
    home: Annotated[Path | None, typer.Option(help="Where; by default .rootline here.")] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(help="Seal the keys under its first line; or set ROOTLINE_PASSPHRASE."),
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="Post to this node (http://HOST:PORT), not to a file here.")
    ] = None,
    anchor: Annotated[
        str | None, typer.Option(help="A block of its chain that you know: HEIGHT:HASH.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="The node's token, in one line; or set ROOTLINE_LEDGER_TOKEN."),
    ] = None,
    gas_price: Annotated[str | None, typer.Option(help="In utia; else the node estimates.")] = None,
    max_gas_price: Annotated[str | None, typer.Option(help="In utia; more is refused.")] = None,
    priority: Annotated[int | None, typer.Option(min=1, max=3, help="3 is high.")] = None,
    key_name: Annotated[str | None, typer.Option(help="The node's key that pays.")] = None,
    json: AsJson = False,
) -> None:
    """Make a home folder with its keys and its ledger; what is there already stays."""
    from pipelines.flow.publishing import log_id
    from pipelines.flow.workspace import PASSPHRASE, Workspace
    from storage.backup import LOSS
    from storage.home import Home

    passphrase = os.environ.get(PASSPHRASE)
    if passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file)
    place = home or Home.place(Path.cwd(), os.environ)
    make = partial(Workspace.create, place, passphrase)
    chosen: dict[str, object] = {}
    if ledger is not None:
        fees = read_fees(gas_price, max_gas_price, priority, key_name)
        token = given_token(token_file)
        space, chosen = choose_ledger(place, make, ledger, token, fees, anchor)
    elif any((anchor, token_file, gas_price, max_gas_price, priority, key_name)):
        raise MalformedError("options about a node without --ledger URL")
    else:
        space = make()
    document: dict[str, object] = {
        "home": str(space.home.path),
        "issuer key": space.issuer.public_key.hex(),
        "key id": space.issuer.public_key.key_id,
        "log": log_id(space).hex(),
        "ledger": space.ledger.kind,
        "chain": space.ledger.chain,
        **chosen,
        "keys are sealed": all(key.is_sealed for key in space.ring.stored()),
        "without a backup": " ".join(LOSS.split()),
    }
    say(document, as_json=json)


@registry.command()
def rebuild(json: AsJson = False) -> None:
    """Make the registry anew from the stored statements and receipts."""
    from pipelines.flow.indexing import rebuild as make

    space = open_space()
    count = make(space)
    words = f"the registry was made anew from {count} documents"
    say({"documents": count, "registry": str(space.home.registry)}, as_json=json, words=words)


def dev(port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000) -> None:
    """Open the flow in Dagster's web interface, everything it writes inside the home."""
    from pipelines.cli.serving import serve
    from pipelines.running import prepare_dagster

    space = open_space(quiet=True)
    prepare_dagster(space.home)
    words = ("dev", "-m", "pipelines.definitions", "-h", "127.0.0.1", "-p", str(port))
    environ = {**os.environ, **space.home.environment()}
    code = serve([sys.executable, "-m", "dagster", *words], environ)
    raise typer.Exit(Exit.UNKNOWN if code else Exit.DONE)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(init)
    app.command()(dev)
    app.add_typer(registry, name="registry")
