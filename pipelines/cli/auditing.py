"""`rootline audit` and `policy init`: the auditor's side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson, Force, Output, pair
from pipelines.cli.output import Exit, open_space, say, write_new
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from provenance.policy import Requirement, TrustedCircuit

policies = typer.Typer(help="An auditor's policy.", no_args_is_help=True)


def audit(
    file: Annotated[Path, typer.Argument(help="An evidence bundle.")],
    policy: Annotated[Path, typer.Option(help="Whom you trust, and what must hold.")],
    report: Annotated[Path | None, typer.Option(help="Write the verdict as one HTML page.")] = None,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Check a bundle offline: every claim, its level, what it rests on, what it does not prove."""
    from pipelines.flow.auditing import audit_file
    from pipelines.report import as_html
    from pipelines.verdicts import as_json, as_text
    from provenance.findings import Outcome

    audited = audit_file(file, policy)
    if report is not None:
        write_new(report, as_html(audited).encode(), force=force)
    typer.echo(as_json(audited.verdict) if json else as_text(audited.verdict))
    codes = {Outcome.HOLDS: Exit.DONE, Outcome.FAILS: Exit.FAILS, Outcome.UNKNOWN: Exit.UNKNOWN}
    raise typer.Exit(codes[audited.verdict.outcome])


@policies.command()
def init(
    output: Output,
    name: Annotated[str, typer.Option(help="What the policy is called in verdicts.")] = "auditor",
    require: Annotated[
        list[str] | None,
        typer.Option(help="What must hold: CLAIM:SUBJECT:LEVEL; SUBJECT may be *."),
    ] = None,
    monitor: Annotated[
        list[str] | None, typer.Option(help="A trusted monitor's public key, in hex.")
    ] = None,
    circuit: Annotated[
        list[str] | None,
        typer.Option(
            help="A circuit that counts: NAME:VK:SRS[:SETTINGS], by SHA-256; `rootline circuits "
            "derive` prints them."
        ),
    ] = None,
    srs: Annotated[
        list[str] | None, typer.Option(help="An accepted SRS, by its cut's SHA-256.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Steps that a run must open.")] = 5,
    trust_operator: Annotated[
        bool, typer.Option(help="Trust a self-hosted ledger's operator for order.")
    ] = False,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write a policy to start from: this home's issuer and log, anchored at the ledger's head."""
    from pipelines.flow.auditing import policy_for
    from provenance.envelope import PublicKey
    from provenance.field import Digest

    space = open_space(quiet=json)
    made = policy_for(
        space,
        name=name,
        require=tuple(_requirement(text) for text in require or DEFAULTS),
        monitors=tuple(PublicKey(Digest.parse(text)) for text in monitor or ()),
        samples=samples,
        circuits=tuple(map(_circuit, circuit or ())),
        srs=tuple(map(Digest.parse, srs or ())),
        trust_operator=trust_operator,
    )
    write_new(output, made.encoded, force=force)
    anchor = made.anchors[0]
    document = {
        "written": str(output),
        "issuer key": made.issuers[0].key.hex(),
        "log": made.logs[0].hex(),
        "anchor": f"{anchor.chain} {anchor.height} {anchor.hash.hex()}",
        "compare": COMPARE,
    }
    say(document, as_json=json)


COMPARE = (
    "this file comes from the issuer's own home. Before you trust it, get issuer key, log id and "
    "anchor by another way (a contract, a letter, a call), and compare: whoever can choose them "
    "can make any verdict hold"
)
DEFAULTS = ("log:*:L1", "dataset:*:L1", "unique:*:L1")


def _requirement(text: str) -> "Requirement":
    from provenance.findings import CLAIMS, Level
    from provenance.policy import Requirement

    claim, rest = pair(text, ":", "CLAIM:SUBJECT:LEVEL")
    subject, _, level = rest.rpartition(":")
    if claim not in CLAIMS or level not in Level.__members__ or not subject:
        raise MalformedError(
            f"{text!r}: expected CLAIM:SUBJECT:LEVEL, CLAIM of {', '.join(CLAIMS)}"
        )
    return Requirement(claim, subject, Level[level])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(audit)
    app.add_typer(policies, name="policy")


def _circuit(text: str) -> "TrustedCircuit":
    from pipelines.flow.auditing import trusted_circuit
    from provenance.field import Digest

    name, *digests = text.split(":")
    if len(digests) not in (2, 3):
        raise MalformedError(f"{text!r}: expected NAME:VK:SRS or NAME:VK:SRS:SETTINGS")
    return trusted_circuit(name, *map(Digest.parse, digests))
