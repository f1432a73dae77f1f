"""The flow as Dagster's assets, checks, job, schedule and sensor.

`rootline dev` starts Dagster's web server on them, with everything it writes inside the home.
"""

from collections.abc import Iterator

import dagster as dg

from pipelines import audits, datasets, training
from pipelines.datasets import VERSIONS
from pipelines.flow.proofs.trained import provable_runs
from pipelines.flow.publishing import is_published
from pipelines.resources import HomeResource
from pipelines.training import RUNS, FilesResource
from pipelines.watching import BY_COMMIT, watched
from provenance.errors import ProvenanceError

attest = dg.define_asset_job("attest", dg.AssetSelection.groups(datasets.GROUP))
prove_runs = dg.define_asset_job("prove_runs", dg.AssetSelection.groups(training.GROUP))
upkeep = dg.define_asset_job("upkeep", dg.AssetSelection.groups("upkeep"))


@dg.sensor(job=attest, minimum_interval_seconds=30)
def dvc_revisions(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
    """Attest each new DVC revision of a watched dataset; the cursor holds what was seen."""
    space = home.space()
    seen = dict(line.split("=", 1) for line in (context.cursor or "").splitlines())
    keys, problems = [], []
    for entry in watched(space.home):
        try:
            source = entry.source("HEAD")
            mark = source.fingerprint()
            if seen.get(entry.name) != mark:
                keys.append(f"{entry.name}@{BY_COMMIT}{source.commit[:16]}")
                seen[entry.name] = mark
        except ProvenanceError as error:
            problems.append(f"{entry.name}: {error}")
    if not keys:
        reason = "; ".join(problems) or "no new DVC revision of a watched dataset"
        return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=_cursor(seen))
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=key, partition_key=key) for key in keys],
        dynamic_partitions_requests=[VERSIONS.build_add_request(keys)],
        cursor=_cursor(seen),
    )


def _cursor(seen: dict[str, str]) -> str:
    return "\n".join(f"{name}={mark}" for name, mark in sorted(seen.items()))


@dg.sensor(job=prove_runs, minimum_interval_seconds=60)
def registered_runs(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult:
    """Add a partition for each registered run that circuits can prove; nothing is proved by it."""
    known = context.instance.get_dynamic_partitions(str(RUNS.name))
    found = [key for key in provable_runs(home.space()) if key not in known]
    if not found:
        return dg.SensorResult(skip_reason=dg.SkipReason("no newly registered run to prove"))
    return dg.SensorResult(dynamic_partitions_requests=[RUNS.build_add_request(found)])


@dg.schedule(job=attest, cron_schedule="0 3 * * *", execution_timezone="UTC")
def nightly(
    context: dg.ScheduleEvaluationContext, home: HomeResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Attest every known version that is not published yet."""
    space = home.space()
    day = f"{context.scheduled_execution_time:%Y-%m-%d}"
    known = context.instance.get_dynamic_partitions(str(VERSIONS.name))
    missing = [key for key in known if not is_published(space, key)]
    for key in missing:
        yield dg.RunRequest(run_key=f"{day} {key}", partition_key=key)
    if not missing:
        yield dg.SkipReason("every known version is published")


nightly_upkeep = dg.ScheduleDefinition(
    name="nightly_upkeep", job=upkeep, cron_schedule="30 3 * * *", execution_timezone="UTC"
)
"""Posts what could not be posted before, and verifies every receipt again."""


defs = dg.Definitions(
    assets=[
        datasets.snapshot,
        datasets.commitment,
        datasets.attestation,
        datasets.receipt,
        training.feature_commitments,
        training.step_proofs,
        training.proof_attestation,
        training.proof_receipt,
        audits.ledger_upkeep,
    ],
    asset_checks=[
        datasets.root_recomputes,
        datasets.receipt_verifies,
        training.features_stand_in_dataset,
        training.proofs_verify,
    ],
    jobs=[attest, prove_runs, upkeep],
    sensors=[dvc_revisions, registered_runs],
    schedules=[nightly, nightly_upkeep],
    resources={"home": HomeResource(), "files": FilesResource.configure_at_launch()},
)
