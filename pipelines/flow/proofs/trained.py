"""A registered run as proofs take it: found by its name, its states, its dataset."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.flow.catalogue import Version, find_commitment, find_version, runs
from pipelines.flow.recorded import Stored, stored_run
from pipelines.flow.workspace import Workspace
from provenance.audit.proved_steps import step_rule
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError
from provenance.features import LEAST, MOST, OFFSET
from provenance.field import FieldElement
from provenance.sgd import Rule
from provenance.sgd.rule import MODELS
from provenance.training import Run, RunStart

DIGITS = 8
"""Of a start's digest, at least, that name its run."""


def registered_run(space: Workspace, name: str) -> Run:
    """Return the registered run called `name`, or whose start's digest begins so.

    Raises:
        MalformedError: Several are called so, or the only one is unfinished.
        UnavailableError: None is.
    """
    found = [
        (start, run)
        for start, run in runs(space)
        if start.name == name
        or (len(name) >= DIGITS and start.digest.hex().startswith(name.lower()))
    ]
    finished = [run for _, run in found if run is not None]
    if not found:
        raise UnavailableError(f"no run {name!r:.80} here: `rootline run list` shows all")
    if not finished:
        raise MalformedError(f"run {name!r:.80} is unfinished: it has no states to prove about")
    if len(finished) > 1:
        starts = ", ".join(run.start.hex()[: 2 * DIGITS] for run in finished)
        raise MalformedError(f"{len(finished)} runs are called {name!r:.80}: name one of {starts}")
    return finished[0]


def provable_runs(space: Workspace) -> tuple[str, ...]:
    """Return the registered runs whose steps circuits prove, by name.

    Where several share a name it is the first digits of each one's start instead.
    """
    finished = [start for start, run in runs(space) if run is not None]
    names = Counter(start.name for start, _ in runs(space))
    return tuple(
        start.name if names[start.name] == 1 else start.digest.hex()[: 2 * DIGITS]
        for start in finished
        if start.optimiser in MODELS and start.state == "fixed14/1"
    )


def stored_of(space: Workspace, run: Run) -> Stored:
    """Return a registered run as it was recorded here.

    Raises:
        UnavailableError: No circuit proves its optimiser, or it was recorded elsewhere.
    """
    start = find_commitment(space, run.start)
    if isinstance(start, RunStart):
        step_rule(start)  # of another one's states nothing is kept that a circuit could open
    return stored_run(space, run.start)


def trained_on(space: Workspace, stored: Stored) -> Version:
    """Return the dataset version that a run was trained on.

    Raises:
        MalformedError: It names none.
        UnavailableError: It is not of this home.
    """
    found = find_commitment(space, stored.start.datasets["train"])
    if not isinstance(found, DatasetCommitment):
        raise MalformedError(f"{stored.start.name}: it was trained on no dataset of this home")
    return find_version(space, found.label)


@dataclass(frozen=True, slots=True)
class Trained:
    """A run's final state, the rule that led to it, and the version that it was trained on."""

    stored: Stored
    rule: Rule
    version: Version

    @classmethod
    def of(cls, space: Workspace, run: Run) -> "Trained":
        """Return what a registered run came to; raises as `stored_of` and `trained_on` do."""
        stored = stored_of(space, run)
        return cls(stored, step_rule(stored.start), trained_on(space, stored))

    @property
    def state(self) -> tuple[tuple[int, ...], FieldElement]:
        """The final state as it was committed to: all its numbers, and the salt. Secret."""
        final = self.stored.states[-1]
        return final.weights, final.salt

    @property
    def weights(self) -> tuple[int, ...]:
        """The final weights, without velocities. Secret."""
        return self.state[0][: self.rule.model.weights]

    def asked(self, version: Version | None, *, labelled: bool = True) -> Version:
        """Return the version whose records are asked about: the one trained on, or another.

        Raises:
            MalformedError: Its features, or its label, are not those that the model learnt.
        """
        found, name = version or self.version, self.stored.start.name
        own, learnt = found.commitment.features, self.version.commitment.features
        if own is None or learnt is None or own.fields != learnt.fields:
            raise MalformedError(
                f"{found.commitment.label} has other features than {name} was trained on"
            )
        if own.label != learnt.label and (labelled or own.label is not None):
            raise MalformedError(f"{found.commitment.label} has another label than {name} learnt")
        return found

    def check_inputs(self, row: Sequence[int]) -> None:
        """Check a question in the clear, or raise MalformedError."""
        features = self.rule.model.features
        if len(row) != features or not all(LEAST <= value + OFFSET <= MOST for value in row):
            raise MalformedError(
                f"a row of inputs is {features} integers from {LEAST - OFFSET} to {MOST - OFFSET}, "
                "features at the scale of the version's spec"
            )
