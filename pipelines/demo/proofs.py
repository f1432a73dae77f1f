"""What the demo proves in zero knowledge, and the circuits that its auditor is told to trust."""

from collections.abc import Iterable

from pipelines.flow.auditing import trusted_circuit
from pipelines.flow.catalogue import Version
from pipelines.flow.proofs.absence import prove_absence
from pipelines.flow.proofs.claiming import prepare
from pipelines.flow.proofs.evaluation import prove_evaluation
from pipelines.flow.proofs.membership import prove_membership
from pipelines.flow.proofs.steps import prove_steps
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.claim import Claim
from provenance.membership import MembershipClaim
from provenance.policy import TrustedCircuit
from provenance.proof import Proof
from provenance.training import Run
from storage.readers.datasets import Dataset

CIRCUITS = (
    "membership-22.v2",
    "exclusion-40.v1",
    "step-logistic-16x30-u4-r1.v1",
    "evaluation-logistic-60x30.v1",
)
ABSENT = "WDBC 900"
"""A sample that nobody has."""
INDEX = 1
"""Of the samples' names."""


def prepare_all(space: Workspace) -> None:
    """Make the keys of all circuits under local INSECURE SRS, unless the home has them."""
    for name in CIRCUITS:
        prepare(space, name)


def prove_record(space: Workspace, version: Version) -> tuple[MembershipClaim, Proof]:
    """Return the claim and proof that some record stands in a version."""
    item, proof = prove_membership(space, version, 42)
    if not isinstance(item.commitment, MembershipClaim):
        raise TypeError(item.name)
    return item.commitment, proof


def prove_without(space: Workspace, version: Version) -> tuple[Claim, tuple[Proof, ...]]:
    """Return the claim and proof that a sample is absent, its neighbours hidden."""
    return _claimed(prove_absence(space, version, INDEX, [ABSENT]))


def prove_training(space: Workspace, run: Run, dataset: Dataset) -> tuple[Claim, tuple[Proof, ...]]:
    """Return the claim and proof that the run's first four steps follow its rule."""
    return _claimed(prove_steps(space, run, dataset, first=0, steps=4, unroll=4))


def prove_accuracy(space: Workspace, run: Run, dataset: Dataset) -> tuple[Claim, tuple[Proof, ...]]:
    """Return the claim and proofs of how many held-out records the final state gets right."""
    return _claimed(prove_evaluation(space, run, dataset))


def trusted(proofs: Iterable[Proof]) -> tuple[TrustedCircuit, ...]:
    """Return a policy's entry for each circuit: what its auditor would derive from source."""
    entries = {
        proof.circuit: trusted_circuit(
            proof.circuit, proof.verifying_key, proof.srs, proof.settings
        )
        for proof in proofs
    }
    return tuple(entries.values())


def _claimed(made: tuple[Attestation, tuple[Proof, ...]]) -> tuple[Claim, tuple[Proof, ...]]:
    item, proofs = made
    if not isinstance(item.commitment, Claim):
        raise TypeError(item.name)
    return item.commitment, proofs
