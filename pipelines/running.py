"""The Dagster job, run in this process: what `rootline demo` and the command line use."""

import os
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import dagster as dg

from pipelines.datasets import VERSIONS
from pipelines.definitions import attest, defs
from pipelines.flow.workspace import Workspace, use
from provenance.errors import UnavailableError
from storage.atomic import write_atomic
from storage.home import Home

SETTINGS: Final = Path(__file__).parents[1] / "dagster.yaml"


def prepare_dagster(home: Home) -> None:
    """Put Dagster's settings into the home, and point it there."""
    home.dagster.mkdir(mode=0o700, exist_ok=True)
    write_atomic(home.dagster / "dagster.yaml", SETTINGS.read_bytes())
    use(home)


def attest_versions(space: Workspace, labels: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Run the job for each version name@version, in order, and yield how long each took.

    Raises:
        UnavailableError: A step or a check failed; the message holds the first reason.
    """
    prepare_dagster(space.home)
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    job = defs.resolve_job_def(attest.name)
    with dg.DagsterInstance.get() as instance:
        for label in labels:
            began = time.monotonic()
            instance.add_dynamic_partitions(str(VERSIONS.name), [label])
            result = job.execute_in_process(
                partition_key=label,
                instance=instance,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            _check(label, result)
            yield label, time.monotonic() - began


def _reason(event: dg.DagsterEvent) -> str:
    told = event.step_failure_data.user_failure_data
    if told is not None and told.description:
        return str(told.description)
    error = event.step_failure_data.error
    cause = error.cause if error and error.cause else error
    return cause.message.strip().splitlines()[-1] if cause else "no reason given"


def _check(label: str, result: dg.ExecuteInProcessResult) -> None:
    for event in result.all_events:
        if event.is_step_failure:
            raise UnavailableError(f"{label}: step {event.step_key} failed: {_reason(event)}")
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            reason = check.metadata.get("reason")
            raise UnavailableError(
                f"{label}: check {check.check_name} failed: {reason.value if reason else ''}"
            )
    if not result.success:
        raise UnavailableError(f"{label}: the job failed; see {os.environ['DAGSTER_HOME']}")
