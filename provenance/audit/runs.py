"""Claims about training runs: announced before, registered after, in which order, and replayed."""

from collections.abc import Mapping
from dataclasses import dataclass

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of, rfc3339
from provenance.audit.ledger import Published
from provenance.audit.steps import Replayed, replayed
from provenance.errors import ProvenanceError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.findings import Level
from provenance.replay import INITIAL, SAMPLER, detection
from provenance.sgd.rule import MODELS, UNIFORM
from provenance.training import Run, RunStart


@dataclass(frozen=True, slots=True)
class Registered:
    """A run statement and the start that it names, both shown to be published."""

    start: RunStart
    run: Run
    start_at: Anchored
    run_at: Anchored


def check_runs(case: Case, log: Published, found: Mapping[Digest, Anchored]) -> None:
    """Add what the evidence shows about each run, finished or not."""
    runs = []
    for item in found.values():
        if isinstance(item.attestation.commitment, Run):
            registered = _registered(case, log, item, item.attestation.commitment, found)
            if registered is not None:
                runs.append((registered, _replayed(case, log, registered, found)))
    sound = frozenset(r.run.start for r, result in runs if result and _has_seed(log, r))
    for registered, result in runs:
        if result is not None:
            _report_steps(case, log, registered, result, sound)
        _check_order(case, log, registered, found, result, sound)
    for sequence, start in _unfinished(log):
        case.unknown(
            "run", start.name, f"announced in batch {sequence} and not registered: unfinished"
        )


def _registered(
    case: Case, log: Published, item: Anchored, run: Run, found: Mapping[Digest, Anchored]
) -> Registered | None:
    start_at = found.get(run.start)
    subject = item.attestation.name
    if start_at is None or not isinstance(start_at.attestation.commitment, RunStart):
        case.unknown("run", subject, f"its start {run.start.hex()[:16]}… is not in the evidence")
        return None
    start = start_at.attestation.commitment
    registered = Registered(start, run, start_at, item)
    if not case.attempt("run", start.name, lambda: _check_registered(case, registered)):
        return None
    metrics = ", ".join(f"{name}: {value}" for name, value in sorted(run.metrics.items()))
    case.holds(
        "run",
        start.name,
        Level.L1,
        f"announced in block {start_at.block.height}, registered in block {item.block.height}; "
        f"{run.transcript.steps} steps; declared metrics (L0): {metrics or 'none'}",
        rests_on=("the issuer's key", *log.rests(item.block)),
        notes=(f"run {run.digest.hex()}", f"start {run.start.hex()}"),
    )
    return registered


def _check_registered(case: Case, item: Registered) -> None:
    if item.start_at.sequence >= item.run_at.sequence:
        raise VerificationError(f"{item.start.name}: registered before it was announced")
    allowed = case.policy.models
    if allowed is not None and item.start.base is not None and item.start.base not in allowed:
        raise VerificationError(f"{item.start.name}: its base model is not approved by the policy")


def _replayed(
    case: Case, log: Published, item: Registered, found: Mapping[Digest, Anchored]
) -> Replayed | None:
    name = item.run.digest.hex()
    data = case.bundle.under("steps").get(name)
    if not case.policy.samples:
        return None
    result: list[Replayed] = []

    def check() -> None:
        if data is None:
            raise UnavailableError("none of its steps are opened")
        _check_rules(item.start)
        if item.run.challenge_height <= item.run_at.block.height:
            raise VerificationError("the challenge height is not above the run's own receipt")
        block = log.blocks.at(item.run.challenge_height)
        dataset = dataset_of(item.start.datasets["train"], found)
        samples = case.policy.samples
        result.append(replayed(case, data, item.start, item.run, dataset, block.hash, samples))

    return result[0] if case.attempt("steps", item.start.name, check) else None


def _report_steps(
    case: Case, log: Published, item: Registered, result: Replayed, sound: frozenset[Digest]
) -> None:
    tries = 1 + len(_others(log, item))
    chance = ", ".join(
        f"{min(1.0, tries * (1 - detection(share, result.samples))):.0%} for {share:.0%} forged"
        for share in (0.01, 0.1, 0.5)
    )
    reason = (
        f"{result.samples} of {result.steps} steps replayed{_slack(result)}; chance of missing, "
        f"with {tries} runs announced on this data to choose from: {chance}"
    )
    try:
        _check_covered(log, item)
        _check_rivals(log, item, sound)
        _check_operator(case, log)
    except UnavailableError as error:
        case.unknown("steps", item.start.name, f"{reason}; but {error}")
        return
    block = log.blocks.at(item.run.challenge_height)
    case.holds(
        "steps",
        item.start.name,
        Level.L3,
        reason,
        rests_on=(
            f"block {block.height}, proposed by {block.proposer.hex()}, as the source of the draw",
            *_rests(log, item),
        ),
        notes=(
            f"rules {item.start.sampler}, {item.start.optimiser}, {item.start.initial}",
            "records and weights of these steps are in the clear to whoever holds this bundle",
        ),
    )


def _slack(result: Replayed) -> str:
    if not result.tolerance:
        return ""
    return f", each weight within the declared {result.tolerance} units of its last place"


def _check_rules(start: RunStart) -> None:
    rules = (start.sampler, start.initial, start.optimiser, start.state)
    known = ((SAMPLER,), (INITIAL, UNIFORM), MODELS, ("fixed14/1",))
    if not all(rule in names for rule, names in zip(rules, known, strict=True)):
        raise UnavailableError(f"{start.name}: an auditor here cannot run {', '.join(rules)}")
    if "train" not in start.datasets:
        raise UnavailableError(f"{start.name}: it names no dataset as 'train'")


def _trusts_order(case: Case, log: Published) -> bool:
    return not log.is_self_hosted or log.genesis.chain in case.policy.operators


def _check_operator(case: Case, log: Published) -> None:
    if not _trusts_order(case, log):
        raise UnavailableError(
            "the ledger is self-hosted and the policy does not trust its operator for order: "
            f"{log.operator}"
        )


def _rests(log: Published, item: Registered) -> tuple[str, ...]:
    """Return what the order of blocks rests on."""
    who, anchor = log.rests(item.run_at.block)
    return (f"{who}, whom the policy trusts" if log.is_self_hosted else who, anchor)


def _check_order(
    case: Case,
    log: Published,
    item: Registered,
    found: Mapping[Digest, Anchored],
    result: Replayed | None,
    sound: frozenset[Digest],
) -> None:
    name = item.start.name

    def check() -> None:
        _check_heights(item, found)
        _check_seed(log, item)

    if not case.attempt("order", name, check):
        return
    heights = (
        f"data, start, seed and run stand in blocks "
        f"{', '.join(str(found[d].block.height) for d in item.start.datasets.values())} < "
        f"{item.start_at.block.height} < {item.start.seed_height} < {item.run_at.block.height}"
    )
    try:
        _check_competition(log, item)
        _check_rivals(log, item, sound)
        _check_operator(case, log)
    except UnavailableError as error:
        case.unknown("order", name, f"{heights}; but {error}")
        return
    except ProvenanceError as error:
        case.fails("order", name, str(error))
        return
    proposer = log.blocks.at(item.start.seed_height).proposer.hex()
    case.holds(
        "order",
        name,
        Level.L2 if result else Level.L1,
        heights if result else f"{heights}; no steps were replayed under the seed",
        rests_on=(f"the seed's block was proposed by {proposer}", *_rests(log, item)),
        notes=(
            f"seed's block gives {rfc3339(log.blocks.at(item.start.seed_height).time)}",
            *_abandoned(log, item),
        ),
    )


def _check_heights(item: Registered, found: Mapping[Digest, Anchored]) -> None:
    for role, digest in item.start.datasets.items():
        commitment = dataset_of(digest, found)
        if found[digest].block.height >= item.start_at.block.height:
            raise VerificationError(
                f"{commitment.label} ({role}) was published in block {found[digest].block.height}, "
                f"not before the run's start in block {item.start_at.block.height}"
            )
    heights = (item.start_at.block.height, item.start.seed_height, item.run_at.block.height)
    if not heights[0] < heights[1] < heights[2]:
        raise VerificationError(
            "start, seed and run must stand in rising blocks, not in {}, {}, {}".format(*heights)
        )


def _check_seed(log: Published, item: Registered) -> None:
    block = log.blocks.at(item.start.seed_height)
    if block.hash != item.run.seed:
        raise VerificationError(
            f"the run's seed is not the hash of block {block.height}, which the start names"
        )


def _check_covered(log: Published, item: Registered) -> None:
    """Check that a monitor saw the log beyond the run statement.

    Else the issuer could have posted many starts or statements, and shown the one whose seed or
    challenge he liked.

    Raises:
        UnavailableError: No checkpoint reaches so far.
    """
    if log.checkpoint is None or log.checkpoint.sequence < item.run_at.sequence:
        raise UnavailableError("no monitor's checkpoint shows what else was announced meanwhile")


def _check_competition(log: Published, item: Registered) -> None:
    _check_covered(log, item)
    for sequence, start in _unfinished(log):
        waiting = sequence < item.start_at.sequence
        if sequence < item.run_at.sequence and not (waiting and _is_past(start, item)):
            raise VerificationError(
                f"batch {sequence} announced another run, {start.name!r}, that is not accounted for"
            )
    if any(p.kind in ("two-runs", "run-without-start") for p in log.history.problems):
        raise VerificationError("the log has competing run statements")


def _check_rivals(log: Published, item: Registered, sound: frozenset[Digest]) -> None:
    """Check that each run on the same data that was under way meanwhile was replayed here too.

    A statement that nobody replays closes a start without accounting for it: the issuer could
    announce many runs, look at all seeds or draws, and show the run that he likes.

    Raises:
        UnavailableError: One was not replayed.
    """
    ended = {run.start: at for at, run in log.history.runs()}
    for sequence, start in _others(log, item):
        at = ended.get(start.digest)
        meanwhile = sequence < item.run_at.sequence and (at or 0) > item.start_at.sequence
        if meanwhile and start.digest not in sound:
            raise UnavailableError(
                f"batch {sequence} announced a run on the same data, {start.name!r}, whose steps "
                "were not replayed here"
            )


def _others(log: Published, item: Registered) -> list[tuple[int, RunStart]]:
    """Return all other runs that were announced on one of this run's datasets."""
    data = set(item.start.datasets.values())
    return [
        (sequence, start)
        for sequence, start in log.history.starts()
        if start.digest != item.run.start and not data.isdisjoint(start.datasets.values())
    ]


def _has_seed(log: Published, item: Registered) -> bool:
    try:
        _check_seed(log, item)
    except ProvenanceError:
        return False
    return True


def _is_past(start: RunStart, item: Registered) -> bool:
    """Return whether the seed of an earlier start was known when this run was announced."""
    return start.seed_height < item.start_at.block.height


def _unfinished(log: Published) -> tuple[tuple[int, RunStart], ...]:
    finished = {run.start for _, run in log.history.runs()}
    return tuple((at, start) for at, start in log.history.starts() if start.digest not in finished)


def _abandoned(log: Published, item: Registered) -> tuple[str, ...]:
    """Return in words which runs the issuer gave up before this one, knowing their seeds."""
    earlier = [str(at) for at, _ in _unfinished(log) if at < item.start_at.sequence]
    if not earlier:
        return ()
    words = f"runs announced before and never registered: batches {', '.join(earlier)}"
    return (f"{words}; whoever gives up runs until he likes a seed has chosen it",)
