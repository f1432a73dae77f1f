"""Upkeep of what was posted: what waits is posted, and every receipt is verified again."""

import dagster as dg

from pipelines.flow.publishing import publish, receipts, verify_receipt
from pipelines.flow.queueing import waiting
from pipelines.resources import HomeResource


@dg.asset(group_name="upkeep", kinds={"ledger"})
def ledger_upkeep(home: HomeResource) -> dg.MaterializeResult[None]:
    """Post what could not be posted before, and check all receipts against the ledger."""
    space = home.space()
    posted = publish(space)
    checked = 0
    for receipt in receipts(space):
        verify_receipt(space, receipt)
        checked += 1
    return dg.MaterializeResult(
        metadata={
            "posted": len(posted),
            "receipts verified": checked,
            "waiting": len(waiting(space)),
        }
    )
