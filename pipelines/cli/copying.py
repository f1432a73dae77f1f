"""`rootline ledger copy`: published blobs into a second data-availability layer."""

from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say
from provenance.errors import MalformedError

WORTH = (
    "L0, carried and not verified: the proxy says that EigenDA took these blobs; what is "
    "published, and in which order, rests on the ledger alone"
)


def copy(
    eigenda: Annotated[
        str, typer.Option(metavar="URL", help="An EigenDA proxy, as http://127.0.0.1:3100.")
    ],
    network: Annotated[
        str, typer.Option(help="Which EigenDA network it speaks to; told as your word.")
    ] = "unstated",
    json: AsJson = False,
) -> None:
    """Put every published blob that has no copy yet to EigenDA, and keep its certificates.

    What is put there is public: on an embedded ledger it was not.
    """
    from pipelines.flow.copying import copy_log
    from storage.eigenda.proxy import RETENTION, EigenDA

    layer = EigenDA(eigenda, network)
    copied = copy_log(open_space(quiet=json), layer)
    if copied.refused:
        raise MalformedError(
            f"{len(copied.refused)} blobs could not be copied, {len(copied.made)} were; "
            f"{copied.refused[0]}"
        )
    document = {
        "layer": layer.kind,
        "network": layer.network,
        "blobs copied now": len(copied.made),
        "blobs copied before": copied.had,
        "worth": WORTH,
        "kept": f"about {RETENTION // 86_400} days by EigenDA's own words",
    }
    say(document, as_json=json)
