"""Which records a run's seed gives to each step, and which it holds out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from provenance.audit.case import Case
from provenance.audit.datasets import chunk_table
from provenance.canonical import JsonObject
from provenance.chunk import CHUNK
from provenance.dataset import DatasetCommitment
from provenance.errors import (
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest
from provenance.replay import SAMPLER, Plan, plan
from provenance.training import Run, RunStart


@dataclass(frozen=True, slots=True)
class Sampling:
    """The sampler's plan in running numbers, and where each chunk's records begin in them."""

    plan: Plan
    firsts: tuple[int, ...]

    def numbers(self, indexes: Sequence[int]) -> tuple[int, ...]:
        """Return the running numbers of records by index, each shown to stand in the dataset."""
        places = (divmod(index, CHUNK) for index in indexes)
        return tuple(self.firsts[chunk] + position for chunk, position in places)


@dataclass(frozen=True, slots=True)
class Samplings:
    """The samplings of an audit's runs: each is drawn once, however many claims ask for it."""

    case: Case
    known: dict[Digest, Sampling | ProvenanceError]

    def of(self, start: RunStart, run: Run, dataset: DatasetCommitment) -> Sampling:
        """Return what `sampling` does, or raise what it raises."""
        if run.digest not in self.known:
            try:
                self.known[run.digest] = sampling(self.case, start, run, dataset)
            except ProvenanceError as error:
                self.known[run.digest] = error
        known = self.known[run.digest]
        if isinstance(known, ProvenanceError):
            raise known
        return known


def sampling(case: Case, start: RunStart, run: Run, dataset: DatasetCommitment) -> Sampling:
    """Return what the declared sampler makes of the run's seed.

    Raises:
        UnavailableError: The sampler is not known here, or the dataset's table not in the evidence.
        VerificationError: It gives another number of steps than the transcript has.
    """
    if start.sampler != SAMPLER:
        raise UnavailableError(f"sampler {start.sampler} cannot be run here")
    table = chunk_table(case, dataset.digest, dataset.root, dataset.chunks, dataset.records)
    chosen = plan(run.seed, dataset.records, sampler_parameters(start))
    if len(chosen.batches) != run.transcript.steps:
        raise VerificationError(
            f"the sampler gives {len(chosen.batches)} steps, the transcript has "
            f"{run.transcript.steps}"
        )
    firsts = accumulate((chunk.count for chunk in table), initial=0)
    return Sampling(chosen, tuple(firsts))


def sampler_parameters(start: RunStart) -> JsonObject:
    """Return the hyperparameters that the sampler reads."""
    names = ("batch", "epochs", "holdout_permille")
    return {name: start.hyperparameters.get(name) for name in names}
