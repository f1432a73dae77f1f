"""Training steps of a registered run, proved: the states and batches of its own transcript."""

from dataclasses import dataclass

from pipelines.flow.catalogue import Version, chunk_table
from pipelines.flow.opening import Opener
from pipelines.flow.proofs.claiming import PLAIN, Chosen, Part, Proving, prove, sign
from pipelines.flow.proofs.features import CommittedRow, FeatureRows
from pipelines.flow.proofs.trained import stored_of, trained_on
from pipelines.flow.recorded import Stored, run_folder
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.attestation import Attestation
from provenance.audit.claimed import MAX_STEPS, claimed_document
from provenance.audit.proved_steps import check_shape, step_rule
from provenance.claim import Claim, StepsStatement
from provenance.errors import MalformedError
from provenance.field import FieldElement
from provenance.opening import Opening
from provenance.proof import Proof
from provenance.sgd import Rule, StepShape
from provenance.training import STEP_SCHEMA, Run
from storage.nodes import NodeFile
from storage.readers.datasets import Dataset

MAX_CLAIMED = MAX_STEPS - 2
"""Steps of one claim: both neighbours are opened with them."""
UNROLL = 4
"""Steps in one proof, if nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """What the parts of a claim share."""

    stored: Stored
    rule: Rule
    shape: StepShape
    rows: dict[int, CommittedRow]

    def chosen(self, first: int, context: FieldElement) -> Chosen:
        """Return the private values of one proof, whose first step is `first`."""
        from circuits.statements.step import step_witness

        end = first + self.shape.unroll
        states = [(state.weights, state.salt) for state in self.stored.states[first : end + 1]]
        batches = [
            [(self.rows[number].values, self.rows[number].salt) for number in batch]
            for batch in self.stored.batches[first:end]
        ]
        return step_witness(self.shape, states, batches, self.rule.centre, context)


def step_shape(
    stored: Stored, first: int, steps: int, unroll: int, tolerance: int | None = None
) -> StepShape:
    """Return the shape of the circuit that proves some steps of a run, `unroll` in each proof.

    Raises:
        MalformedError: There are no such steps, they do not come in whole groups, or the run
            follows no rule that a circuit is made for.
        VerificationError: The run declares another tolerance, or another size of its batches.
    """
    batches = stored.batches[first : first + steps]
    if not first >= 0 or len(batches) != steps or steps < 1:
        raise MalformedError(f"{stored.start.name} has steps 0 to {len(stored.batches) - 1}")
    if not stored.features:
        raise MalformedError(
            f"{stored.start.name}: its transcript holds no feature commitments, so no audit could "
            "check its steps: record a run with dataset= to prove them"
        )
    if steps > MAX_CLAIMED:
        raise MalformedError(f"{steps} steps: claim at most {MAX_CLAIMED} at once")
    if steps % unroll:
        raise MalformedError(f"{steps} steps do not come in groups of {unroll}: choose --unroll")
    if len({len(batch) for batch in batches}) != 1:
        raise MalformedError(f"{stored.start.name}: its batches differ in size")
    declared = stored.start.hyperparameters.get("tolerance", 0)
    allowed = declared if tolerance is None else tolerance
    if not isinstance(allowed, int):
        raise MalformedError(f"{stored.start.name}: its tolerance is no integer")
    rule = step_rule(stored.start)
    shape = rule.shape(len(batches[0]), unroll, allowed)
    check_shape(stored.start, rule, shape)
    return shape


def prove_steps(  # which steps of which run, and how they are grouped
    space: Workspace,
    run: Run,
    dataset: Dataset,
    *,
    first: int = 0,
    steps: int = UNROLL,
    unroll: int = UNROLL,
    tolerance: int | None = None,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs that steps of a run follow its rule.

    Arguments and errors are those of `proved_steps`.
    """
    made, proofs = proved_steps(
        space,
        run,
        dataset,
        first=first,
        steps=steps,
        unroll=unroll,
        tolerance=tolerance,
        how=how,
    )
    return sign(space, made), proofs


def proved_steps(  # which steps of which run, and how they are grouped
    space: Workspace,
    run: Run,
    dataset: Dataset,
    *,
    first: int = 0,
    steps: int = UNROLL,
    unroll: int = UNROLL,
    tolerance: int | None = None,
    how: Proving = PLAIN,
) -> tuple[Claim, tuple[Proof, ...]]:
    """Return a claim, unsigned, and the proofs that steps of a run follow its rule.

    Args:
        space: The home, where the run was recorded.
        run: The registered run.
        dataset: The files of the version that it trained on.
        first: Number of the first step.
        steps: How many, a multiple of `unroll`.
        unroll: How many steps one proof holds.
        tolerance: By how many units of the last place a state may differ from the rule's; as
            the run declares, where nothing is said.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such steps, or no rule that a circuit is made for.
        VerificationError: A step is not what its rule gives: no proof is made.
        UnavailableError: The prover is not installed, or ran out of time, memory or disk.
    """
    from circuits.registry import circuit

    stored = stored_of(space, run)
    shape = step_shape(stored, first, steps, unroll, tolerance)
    version = trained_on(space, stored)
    used = {number for batch in stored.batches[first : first + steps] for number in batch}
    rows = FeatureRows(space, version, dataset).open(used)
    shared = _Steps(stored, step_rule(stored.start), shape, rows)
    statement = StepsStatement(run.digest, first, steps)
    parts: list[Part] = [_part(shared, number) for number in range(first, first + steps, unroll)]
    steps_opened = _opened_steps(space, stored, version, range(first - 1, first + steps + 1))

    def opened(made: Claim) -> bytes:
        records = [row.opening for row in rows.values()]
        return canonical.encode(claimed_document(made.digest, steps_opened, records))

    return prove(space, circuit(shape.name), statement, parts, opened, how=how)


def _opened_steps(
    space: Workspace, stored: Stored, version: Version, numbers: range
) -> list[Opening]:
    """Return the openings of steps, without those that the run does not have."""
    nodes = NodeFile.find(run_folder(space, stored.run.start), stored.run.transcript.root)
    steps = stored.steps(chunk_table(space, version))
    wanted = [number for number in numbers if 0 <= number < len(steps)]
    opens = Opener(nodes, STEP_SCHEMA, None, stored.key)
    found = opens.open({number: steps[number].record for number in wanted})
    return [found[number] for number in wanted]


def _part(shared: _Steps, first: int) -> Part:
    return lambda context: shared.chosen(first, context)
