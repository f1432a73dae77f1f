"""Policies, and a bundle's verdict: the auditor's side, which needs no home."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import trusted_keys
from pipelines.flow.publishing import log_id, outbox
from pipelines.flow.reading import Place, read_at
from pipelines.flow.workspace import Workspace
from provenance.anchor import Anchor
from provenance.archive import MAX_ARCHIVE
from provenance.audit import Scanned, Verifiers, audit
from provenance.audit.scanned import audit_disputed, audit_scanned
from provenance.canonical import digest
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from provenance.evidence import read
from provenance.field import Digest
from provenance.findings import Verdict
from provenance.log import Genesis, verify_header
from provenance.policy import Issuer, Policy, Requirement, Span, TrustedCircuit
from provenance.proof import ProofVerifier
from storage.atomic import read_bounded
from storage.celestia.header_store import EquivocationError
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
    """A verdict, and what exactly it was made of; `at` is nanoseconds since 1970, UTC.

    `node` is where the auditor read the ledger himself, None where he read only the bundle.
    """

    verdict: Verdict
    bundle: Digest
    policy: Digest
    at: int
    node: str | None = None


def audit_file(bundle: Path, policy: Path, place: Place | None = None) -> Audited:
    """Return the verdict on a bundle file under a policy file.

    Args:
        bundle: The evidence.
        policy: The auditor's own rules.
        place: Where the auditor reads the ledger himself; None leaves that to monitors.

    Raises:
        MalformedError: One of them is missing, unreadable, or not what it claims to be.
        UnavailableError: The ledger cannot be read.
        VerificationError: What the ledger gave is not proved.
    """
    rules, data = read_bounded(policy, MAX_POLICY), read_bounded(bundle, MAX_ARCHIVE)
    now, trusted = time.time_ns(), _parsed(policy, rules)
    try:
        scanned = None if place is None else _scanned(data, trusted, place)
    except EquivocationError as error:
        verdict = audit_disputed(str(error), trusted, now)
    else:
        verdict = audit(data, trusted, verifiers(), now, scanned)
    return Audited(verdict, digest(data), digest(rules), now, _shown(place))


def _shown(place: Place | None) -> str | None:
    """Return what may be shown of a node's address: its path is often a secret."""
    if place is None:
        return None
    from storage.celestia.client.address import Address

    return Address.parse(place.url).origin


def audit_ledger(policy: Path, place: Place) -> Verdict:
    """Return the verdict on what a ledger shows by itself, under a policy file.

    Raises:
        MalformedError, UnavailableError, VerificationError: As for `audit_file`.
    """
    trusted, now = _parsed(policy, read_bounded(policy, MAX_POLICY)), time.time_ns()
    try:
        return audit_scanned(read_at(place, trusted, CelestiaVerifier()), trusted, now)
    except EquivocationError as error:
        return audit_disputed(str(error), trusted, now)


def _scanned(data: bytes, policy: Policy, place: Place) -> Scanned:
    """Return what the auditor reads of the log that a bundle is of."""
    genesis = _genesis(data, policy)
    found = read_at(replace(place, namespace=genesis.namespace), policy, CelestiaVerifier())
    return next(scanned for scanned in found if genesis.key in scanned.keys)


def _genesis(data: bytes, policy: Policy) -> Genesis:
    first = read(data).under("log").get("0" * 10)
    genesis = None if first is None else verify_header(first, policy.keys()).header.genesis
    if genesis is None:
        raise MalformedError("the bundle holds no first header, so it names no log to read")
    return genesis


def _parsed(policy: Path, rules: bytes) -> Policy:
    try:
        return Policy.parse(rules)
    except MalformedError as error:
        raise MalformedError(f"{policy}: {error}") from error


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
    """Return the issuer under each of his keys: an old one is good as far as it was used.

    Keys of one name are one issuer, so the name says whose log it is: a log's id outlives its keys.
    """
    name = f"{OWN}, log {log_id(space).hex()[:16]}"
    chain, first, newest = space.ledger.chain, space.ledger.first, space.issuer.public_key
    last: dict[PublicKey, int] = {}
    for entry in outbox(space).batches(log_id(space)):
        sealed = verify_header(entry.header, trusted_keys(space))
        if entry.height is not None:
            last[sealed.key] = max(entry.height, last.get(sealed.key, 0))
    last.pop(newest, None)
    old = [Issuer(key, name, (Span(chain, first, height),)) for key, height in last.items()]
    return (Issuer(newest, name, (Span(chain, first, None),)), *old)


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
