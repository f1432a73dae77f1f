"""The log of a real chain audited: offline from a bundle, and by an auditor who asks the node."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipelines.flow.auditing import audit_file, audit_ledger, policy_for
from pipelines.flow.exporting import Bundle
from pipelines.flow.monitoring import sign_checkpoint
from pipelines.flow.publishing import publish, receipt_of
from pipelines.flow.reading import Place
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.findings import Level, Outcome, Verdict
from provenance.policy import Policy, Requirement
from tests.devnet.building import Binaries
from tests.devnet.homes import new_home, opened
from tests.devnet.nodes import Bridge, Chain, Shape
from tests.pipelines.flow.conftest import table

pytestmark = pytest.mark.devnet
WANTED = (Requirement("dataset", "rows@v1", Level.L1),)


@dataclass(frozen=True, slots=True)
class Audit:
    """A home with one dataset on the chain, its bundle, and the auditor's policy."""

    home: Path
    bridge: Bridge
    bundle: Path
    policy: Path


@contextmanager
def audited(folder: Path, binaries: Binaries, shape: Shape) -> Iterator[Audit]:
    with (
        Chain(folder / "net", binaries, shape) as chain,
        chain.bridge() as bridge,
        new_home(folder / "home", bridge) as space,
    ):
        register(space, table(20), Request("rows", "v1"))
        publish(space)
        made = Audit(folder / "home", bridge, folder / "a.evidence", folder / "policy.json")
        _export(space, made)
        yield made


def _export(space: Workspace, made: Audit) -> None:
    keys, namespace = [space.issuer.public_key], space.genesis.namespace
    _, checkpoint = sign_checkpoint(space.ledger, space.verifier, namespace, keys, space.monitor)
    policy = policy_for(space, name="auditor", require=WANTED, monitors=(space.monitor.public_key,))
    made.policy.write_bytes(policy.encoded)
    bundle = Bundle(space)
    bundle.add_log([checkpoint])
    bundle.add_blocks()
    made.bundle.write_bytes(bundle.seal())


@pytest.fixture(scope="module")
def alone(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audit]:
    with audited(tmp_path_factory.mktemp("alone"), binaries, Shape()) as made:
        yield made


def rests_of(verdict: Verdict) -> tuple[str, ...]:
    """Return what it rests on that the dataset was published when it was."""
    [found] = [f for f in verdict.findings if (f.claim, f.subject) == ("dataset", "rows@v1")]
    return found.rests_on


def test_one_validator_is_an_operator_and_the_verdict_says_so(alone: Audit) -> None:
    verdict = audit_file(alone.bundle, alone.policy).verdict
    assert verdict.outcome is Outcome.HOLDS, verdict
    rests = rests_of(verdict)
    assert "whoever holds most of the voting power of self-hosted chain private" in rests
    assert any(each.startswith("anchor ") for each in rests)


def test_four_validators_are_not_one_operator(binaries: Binaries, tmp_path: Path) -> None:
    shape = Shape(powers=(4, 3, 2, 1), absent=3, late=4)
    with audited(tmp_path, binaries, shape) as made:
        verdict = audit_file(made.bundle, made.policy).verdict
        assert verdict.outcome is Outcome.HOLDS, verdict
        rests = " ".join(rests_of(verdict))
        assert "less than a third of the voting power of private" in rests
        assert "4 validators" in rests
        assert "self-hosted" not in rests
        place = Place(made.bridge.url, made.bridge.token("read"))
        assert audit_file(made.bundle, made.policy, place).verdict.outcome is Outcome.HOLDS


def test_an_auditor_reads_the_log_himself(alone: Audit) -> None:
    place = Place(alone.bridge.url, alone.bridge.token("read"))
    verdict = audit_ledger(alone.policy, place)
    assert "fails" not in {finding.outcome for finding in verdict.findings}, verdict
    alone.bridge.kill()
    try:
        with pytest.raises(UnavailableError):
            audit_ledger(alone.policy, place)
    finally:
        alone.bridge.restart()


def test_a_chain_of_the_same_name_is_another_chain(
    alone: Audit, binaries: Binaries, tmp_path: Path
) -> None:
    """Same id, other validators, other history: what an operator who starts anew would show."""
    shutil.copytree(alone.home, tmp_path / "home")
    settings = tmp_path / "home" / "ledger.json"
    with Chain(tmp_path / "net", binaries, Shape()) as chain, chain.bridge() as bridge:
        chain.wait_for(30)
        settings.write_text(settings.read_text().replace(alone.bridge.url, bridge.url))
        (tmp_path / "home" / "keys" / "ledger.token").write_text(bridge.token("write") + "\n")
        with opened(tmp_path / "home") as space:
            assert space.ledger.chain == "private"
            with pytest.raises(VerificationError):
                space.ledger.head()
            posted = receipt_of(space, 1)  # its header was verified before, and is kept
            with pytest.raises((VerificationError, MalformedError)):
                space.ledger.blobs(posted.height, posted.namespace)
        place = Place(bridge.url, bridge.token("read"))
        with pytest.raises((VerificationError, UnavailableError)):
            audit_ledger(alone.policy, place)


def test_another_anchor_is_refused(alone: Audit, tmp_path: Path) -> None:
    policy = Policy.parse(alone.policy.read_bytes())
    [anchor] = policy.anchors
    lied = replace(anchor, hash=type(anchor.hash)(bytes(32)))
    wrong = tmp_path / "policy.json"
    wrong.write_bytes(replace(policy, anchors=(lied,)).encoded)
    verdict = audit_file(alone.bundle, wrong).verdict
    assert verdict.outcome is not Outcome.HOLDS
    assert json.loads(wrong.read_text())["anchors"]
