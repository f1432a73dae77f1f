"""`rootline audit` and `policy init`: the auditor's side."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipelines.cli.options import AsJson, Force, Output, pair
from pipelines.cli.output import Exit, open_space, say, write_new
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from pipelines.flow.reading import Place
    from provenance.policy import Requirement, TrustedCircuit

TOKEN: Final = "ROOTLINE_LEDGER_TOKEN"  # noqa: S105  # the variable's name, not a secret
policies = typer.Typer(help="An auditor's policy.", no_args_is_help=True)


def audit(
    policy: Annotated[Path, typer.Option(help="Whom you trust, and what must hold.")],
    file: Annotated[
        Path | None, typer.Argument(help="An evidence bundle; none where a ledger is read.")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(help="A node's address: read the log yourself, so that no monitor is needed."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"The node's token, in a file (0600); {TOKEN} holds it too."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Where the log is posted, in hex; by default the key's own.")
    ] = None,
    first: Annotated[
        int | None, typer.Option(min=1, help="The block to begin at; by default the key's first.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="The block to end at; by default the head.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the verdict as one HTML page.")] = None,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Check a bundle, a ledger or both: each claim, its level, what it rests on and does not prove.

    Without --ledger nothing is asked over a network.
    """
    from pipelines.flow.auditing import audit_file, audit_ledger
    from pipelines.report import as_html
    from pipelines.verdicts import as_json, as_text
    from provenance.findings import Outcome

    place = None if ledger is None else _place(ledger, token_file, namespace, first, last, json)
    if file is not None:
        audited = audit_file(file, policy, place)
        verdict = audited.verdict
        if report is not None:
            write_new(report, as_html(audited).encode(), force=force)
    elif place is None:
        raise MalformedError("nothing to audit: name a bundle, or a ledger with --ledger, or both")
    elif report is not None:
        raise MalformedError("--report makes a page of a bundle: name one, or leave --report out")
    else:
        verdict = audit_ledger(policy, place)
    typer.echo(as_json(verdict) if json else as_text(verdict))
    codes = {Outcome.HOLDS: Exit.DONE, Outcome.FAILS: Exit.FAILS, Outcome.UNKNOWN: Exit.UNKNOWN}
    raise typer.Exit(codes[verdict.outcome])


def _place(
    url: str,
    token_file: Path | None,
    namespace: str | None,
    first: int | None,
    last: int | None,
    quiet: bool,
) -> "Place":
    """Return where and what the auditor reads himself; a token never stands on the command line."""
    from pipelines.flow.reading import Place
    from pipelines.progress import Shown, Silent
    from provenance.field import parse_hex
    from storage.celestia.share import check_namespace
    from storage.ledger_settings import parse_token, read_token

    given = os.environ.get(TOKEN)
    token = read_token(token_file) if token_file else None
    if token_file is not None and token is None:
        raise MalformedError(f"{token_file} is missing: check the name")
    where = None if namespace is None else parse_hex(namespace, 29)
    if where is not None:
        check_namespace(where)
    return Place(
        url,
        token or (parse_token(given.encode(), TOKEN) if given else None),
        where,
        first,
        last,
        tell=(lambda _: None) if quiet else lambda words: typer.echo(words, err=True),
        progress=Silent() if quiet or not sys.stderr.isatty() else Shown(),
    )


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
        "keys good from": ", ".join(
            f"{issuer.key.key_id[:16]}… block {min(span.first for span in issuer.good)}"
            for issuer in made.issuers
        ),
        "compare": COMPARE,
    }
    say(document, as_json=json)


COMPARE = (
    "this file comes from the issuer's own home. Before you trust it, get issuer key, log id, "
    "anchor and the height from which each key is good by another way (a contract, a letter, a "
    "call), and compare: whoever can choose them can make any verdict hold. Below that height "
    "nobody looks for another log or a fork"
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
