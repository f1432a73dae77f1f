"""Assets of a run's proofs: feature commitments -> step proofs -> attestation -> receipt; checks.

The partition is a registered run's name, or its start's first digits where several share a name.
Every step can be run again: a proof, a claim, a posting that is there is found again.
"""

import time
import warnings

import dagster as dg
from pydantic import Field

from pipelines.datasets import RETRY, snapshot_of, told
from pipelines.flow.proofs.claiming import sign
from pipelines.flow.proofs.steps import UNROLL, proved_steps
from pipelines.flow.proofs.trained import registered_run, stored_of, trained_on
from pipelines.flow.proofs.transcripts import check_features, recheck_steps, transcript_steps
from pipelines.flow.publishing import publish, receipt_of, sequence_of
from pipelines.flow.workspace import Workspace
from pipelines.resources import HomeResource
from provenance.claim import Claim
from provenance.errors import ProvenanceError, UnavailableError
from provenance.proof import Proof
from provenance.training import Run
from storage.readers.datasets import Dataset, open_dataset

RUNS = dg.DynamicPartitionsDefinition(name="training_run")
GROUP = "training"


class FilesResource(dg.ConfigurableResource):  # type: ignore[type-arg]  # generic only in its stubs
    """The files of the version that a run was trained on.

    Without paths it is the snapshot that the job `attest` made of the version.
    """

    paths: list[str] = Field(default_factory=list)

    def of(self, space: Workspace, run: Run) -> Dataset:
        """Return the records.

        Raises:
            MalformedError: No such files.
            UnavailableError: None are named, and there is no snapshot.
        """
        made = trained_on(space, stored_of(space, run)).commitment
        if self.paths:
            sources = self.paths[0] if len(self.paths) == 1 else tuple(self.paths)
            return open_dataset(sources, schema=made.schema, order=made.order)
        try:
            return snapshot_of(space, made.label)
        except ProvenanceError as error:
            words = f"no snapshot of {made.label}: name its files in the resource `files`"
            raise UnavailableError(words) from error


class Steps(dg.Config):
    """Which steps are proved, and how many of them one proof holds."""

    first: int = 0
    steps: int = UNROLL
    unroll: int = UNROLL


@dg.asset(partitions_def=RUNS, group_name=GROUP, kinds={"poseidon"})
def feature_commitments(
    context: dg.AssetExecutionContext, home: HomeResource
) -> dg.MaterializeResult[None]:
    """The run's transcript, which holds a feature commitment for each record of each batch."""
    space = home.space()
    with told():
        run = registered_run(space, context.partition_key)
        steps = transcript_steps(space, run)
    return dg.MaterializeResult(
        metadata={
            "transcript": run.transcript.root.hex,
            "steps": len(steps),
            "feature commitments": sum(len(step.features) for step in steps),
        }
    )


@dg.asset(
    partitions_def=RUNS,
    group_name=GROUP,
    kinds={"ezkl"},
    deps=[feature_commitments],
    retry_policy=RETRY,
)
def step_proofs(
    context: dg.AssetExecutionContext, config: Steps, home: HomeResource, files: FilesResource
) -> dg.Output[bytes]:
    """The claim, unsigned, that steps of the run follow its rule, and its proofs in the home."""
    space, began = home.space(), time.monotonic()
    with told():
        run = registered_run(space, context.partition_key)
        made, proofs = proved_steps(
            space,
            run,
            files.of(space, run),
            first=config.first,
            steps=config.steps,
            unroll=config.unroll,
        )
        metadata = _metadata(space, made, proofs)
    return dg.Output(
        made.encoded,
        data_version=dg.DataVersion(made.digest.hex()),
        metadata={**metadata, "seconds": time.monotonic() - began},
    )


def _metadata(space: Workspace, made: Claim, proofs: tuple[Proof, ...]) -> dict[str, str | int]:
    from circuits.proving.artifacts import is_insecure
    from circuits.registry import circuit

    [srs] = {proof.srs for proof in proofs}
    worth = "made on this machine, INSECURE" if is_insecure(srs, space.home.path) else "ceremony"
    return {
        "claim": made.digest.hex(),
        "circuit": made.circuit,
        "rows": 2 ** circuit(made.circuit).logrows,
        "proofs": len(proofs),
        "proof bytes": sum(len(proof.proof) for proof in proofs),
        "verifying key": proofs[0].verifying_key.hex(),
        "SRS": f"{srs.hex()}: {worth}",
    }


@dg.asset(partitions_def=RUNS, group_name=GROUP, kinds={"ed25519"})
def proof_attestation(step_proofs: bytes, home: HomeResource) -> dg.Output[bytes]:
    """The signed claim about the steps, waiting to be posted."""
    space = home.space()
    with told():
        item = sign(space, Claim.parse(step_proofs))
    return dg.Output(
        step_proofs, metadata={"envelope": item.digest.hex(), "claim": item.subject.hex()}
    )


@dg.asset(partitions_def=RUNS, group_name=GROUP, kinds={"ledger"}, retry_policy=RETRY)
def proof_receipt(proof_attestation: bytes, home: HomeResource) -> dg.MaterializeResult[None]:
    """The evidence that the ledger took the claim; posts whatever waits."""
    space = home.space()
    with told():
        publish(space)
        item = sign(space, Claim.parse(proof_attestation))
        posted = receipt_of(space, sequence_of(space, item))
    return dg.MaterializeResult(
        metadata={"chain": posted.chain, "height": posted.height, "bytes": len(posted.encoded)}
    )


# `partitions_def` on a check is a preview in this Dagster; without it a check loads a wrong path.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.PreviewWarning)

    @dg.asset_check(asset=feature_commitments, partitions_def=RUNS, blocking=True)
    def features_stand_in_dataset(
        context: dg.AssetCheckExecutionContext, home: HomeResource, files: FilesResource
    ) -> dg.AssetCheckResult:
        """Each feature commitment of the transcript opens to the dataset's root, where it says."""
        space = home.space()
        try:
            run = registered_run(space, context.partition_key)
            compared = check_features(space, run, files.of(space, run))
        except ProvenanceError as error:
            return dg.AssetCheckResult(passed=False, metadata={"reason": str(error)})
        return dg.AssetCheckResult(passed=True, metadata={"records": compared})

    @dg.asset_check(asset=step_proofs, partitions_def=RUNS, blocking=True)
    def proofs_verify(
        context: dg.AssetCheckExecutionContext, step_proofs: bytes, home: HomeResource
    ) -> dg.AssetCheckResult:
        """The proofs verify again, their public values those of transcript and claim."""
        space = home.space()
        try:
            run = registered_run(space, context.partition_key)
            proofs = recheck_steps(space, run, Claim.parse(step_proofs))
        except ProvenanceError as error:
            return dg.AssetCheckResult(passed=False, metadata={"reason": str(error)})
        return dg.AssetCheckResult(passed=True, metadata={"proofs": len(proofs)})
