"""`rootline ledger …`: the embedded ledger, and a monitor's checkpoint."""

import typer

from pipelines.cli.options import AsJson, Force, Output
from pipelines.cli.output import open_space, say, write_new

group = typer.Typer(help="The embedded ledger, and what a monitor sees.", no_args_is_help=True)


@group.command()
def status(json: AsJson = False) -> None:
    """Show the ledger's head, the log's head, and what waits."""
    from pipelines.flow.publishing import headers, log_id, outbox
    from pipelines.flow.queueing import waiting

    space = open_space(quiet=json)
    known = headers(space)
    document = {
        "ledger": f"{space.ledger.kind}: shows order and integrity only to who trusts its operator",
        "chain": space.ledger.chain,
        "head": space.ledger.head(),
        "namespace": space.genesis.namespace.hex(),
        "log": log_id(space).hex(),
        "batches": len(known),
        "statements that wait": len(waiting(space)),
        "batches without a receipt": len(outbox(space).waiting()),
    }
    say(document, as_json=json)


@group.command()
def checkpoint(output: Output, force: Force = False, json: AsJson = False) -> None:
    """Read the log off the ledger and sign what was seen, with this home's monitor key."""
    from pipelines.flow.catalogue import trusted_keys
    from pipelines.flow.monitoring import sign_checkpoint

    space = open_space(quiet=json)
    keys = trusted_keys(space)
    place = space.genesis.namespace
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
    app.add_typer(group, name="ledger")
