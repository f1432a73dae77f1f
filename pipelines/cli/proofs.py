"""`rootline prove …` and `rootline verify`: single records, indexes, and zero knowledge."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson, Label, Output
from pipelines.cli.output import open_space, say
from provenance.errors import MalformedError

group = typer.Typer(help="Prove something about a registered version.", no_args_is_help=True)

Number = Annotated[
    int, typer.Option("--record", min=0, help="The record's running number, from 0.")
]
Files = Annotated[Path, typer.Argument(help="The version's files.")]


@group.command()
def inclusion(
    label: Label, path: Files, record: Number, output: Output, json: AsJson = False
) -> None:
    """Show one record in the clear, and that it stands in a version."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.opening import open_records
    from provenance.audit.datasets import opened_document
    from provenance.canonical import encode
    from storage.atomic import write_atomic
    from storage.datasets import open_dataset

    space = open_space(quiet=json)
    version = find_version(space, label)
    dataset = open_dataset(path, schema=version.commitment.schema)
    [opening] = open_records(space, version, dataset, [record])
    write_atomic(output, encode(opened_document(version.commitment.digest, opening)))
    reveals = "the record itself, and its salt: whoever has both knows it again in any version"
    say({"written": str(output), "reveals": reveals}, as_json=json)


@group.command()
def membership(
    label: Label,
    record: Number,
    publish: Annotated[bool, typer.Option(help="Post the claim at once.")] = True,
    json: AsJson = False,
) -> None:
    """Prove in zero knowledge that some record stands in a version; which one stays hidden."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proving import proof_path, prove_membership
    from pipelines.flow.publishing import publish as post

    space = open_space(quiet=json)
    typer.echo("about 5 s for a proof, 15 s more for the circuit's keys the first time", err=True)
    item, proof = prove_membership(space, find_version(space, label), record)
    if publish:
        post(space)
    document = {
        "claim": item.subject.hex(),
        "proof": str(proof_path(space, proof.digest.hex())),
        "circuit": proof.circuit,
        "srs": f"{proof.srs.hex()}: made on this machine, INSECURE, below L4",
        "not proved": "anything about a particular record, until the blinded leaf is opened",
    }
    say(document, as_json=json)


@group.command()
def exclusion(
    label: Label,
    path: Files,
    value: Annotated[str, typer.Option(help="The raw value; it is normalised here.")],
    output: Output,
    index: Annotated[int, typer.Option(min=0, help="Which of the version's indexes.")] = 0,
    json: AsJson = False,
) -> None:
    """Prove that a value is absent from an index of a version, or that it is present."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.opening import prove_in_index
    from provenance.canonical import encode
    from storage.atomic import write_atomic
    from storage.datasets import open_dataset

    space = open_space(quiet=json)
    version = find_version(space, label)
    dataset = open_dataset(path, schema=version.commitment.schema)
    document = prove_in_index(space, version, dataset, index, value)
    write_atomic(output, encode(document))
    shown = {
        "written": str(output),
        "value": value,
        "absent": document["absent"],
        "level": "L0: that the index holds the dataset's records is only declared",
    }
    say(shown, as_json=json)


def verify(
    file: Annotated[Path, typer.Argument(help="An opening, index proof, or membership proof.")],
    about: Annotated[Path, typer.Option(help="The attestation's envelope that it is about.")],
    key: Annotated[str, typer.Option(help="The issuer's public key, in hex, from elsewhere.")],
    claim: Annotated[
        Path | None, typer.Option(help="For a membership proof: its claim's envelope.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Check one proof alone, against a signed commitment; whether that is published is not seen."""
    from pipelines.flow.checking import check_document
    from provenance.envelope import PublicKey
    from provenance.field import parse_hex

    if len(key) != 64:
        raise MalformedError("--key is an ed25519 public key: 64 hex digits")
    trusted = PublicKey(parse_hex(key, 32))
    say(check_document(file, about, trusted, claim), as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="prove")
    app.command()(verify)
