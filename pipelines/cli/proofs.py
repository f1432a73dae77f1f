"""`rootline prove …` and `rootline verify`: single records and indexes, in the clear."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli import proving
from pipelines.cli.claiming import Publish, Srs, Workers
from pipelines.cli.options import AsJson, Force, Label, Output
from pipelines.cli.output import open_space, say, write_new
from pipelines.cli.reading import Format, Null, Reading, Records
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from pipelines.flow.checking import Known

group = typer.Typer(help="Prove something about a registered version.", no_args_is_help=True)

Number = Annotated[
    int, typer.Option("--record", min=0, help="The record's running number, from 0.")
]
Files = Annotated[list[Path], typer.Argument(help="The version's files.")]


@group.command()
def inclusion(
    label: Label,
    paths: Files,
    record: Number,
    output: Output,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Show one record in the clear, and that it stands in a version."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.opening import open_records
    from provenance.audit.datasets import opened_document
    from provenance.canonical import encode

    space = open_space(quiet=json)
    version = find_version(space, label)
    made = version.commitment
    dataset = Reading(made.schema, format, csv_null, records, made.order).open(paths)
    [opening] = open_records(space, version, dataset, [record])
    shown = encode(opened_document(made.digest, opening))
    write_new(output, shown, force=force, mode=0o600)
    document = {
        "written": str(output),
        "dataset": made.label,
        "reveals": "the record, and its salt: who has both knows the record again in any version",
        "check": f"rootline verify {output} --about ENVELOPE --key ISSUER",
    }
    say(document, as_json=json)


@group.command()
def exclusion(
    label: Label,
    value: Annotated[
        list[str], typer.Option(help="The raw value; it is normalised here. With --zk several.")
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="The version's files; needed only if the index file is lost."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; not with --zk.")
    ] = None,
    index: Annotated[int, typer.Option(min=0, help="Which of the version's indexes.")] = 0,
    zk: Annotated[
        bool, typer.Option("--zk", help="In zero knowledge: no other key is revealed.")
    ] = False,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    force: Force = False,
    publish: Publish = True,
    srs: Srs = None,
    workers: Workers = "threads",
    json: AsJson = False,
) -> None:
    """Prove that a value is absent from an index of a version, or that it is present.

    The plain form writes one file, and it reveals a key: the neighbour's, or the value's own. With
    --zk no other key is seen: proofs of absence are made, only of absence, and a claim that names
    the keys of the values is signed; --publish, --srs and --workers are for that form.
    """
    how = Reading(None, format, csv_null, records)
    if not zk:
        _plain_exclusion(label, value, paths or [], output, index, how, force=force, as_json=json)
        return
    if output is not None:
        raise MalformedError("--output is for the plain form: with --zk the home keeps the proofs")
    proving.absence(
        label,
        value,
        paths or [],
        index,
        how,
        srs=srs,
        workers=workers,
        publish=publish,
        as_json=json,
    )


def _plain_exclusion(
    label: str,
    values: list[str],
    paths: list[Path],
    output: Path | None,
    index: int,
    how: Reading,
    *,
    force: bool,
    as_json: bool,
) -> None:
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.opening import prove_in_index
    from provenance.canonical import encode
    from provenance.exclusion_proof import AbsenceProof, PresenceProof

    if output is None or len(values) != 1:
        raise MalformedError("the plain form takes one --value and --output FILE; or give --zk")
    space = open_space(quiet=as_json)
    version = find_version(space, label)
    made, value = version.commitment, values[0]
    read = replace(how, schema=made.schema, order=made.order)
    dataset = read.open(paths) if paths else None
    document = prove_in_index(space, version, dataset, index, value)
    write_new(output, encode(document), force=force, mode=0o600)
    proof = AbsenceProof if document["absent"] else PresenceProof
    shown = {
        "written": str(output),
        "dataset": made.label,
        "value": value,
        "absent": document["absent"],
        "reveals": proof.from_json(document["proof"]).reveals,
        "level": "L0: that the index holds the dataset's records is only declared",
    }
    say(shown, as_json=as_json)


def verify(
    file: Annotated[
        Path, typer.Argument(help="An opening, an index proof, or a zero-knowledge proof.")
    ],
    about: Annotated[
        list[Path] | None, typer.Option(help="Envelope of a commitment or claim it is about.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The issuer's public key, in hex, from elsewhere.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Take commitments from this bundle; needs --policy.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Whose signatures count.")] = None,
    json: AsJson = False,
) -> None:
    """Check one proof alone; without --about or --bundle against what this home has signed."""
    from pipelines.flow.checking import check_document

    known = _known(about or [], key, bundle, policy)
    say({"holds": True, **check_document(file, known)}, as_json=json)


def _known(about: list[Path], key: str | None, bundle: Path | None, policy: Path | None) -> "Known":
    from pipelines.flow.checking import Known
    from provenance.envelope import PublicKey
    from provenance.field import Digest

    if bool(about) != (key is not None) or (bundle is None) != (policy is None):
        raise MalformedError("--about goes with --key, and --bundle with --policy")
    if bundle is not None and policy is not None:
        return Known.of_bundle(bundle, policy)
    if key is not None:
        return Known.of_envelopes(about, PublicKey(Digest.parse(key)))
    return Known.of_home(open_space(quiet=True))


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    proving.add_to(group)
    app.add_typer(group, name="prove")
    app.command()(verify)
