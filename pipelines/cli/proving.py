"""`rootline prove …` in zero knowledge: a claim is signed, and proofs of it are kept."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli import measuring
from pipelines.cli.claiming import (
    Publish,
    RunName,
    Srs,
    Trained,
    Workers,
    asked_about,
    manner,
    read_files,
    registered,
    say_claim,
)
from pipelines.cli.options import AsJson, Label
from pipelines.cli.output import open_space
from pipelines.cli.reading import Format, Null, Reading

Number = Annotated[
    int, typer.Option("--record", min=0, help="The record's running number, from 0.")
]


def membership(
    label: Label,
    record: Number,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge that some record stands in a version; which one stays hidden."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proofs.membership import prove_membership

    space = open_space(quiet=json)
    version, how = find_version(space, label), manner(space, srs, workers)
    item, proof = prove_membership(space, version, record, how=how)
    say_claim(space, (item, [proof]), "membership", publish=publish, as_json=json)


def step(
    run: RunName,
    paths: Trained,
    first: Annotated[int, typer.Option(min=0, help="Number of the first step, from 0.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="How many steps.")] = 4,
    unroll: Annotated[int, typer.Option(min=1, help="How many of them one proof holds.")] = 4,
    tolerance: Annotated[
        int | None,
        typer.Option(min=0, help="Units of the last place a state may be off by; as declared."),
    ] = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge that steps of a run follow the rule that it declared.

    Weights and records stay hidden; seen are commitments to states, and at which positions of the
    dataset each batch stands. It needs a version that was registered with --features, and a run
    whose optimiser is a rule. Nothing is said of the steps that are not named.
    """
    from pipelines.flow.proofs.steps import prove_steps

    space = open_space(quiet=json)
    found, how = registered(space, run), manner(space, srs, workers)
    version = asked_about(space, found)
    dataset = read_files(version, paths, format, csv_null)
    claimed = prove_steps(
        space,
        found,
        dataset,
        first=first,
        steps=steps,
        unroll=unroll,
        tolerance=tolerance,
        how=how,
    )
    say_claim(
        space,
        claimed,
        "proved-steps",
        publish=publish,
        as_json=json,
        run=run,
        steps=f"{first} to {first + steps - 1} of {found.transcript.steps}",
    )


def absence(
    label: str,
    values: list[str],
    paths: list[Path],
    index: int,
    how: Reading,
    *,
    srs: Path | None,
    workers: str,
    publish: bool,
    as_json: bool,
) -> None:
    """Prove that values are absent from an index: `prove exclusion --zk`."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proofs.absence import prove_absence

    space = open_space(quiet=as_json)
    proving = manner(space, srs, workers)
    version = find_version(space, label)
    made = version.commitment
    read = replace(how, schema=made.schema, order=made.order)
    dataset = read.open(paths) if paths else None
    claimed = prove_absence(space, version, index, values, dataset=dataset, how=proving)
    say_claim(
        space,
        claimed,
        "absence",
        publish=publish,
        as_json=as_json,
        dataset=made.label,
        index=index,
        values=values,
        level="L0: that the index holds the dataset's records is only declared",
        reveals="the keys of these values, which the claim names; no key that is in the index",
    )


def add_to(group: typer.Typer) -> None:
    """Add the commands of this file to `rootline prove`."""
    for command in (membership, step):
        group.command()(command)
    measuring.add_to(group)
