"""`rootline ledger …`: the embedded ledger, and a monitor's checkpoint."""

from typing import TYPE_CHECKING

import typer

from pipelines.cli.copying import copy
from pipelines.cli.following import follow
from pipelines.cli.node import serve
from pipelines.cli.options import AsJson, Force, Output
from pipelines.cli.output import open_space, say, write_new

if TYPE_CHECKING:
    from pipelines.flow.workspace import Workspace

group = typer.Typer(help="The ledger, and what a monitor sees of a log.", no_args_is_help=True)


@group.command()
def status(json: AsJson = False) -> None:
    """Show the ledger's head, the log's head, and what waits."""
    from pipelines.flow.publishing import headers, log_id, outbox
    from pipelines.flow.queueing import waiting

    space = open_space(quiet=json)
    known = headers(space)
    ledger = space.ledger
    document = {
        "ledger": ledger.kind,
        **_place(space),
        "chain": ledger.chain,
        "head": ledger.head(),
        "namespace": space.genesis.namespace.hex(),
        "log": log_id(space).hex(),
        "batches": len(known),
        "statements that wait": len(waiting(space)),
        "batches without a receipt": len(outbox(space).waiting()),
    }
    say(document, as_json=json)


def _place(space: "Workspace") -> dict[str, object]:
    """Return where the ledger is, and what it is worth."""
    if space.settings is None:
        return {"worth": "order and integrity only to who trusts its operator, this home"}
    from storage.celestia.client.address import Address

    anchor = space.settings.anchor
    block = space.verifier.signed_block(space.ledger.header(space.ledger.head()))
    most, whole = max(power for _, power in block.power), sum(power for _, power in block.power)
    alone = "; one alone can rewrite it, and is to be trusted like an operator"
    return {
        "node": Address.parse(space.settings.url).origin,
        "anchor": f"{anchor.height}:{anchor.hash.hex()}",
        "validators": f"{len(block.power)}{alone if 3 * most > 2 * whole else ''}",
    }


@group.command()
def checkpoint(output: Output, force: Force = False, json: AsJson = False) -> None:
    """Read the log off the ledger and sign what was seen, with this home's monitor key."""
    from pipelines.flow.catalogue import trusted_keys
    from pipelines.flow.monitoring import sign_checkpoint
    from pipelines.flow.watches import closing

    space = open_space(quiet=json)
    keys = trusted_keys(space)
    place = space.genesis.namespace
    with closing(space):
        seen, data = sign_checkpoint(space.ledger, space.verifier, place, keys, space.monitor)
    write_new(output, data, force=force)
    document = {
        "written": str(output),
        "monitor key": space.monitor.public_key.hex(),
        "head": seen.sequence,
        "heights": f"{seen.first} to {seen.last}",
        "worth": "what this home's own key is worth: an auditor names a monitor that he trusts",
    }
    say(document, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group.command()(follow)
    group.command()(serve)
    group.command()(copy)
    app.add_typer(group, name="ledger")
