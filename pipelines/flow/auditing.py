"""Policies, and a bundle's verdict: the auditor's side, which needs no home."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import trusted_keys
from pipelines.flow.publishing import log_id, outbox
from pipelines.flow.workspace import Workspace
from provenance.anchor import Anchor
from provenance.archive import MAX_ARCHIVE
from provenance.audit import Verifiers, audit
from provenance.canonical import digest
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.findings import Verdict
from provenance.log import verify_header
from provenance.policy import Issuer, Policy, Requirement, Span, TrustedCircuit
from provenance.proof import ProofVerifier
from storage.atomic import read_bounded
from storage.celestia.verifier import CelestiaVerifier

WEEK: Final = 7 * 86400
MAX_POLICY: Final = 2**22
OWN: Final = "issuer of this home"


def verifiers() -> Verifiers:
    """Return the verifiers that this installation has."""
    from circuits.proving.prover import EzklVerifier

    celestia = CelestiaVerifier()
    provers: Mapping[str, ProofVerifier] = {"ezkl": EzklVerifier(Path(tempfile.gettempdir()))}
    return Verifiers({"embedded": celestia, "memory": celestia, "celestia": celestia}, provers)


@dataclass(frozen=True, slots=True)
class Audited:
    """A verdict, and what exactly it was made of; `at` is nanoseconds since 1970, UTC."""

    verdict: Verdict
    bundle: Digest
    policy: Digest
    at: int


def audit_file(bundle: Path, policy: Path) -> Audited:
    """Return the verdict on a bundle file under a policy file.

    Raises:
        MalformedError: One of them is missing, unreadable, or not what it claims to be.
    """
    rules, data = read_bounded(policy, MAX_POLICY), read_bounded(bundle, MAX_ARCHIVE)
    now = time.time_ns()
    try:
        trusted = Policy.parse(rules)
    except MalformedError as error:
        raise MalformedError(f"{policy}: {error}") from error
    verdict = audit(data, trusted, verifiers(), now)
    return Audited(verdict, digest(data), digest(rules), now)


def policy_for(
    space: Workspace,
    *,
    name: str,
    require: tuple[Requirement, ...],
    monitors: tuple[PublicKey, ...] = (),
    samples: int = 5,
    circuits: tuple[TrustedCircuit, ...] = (),
    srs: tuple[Digest, ...] = (),
    trust_operator: bool = False,
) -> Policy:
    """Return a policy to start from: this home's issuer and log, anchored at the ledger's head.

    An auditor takes key, log id and anchor from the issuer by a way that he trusts, and compares.
    """
    ledger = space.ledger
    head = ledger.head()
    block = space.verifier.signed_block(ledger.header(head))
    return Policy(
        name=name,
        issuers=_issuers(space),
        logs=(log_id(space),),
        anchors=(Anchor(ledger.kind, ledger.chain, head, block.hash),),
        trusting_seconds=WEEK,
        operators=(ledger.chain,) if trust_operator else (),
        monitors=monitors,
        require=require,
        licences=None,
        models=None,
        samples=samples,
        srs=srs,
        circuits=circuits,
    )


def _issuers(space: Workspace) -> tuple[Issuer, ...]:
    """Return the issuer under each of his keys: an old one is good as far as it was used."""
    chain, newest = space.ledger.chain, space.issuer.public_key
    last: dict[PublicKey, int] = {}
    for entry in outbox(space).batches(log_id(space)):
        sealed = verify_header(entry.header, trusted_keys(space))
        if entry.height is not None:
            last[sealed.key] = max(entry.height, last.get(sealed.key, 0))
    last.pop(newest, None)
    old = [Issuer(key, OWN, (Span(chain, 1, height),)) for key, height in last.items()]
    return (Issuer(newest, OWN, (Span(chain, 1, None),)), *old)


def trusted_circuit(
    name: str, verifying_key: Digest, srs: Digest, settings: Digest | None = None
) -> TrustedCircuit:
    """Return a policy's entry for a circuit; settings and size are the pinned ones.

    Args:
        name: Of the circuit.
        verifying_key: SHA-256 of the key that the auditor derived.
        srs: SHA-256 of the cut of the SRS that he derived it under.
        settings: SHA-256 of the settings, where the source pins none.

    Raises:
        MalformedError: The source pins no settings, or others.
    """
    from circuits.pinned import PINNED

    pinned = PINNED.get(name)
    if pinned is None:
        if settings is None:
            raise MalformedError(f"{name}: its settings are not pinned; name their SHA-256 too")
        return TrustedCircuit(name, settings, verifying_key, srs, None)
    if settings not in (None, pinned.settings):
        raise MalformedError(f"{name}: its settings are pinned as {pinned.settings.hex()}")
    return TrustedCircuit(name, pinned.settings, verifying_key, srs, pinned.proof_bytes)
