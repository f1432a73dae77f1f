"""Recording a run: announced before, registered once, unfinished when its script dies."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from pipelines.flow import publishing
from pipelines.flow.auditing import policy_for, verifiers
from pipelines.flow.catalogue import Version, find_run, runs
from pipelines.flow.exporting import Bundle
from pipelines.flow.publishing import headers, publish, receipt_of
from pipelines.flow.queueing import queue
from pipelines.flow.recorded import recorded_steps, run_folder, stored_run
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.workspace import Workspace
from provenance.audit import audit
from provenance.canonical import Json
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.findings import Outcome
from provenance.replay import Logistic
from provenance.training import Run as RunStatement
from tests.pipelines.flow.conftest import SPEC, table

Add = Callable[[str, int], Version]
ROOT: Final = Path(__file__).parents[3]
PARAMETERS: Final[dict[str, Json]] = {
    "batch": 4,
    "epochs": 2,
    "holdout_permille": 200,
    "rate_bits": 1,
    "centre": [0, 0],
}


def logistic(space: Workspace, name: str, train: str = "rows@v1") -> RunStatement:
    """Train as an auditor would replay it."""
    optimiser = Logistic.of(PARAMETERS)
    records = list(table(40).records())
    weights = optimiser.initial
    with Run(name, train=train, hyperparameters=PARAMETERS, space=space) as run:
        for batch in run.plan.batches:
            rows = [[int(str(records[n][f.name])) for f in SPEC.all] for n in batch]
            weights = optimiser.step(weights, rows)
            run.step(batch, weights)
        return run.finish(b"model", {"accuracy": 0.5})


def external(name: str, space: Workspace) -> Run:
    return Run(
        name,
        train="rows@v1",
        hyperparameters={},
        space=space,
        sampler=EXTERNAL,
        optimiser=EXTERNAL,
        initial=EXTERNAL,
    )


def test_a_fixed_point_run_is_announced_below_its_seed_and_registered_above(
    space: Workspace, add: Add
) -> None:
    add("v1", 40)
    run = logistic(space, "one")
    [(start, registered)] = runs(space)
    assert registered == run
    heights = [receipt_of(space, sequence).height for sequence in range(4)]
    assert heights[1] < heights[2] < start.seed_height < heights[3] < run.challenge_height
    assert run.seed == space.verifier.signed_block(space.ledger.header(start.seed_height)).hash
    assert run.transcript.steps == 16
    stored = stored_run(space, start.digest)
    assert stored.states[0].weights == (0, 0, 0)
    assert stored.states[-1].commitment == run.final
    assert len(stored.batches) == recorded_steps(space, start.digest) == 16


def test_states_of_any_arrays_can_be_recorded(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("arrays", space) as run:
        run.begin({"weights": np.zeros(3), "bias": np.zeros(1)})
        run.step([0, 1], {"weights": np.ones(3), "bias": np.ones(1)})
        run.step([], [b"bytes", np.float32(2)])
        done = run.finish(None, {})
    assert done.transcript.steps == 2
    assert find_run(space, run.start.digest) == done
    with pytest.raises(MalformedError, match="weights"):
        stored_run(space, run.start.digest)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("text", "not str"),
        (3, "not int"),
        (np.array([object()]), "not of Python objects"),
    ],
)
def test_what_is_no_state_is_refused_and_not_recorded(
    space: Workspace, add: Add, state: object, words: str
) -> None:
    add("v1", 40)
    with external("bad", space) as run:
        with pytest.raises(MalformedError, match=words):
            run.begin(state)
        run.begin(b"0")
        with pytest.raises(MalformedError, match=words):
            run.step([0], state)
        with pytest.raises(MalformedError, match="no record has so high a number"):
            run.step([40], b"1")
        run.step([0], b"1")
        assert run.finish(None, {}).transcript.steps == 1
    assert recorded_steps(space, run.start.digest) == 1


def test_fixed_point_states_are_integers(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with Run("halves", train="rows@v1", hyperparameters=PARAMETERS, space=space) as run:
        for state in (np.array([0.5, 0, 0]), 7):
            with pytest.raises(MalformedError, match="sequence of integers"):
                run.step([0], state)
        run.step([0], np.array([1, 2, 3]))


def test_a_run_by_an_unknown_rule_has_no_plan(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("own", space) as run:
        with pytest.raises(MalformedError, match="has no plan"):
            _ = run.plan
        run.begin(b"0")
        with pytest.raises(MalformedError, match="recorded already"):
            run.begin(b"0")


def test_an_unknown_first_state_is_needed_where_steps_can_be_run_again(
    space: Workspace, add: Add
) -> None:
    add("v1", 40)
    with Run(
        "warm", train="rows@v1", hyperparameters=PARAMETERS, space=space, initial=EXTERNAL
    ) as run:
        with pytest.raises(MalformedError, match="call `begin` with the initial state"):
            run.step([0], (1, 2, 3))
        run.begin((3, 2, 1))
        run.step([0], (1, 2, 3))


def test_a_run_is_registered_once(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("twice", space) as run:
        with pytest.raises(MalformedError, match="no step was recorded"):
            run.finish(None, {})
        run.begin(b"0")
        run.step([0], b"1")
        run.finish(None, {})
        before = headers(space)
        with pytest.raises(MalformedError, match="registered already"):
            run.finish(None, {"accuracy": 1})
    assert headers(space) == before


def test_bad_metrics_leave_the_run_open(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("metrics", space) as run:
        run.begin(b"0")
        run.step([0], b"1")
        with pytest.raises(MalformedError):
            run.finish(None, {"loss": float("nan")})
        assert run.finish(None, {"loss": 0.5}).metrics == {"loss": 0.5}


def test_a_statement_that_could_not_be_posted_is_not_made_twice(
    space: Workspace, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("v1", 40)
    with external("later", space) as run:
        run.begin(b"0")
        run.step([0], b"1")

        def closed(*_: object) -> None:
            raise UnavailableError("the ledger cannot be reached")

        with monkeypatch.context() as patch:
            patch.setattr(type(space.ledger), "submit", closed)
            with pytest.raises(UnavailableError):
                run.finish(None, {})
        with pytest.raises(MalformedError, match="registered already"):
            run.finish(None, {})
    publish(space)
    [(_, registered)] = runs(space)
    assert registered is not None
    statements = [header.statement for header in headers(space) if header.statement]
    assert len(statements) == 2


def test_a_start_that_lands_too_late_raises_and_stays_unfinished(
    space: Workspace, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of this home queue so much in that moment that its seed was known before it."""
    add("v1", 40)

    def slowly(home: Workspace, envelope: bytes) -> object:
        for _ in range(space.ledger.margin):
            home.embedded.advance()
        return queue(home, envelope)

    monkeypatch.setattr(publishing, "queue", slowly)
    with pytest.raises(UnavailableError, match="not below block"), external("late", space):
        pass
    [(start, registered)] = runs(space)
    assert (start.name, registered) == ("late", None)


def test_salts_keys_and_states_are_read_by_their_owner_only(space: Workspace, add: Add) -> None:
    add("v1", 40)
    logistic(space, "private")
    [folder] = space.home.runs.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert len(modes) == 4
    assert set(modes.values()) == {0o600}


# A training script that is killed after its third step, in the midst of writing a line.
DIES: Final = """
import os, signal, sys
from pathlib import Path
from pipelines.flow.workspace import Workspace
from storage.home import Home
from tests.pipelines.flow.test_recording import external

space = Workspace(Home(Path(sys.argv[1])))
with external("dies", space) as run:
    run.begin(b"0")
    for number in range(3):
        run.step([number], b"%d" % number)
    run._log.write('{"batch":[3],"sal')
    run._log.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_script_that_dies_leaves_a_start_that_is_reported_as_unfinished(
    space: Workspace, add: Add
) -> None:
    add("v1", 40)
    done = subprocess.run([sys.executable, "-c", DIES, str(space.home.path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    [(start, registered)] = runs(space)
    assert (start.name, registered) == ("dies", None)
    assert recorded_steps(space, start.digest) == 3
    with pytest.raises(MalformedError, match="is not finished"):
        stored_run(space, start.digest)
    bundle = Bundle(space)
    bundle.add_log()
    bundle.add_blocks()
    policy = policy_for(space, name="p", require=())
    verdict = audit(bundle.seal(), policy, verifiers(), space.clock())
    [finding] = [f for f in verdict.findings if (f.claim, f.subject) == ("run", "dies")]
    assert finding.outcome is Outcome.UNKNOWN
    assert "unfinished" in finding.reason


def test_a_run_that_was_never_begun_has_no_steps(space: Workspace) -> None:
    assert recorded_steps(space, Digest(bytes(32))) == 0


def test_a_run_on_data_that_is_not_here_is_not_announced(space: Workspace) -> None:
    with pytest.raises(UnavailableError, match="no dataset rows@v1 here"):
        external("nothing", space)
    assert runs(space) == ()


def test_code_and_environment_are_told_by_digests(space: Workspace, add: Add) -> None:
    add("v1", 40)
    with external("origin", space) as run:
        assert run_folder(space, run.start.digest).parent == space.home.runs
        assert set(run.start.code) in ({"commit", "diff"}, set())
        assert len(run.start.environment) == 32
