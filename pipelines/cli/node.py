"""`rootline ledger serve`: the embedded ledger as a celestia-node."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from pipelines.flow.workspace import Workspace
    from storage.celestia.embedded import EmbeddedLedger

Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(help="The port; 0 for any that is free.", min=0, max=65535)]
Anywhere = Annotated[
    bool,
    typer.Option("--allow-remote", help="Listen at an address that other machines can reach."),
]
Pace = Annotated[
    float,
    typer.Option(help="Seconds between empty blocks made for who waits for a height.", min=0.05),
]


def serve(
    host: Host = "127.0.0.1",
    port: Port = 26658,
    remote: Anywhere = False,
    pace: Pace = 1.0,
    json: AsJson = False,
) -> None:
    """Serve the embedded ledger as a celestia-node does, until Ctrl-C."""
    from storage.celestia.serving.app import NodeApp
    from storage.celestia.serving.server import is_loopback, listen, run, url_of
    from storage.celestia.serving.tokens import NAMED, Tokens, token_file

    space = open_space(quiet=json)
    if not is_loopback(host) and not remote:
        raise MalformedError(
            f"{host} can be reached from other machines, and nothing is encrypted: put a proxy "
            "with TLS before a loopback address, or give --allow-remote"
        )
    ledger, tokens = _embedded(space), Tokens.kept(space.home.keys)
    with listen(host, port) as listening, ledger.kept_open():
        document = {
            "url": url_of(listening),
            "tokens": {role.name.lower(): str(token_file(space.home.keys, role)) for role in NAMED},
            "chain": ledger.chain,
            "head": ledger.head(),
            "block 1": _first_hash(ledger),
            "worth": "order and integrity, to whoever trusts this home's operator key",
        }
        say(document, as_json=json)
        sys.stdout.flush()
        run(NodeApp(ledger, tokens, pace=pace), listening)


def _embedded(space: "Workspace") -> "EmbeddedLedger":
    if space.settings is not None:
        raise MalformedError(
            f"this home posts to another ledger ({space.home.settings}): serve the ledger of a "
            "home that has its own"
        )
    return space.embedded


def _first_hash(ledger: "EmbeddedLedger") -> str:
    from storage.celestia.extended import ExtendedHeader

    return ExtendedHeader.from_json(ledger.header(1)).header.hash.hex()
