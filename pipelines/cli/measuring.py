"""`rootline prove property|evaluation|inference`: what is computed of committed data, proved."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.claiming import (
    Numbers,
    Of,
    Publish,
    RowCount,
    RunName,
    Srs,
    Trained,
    Workers,
    asked_about,
    manner,
    numbers,
    read_files,
    read_inputs,
    registered,
    say_claim,
    statement_of,
)
from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space
from pipelines.cli.reading import Format, Null
from provenance.errors import MalformedError

MAX_FUNCTION = 2**20


def measure(
    function: Annotated[
        Path, typer.Option(help="The function as ONNX; evidence shows it, to be read.")
    ],
    label: Annotated[
        str | None, typer.Argument(help="A dataset version, name@version.", metavar="[NAME@V]")
    ] = None,
    paths: Annotated[list[Path] | None, typer.Argument(help="The version's files.")] = None,
    records: Numbers = None,
    run: Annotated[str | None, typer.Option(help="Instead of records: a registered run.")] = None,
    state: Annotated[str, typer.Option(help="Which of its states: initial or final.")] = "final",
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge what a function gives over records, or of a run's state.

    It sees the features that the version commits to, as integers, and its values are published:
    they can tell much of few records. With more records than it takes, it gives values for each
    part. What it measures is for its reader to judge.
    """
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proofs.properties import prove_property, prove_state_property
    from provenance.claim import PropertyStatement
    from storage.atomic import read_bounded

    space = open_space(quiet=json)
    how, data = manner(space, srs, workers), read_bounded(function, MAX_FUNCTION)
    if run is not None and label is None and records is None:
        claimed = prove_state_property(space, registered(space, run), state, data, how=how)
        about = f"the {state} state of run {run}"
    elif run is None and label is not None and paths and records is not None:
        version = find_version(space, label)
        dataset = read_files(version, paths, format, csv_null)
        claimed = prove_property(space, version, dataset, data, numbers(records), how=how)
        about = f"records {records} of {version.commitment.label}"
    else:
        raise MalformedError("a property is over NAME@V FILES… --records 0,5,7-20, or of --run RUN")
    told = statement_of(claimed, PropertyStatement)
    say_claim(
        space,
        claimed,
        "property",
        publish=publish,
        as_json=json,
        about=about,
        function=told.function.hex(),
        values=[list(row) for row in told.values],
    )


def evaluation(
    run: RunName,
    paths: Trained,
    records: Numbers = None,
    of: Of = None,
    rows: RowCount = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge how many labels of records a run's final state predicts rightly.

    Without --records these are the records that the run's seed held out. Weights and records stay
    hidden. Of a linear model the sum of squared errors is proved, in the circuit's units.
    """
    from pipelines.flow.proofs.evaluation import prove_evaluation
    from provenance.claim import EvaluationStatement

    space = open_space(quiet=json)
    found, how = registered(space, run), manner(space, srs, workers)
    version = asked_about(space, found, of)
    dataset = read_files(version, paths, format, csv_null)
    chosen = numbers(records) if records is not None else None
    claimed = prove_evaluation(space, found, dataset, chosen, version=version, rows=rows, how=how)
    told = statement_of(claimed, EvaluationStatement)
    say_claim(
        space,
        claimed,
        "evaluation",
        publish=publish,
        as_json=json,
        run=run,
        records=f"{len(told.records.indexes)} of {version.commitment.label}",
        **{_measured(claimed[1][0].circuit): list(told.right)},
        total=sum(told.right),
    )


def _measured(circuit: str) -> str:
    """Return what the numbers of an evaluation count."""
    from provenance.expected.models import ModelShape
    from provenance.sgd.models import LINEAR

    return "squared errors" if ModelShape.parse(circuit).model.kind == LINEAR else "right"


def inference(
    run: RunName,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="With --records: files of the version that it was trained on."),
    ] = None,
    records: Numbers = None,
    of: Of = None,
    inputs: Annotated[
        Path | None,
        typer.Option(help="JSON: rows of integers, one a feature. They are published."),
    ] = None,
    rows: RowCount = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge what a run's final state answers, to records or to open inputs.

    The answers are published, at the model's own scale; weights and records stay hidden, though
    many answers tell much about few weights.
    """
    from pipelines.flow.proofs.inference import prove_inference, prove_open_inference
    from provenance.claim import InferenceStatement

    space = open_space(quiet=json)
    found, how = registered(space, run), manner(space, srs, workers)
    if inputs is not None and records is None and not paths and of is None:
        asked = read_inputs(inputs)
        claimed = prove_open_inference(space, found, asked, rows=rows, how=how)
        about = f"{len(asked)} inputs in the clear"
    elif inputs is None and records is not None and paths:
        version, chosen = asked_about(space, found, of), numbers(records)
        dataset = read_files(version, paths, format, csv_null)
        claimed = prove_inference(
            space, found, dataset, chosen, version=version, rows=rows, how=how
        )
        about = f"records {records} of {version.commitment.label}"
    else:
        raise MalformedError("an inference takes FILES… --records 0,5,7-20, or --inputs FILE")
    told = statement_of(claimed, InferenceStatement)
    say_claim(
        space,
        claimed,
        "inference",
        publish=publish,
        as_json=json,
        run=run,
        about=about,
        outputs=[list(row) for row in told.outputs],
    )


def add_to(group: typer.Typer) -> None:
    """Add the commands of this file to `rootline prove`."""
    group.command("property")(measure)
    group.command()(evaluation)
    group.command()(inference)
