"""A registered run as proofs take it: found by its name, its states, its dataset."""

from pipelines.flow.catalogue import Version, find_commitment, find_version, runs
from pipelines.flow.recorded import Stored, stored_run
from pipelines.flow.workspace import Workspace
from provenance.audit.proved_steps import step_rule
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError
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
        starts = ", ".join(run.start.hex()[:16] for run in finished)
        raise MalformedError(f"{len(finished)} runs are called {name!r:.80}: name one of {starts}")
    return finished[0]


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
