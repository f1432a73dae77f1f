"""What commands share that prove in zero knowledge: options, the cost told before, the result."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from pipelines.cli.output import say
from pipelines.cli.reading import Reading
from provenance.errors import MalformedError
from provenance.findings import CLAIMS

if TYPE_CHECKING:
    from circuits.spec import Circuit
    from pipelines.flow.catalogue import Version
    from pipelines.flow.proofs.claiming import Proving
    from pipelines.flow.workspace import Workspace
    from provenance.attestation import Attestation
    from provenance.proof import Proof
    from provenance.training import Run
    from storage.readers.datasets import Dataset

    Claimed = tuple[Attestation, Sequence[Proof]]

T = TypeVar("T")
Srs = Annotated[
    Path | None,
    typer.Option(
        "--srs",
        help="An SRS file of the public ceremony. Without it this home's own is used: INSECURE, "
        "whoever made it can forge proofs, so the claim stays below L4.",
    ),
]
Workers = Annotated[
    str, typer.Option(help="Who proves: threads[:N], as many proofs at once; or ray[:ADDRESS].")
]
Publish = Annotated[bool, typer.Option(help="Post the claim at once.")]
Numbers = Annotated[
    str | None, typer.Option("--records", help="Running numbers from 0, such as 0,5,7-20.")
]
RunName = Annotated[
    str,
    typer.Argument(help="A registered run's name, or its start's first digits.", metavar="RUN"),
]
Trained = Annotated[list[Path], typer.Argument(help="Files of the version it was trained on.")]
Of = Annotated[
    str | None,
    typer.Option(help="Another version with the same features, whose files these are: NAME@V."),
]
RowCount = Annotated[
    int | None, typer.Option("--rows", min=1, help="How many one proof holds; all, up to 60 or 64.")
]
MAX_NUMBERS: Final = 2**14
MAX_INPUTS: Final = 2**24
MEGABYTE: Final = 10**6


def manner(space: "Workspace", srs: Path | None, workers: str) -> "Proving":
    """Return how proofs are to be made, as options say; the cost is told before any begins.

    Raises:
        MalformedError: No such workers.
    """
    from pipelines.flow.crews import Crew
    from pipelines.flow.proofs.claiming import Proving

    space.crew = Crew.of(workers)
    return Proving(srs, partial(tell_cost, space))


def tell_cost(space: "Workspace", circuit: "Circuit", proofs: int) -> None:
    """Write on standard error what keys and proofs will take: estimates, not promises."""
    from circuits.proving.artifacts import FOLDER
    from circuits.proving.costs import expected
    from circuits.proving.machine import cores

    folder, crew = space.home.path / FOLDER, space.crew
    once = expected(circuit, cores(), folder)
    at_once = crew.count or min(proofs, cores())
    each = expected(circuit, max(1, cores() // at_once), folder)
    where = "on the cluster" if crew.kind == "ray" else f"{at_once} at once"
    sys.stderr.write(
        f"{circuit.name}: {each.rows} rows; proofs: {proofs} of about {each.proof_seconds:.0f} s "
        f"and {each.memory_bytes / MEGABYTE:.0f} MB each, {where}; before the first one about "
        f"{once.keys_seconds:.0f} s and {once.keys_bytes / MEGABYTE:.0f} MB for keys, of which "
        f"{once.disk_bytes / MEGABYTE:.0f} MB stay on disk\n"
    )


def read_files(
    version: "Version", paths: Sequence[Path], format_: str | None, csv_null: str | None
) -> "Dataset":
    """Return the records of a registered version's files, read as they were when registered."""
    made = version.commitment
    return Reading(made.schema, format_, csv_null, order=made.order).open(paths)


def registered(space: "Workspace", name: str) -> "Run":
    """Return the registered run of this name; raises as `registered_run` does."""
    from pipelines.flow.proofs.trained import registered_run

    return registered_run(space, name)


def asked_about(space: "Workspace", run: "Run", label: str | None = None) -> "Version":
    """Return the version that --of names, or the one that a run was trained on."""
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proofs.trained import stored_of, trained_on

    return find_version(space, label) if label else trained_on(space, stored_of(space, run))


def read_inputs(path: Path) -> list[list[int]]:
    """Return the rows of integers in a JSON file.

    Raises:
        MalformedError: It holds something else, or too many rows.
    """
    import json

    from storage.atomic import read_bounded

    try:
        rows = json.loads(read_bounded(path, MAX_INPUTS))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{path}: no JSON: {error}") from error
    if (
        not isinstance(rows, list)
        or not 1 <= len(rows) <= MAX_NUMBERS
        or not all(map(_is_row, rows))
    ):
        raise MalformedError(f"{path}: 1 to {MAX_NUMBERS} rows of integers: [[12,-3],[0,7]]")
    return rows


def _is_row(row: object) -> bool:
    return isinstance(row, list) and all(type(value) is int for value in row)


def statement_of(made: "Claimed", kind: type[T]) -> T:
    """Return what a claim states, which is a statement of this kind."""
    commitment = made[0].commitment
    statement = getattr(commitment, "statement", None)
    if not isinstance(statement, kind):
        raise TypeError(commitment)
    return statement


def say_claim(
    space: "Workspace",
    made: "Claimed",
    kind: str,
    *,
    publish: bool,
    as_json: bool,
    **more: object,
) -> None:
    """Post a claim if that is wanted, and write what was proved and what was not.

    Args:
        space: The home.
        made: The claim and its proofs.
        kind: Of the claim, as audits name it.
        publish: Whether to post it now.
        as_json: Whether to write one document.
        more: What the claim says, by name.
    """
    from pipelines.flow.proofs.claiming import proof_path
    from pipelines.flow.publishing import publish as post

    item, proofs = made
    if publish:
        post(space)
    words = CLAIMS[kind]
    document = {
        "claim": item.subject.hex(),
        "proved": words.words,
        **more,
        "circuit": proofs[0].circuit,
        "proofs": [str(proof_path(space, proof.digest.hex())) for proof in proofs],
        "verifying key": proofs[0].verifying_key.hex(),
        "settings": proofs[0].settings.hex(),
        "srs": srs_words(space, proofs[0]),
        "posted": publish,
        "not proved": list(words.not_proved),
    }
    say(document, as_json=as_json)


def srs_words(space: "Workspace", proof: "Proof") -> str:
    """Return the SRS of a proof, and what it is worth."""
    from circuits.proving.artifacts import is_insecure

    if is_insecure(proof.srs, space.home.path):
        return f"{proof.srs.hex()}: made on this machine, INSECURE: below L4"
    return f"{proof.srs.hex()}: of a file of the public ceremony"


def numbers(text: str) -> tuple[int, ...]:
    """Return the running numbers that `0,5,7-20` writes, in that order.

    Raises:
        MalformedError: Something else, a number given twice, or too many.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise MalformedError(f"--records {text!r:.80}: expected numbers such as 0,5,7-20")
        span = range(int(first), int(last or first) + 1)
        if not span or len(span) > MAX_NUMBERS - len(found):
            raise MalformedError(f"--records {part!r:.40}: 1 to {MAX_NUMBERS} numbers, ascending")
        if any(number in found for number in span):
            raise MalformedError(f"--records {part!r:.40}: a number is given twice")
        found.update(dict.fromkeys(span))
    return tuple(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12
