"""Rootline as a library: what users call, each name loaded when it is first used.

    import rootline

    rootline.register("data/", name="cells", version="v1", facts={"licence": "CC-BY-4.0"})
    with rootline.Run("cells-logistic", train="cells@v1", hyperparameters={...}) as run:
        run.step(batch, state)
        run.finish(model, {"accuracy": 0.99})

Everything works on the home folder that is found from the current folder (`rootline init` makes
one), unless a `Workspace` is given as `space`.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.flow.auditing import Audited
    from pipelines.flow.bundling import Wanted
    from pipelines.flow.catalogue import Version
    from pipelines.flow.proofs.absence import prove_absence
    from pipelines.flow.proofs.evaluation import prove_evaluation
    from pipelines.flow.proofs.inference import prove_inference, prove_open_inference
    from pipelines.flow.proofs.properties import prove_property, prove_state_property
    from pipelines.flow.proofs.steps import prove_steps
    from pipelines.flow.proofs.trained import registered_run
    from pipelines.flow.publishing import Posted
    from pipelines.flow.recording import Run as Recording
    from pipelines.flow.working import IndexRequest
    from pipelines.flow.workspace import Workspace
    from provenance.attestation import Attestation
    from provenance.features import FeatureSpec
    from provenance.field import Digest
    from provenance.proof import Proof
    from provenance.schema import Schema
    from storage.home import Home
    from storage.readers.datasets import Dataset, open_dataset

__all__ = [
    "Home",
    "IndexRequest",
    "Run",
    "Schema",
    "Wanted",
    "Workspace",
    "audit",
    "export",
    "open_dataset",
    "open_space",
    "prove",
    "prove_absence",
    "prove_evaluation",
    "prove_inference",
    "prove_open_inference",
    "prove_property",
    "prove_state_property",
    "prove_steps",
    "publish",
    "register",
    "registered_run",
    "verify",
]


def open_space(path: Path | str | None = None) -> Workspace:
    """Return the workspace of the home at `path`, or of the one found from the current folder.

    Raises:
        UnavailableError: There is no home.
    """
    from pipelines.flow.workspace import PASSPHRASE, Workspace
    from pipelines.progress import Silent

    if path is None:
        return Workspace.find(Path.cwd(), os.environ, Silent())
    return Workspace.create(Path(path), os.environ.get(PASSPHRASE))


def register(
    source: Path | str | Dataset | object,
    *,
    name: str,
    version: str,
    schema: Schema | None = None,
    indexes: Sequence[IndexRequest] = (),
    features: FeatureSpec | None = None,
    facts: Mapping[str, str] | None = None,
    space: Workspace | None = None,
) -> Version:
    """Return the committed and signed version of a dataset; `publish` posts it.

    Args:
        source: A file or folder, a `Dataset`, or anything with `__arrow_c_stream__` (pyarrow,
            pandas, polars, Hugging Face datasets).
        name: The dataset's name.
        version: This version's name.
        schema: Logical schema; CSV and JSONL need one.
        indexes: Exclusion indexes to build.
        features: Numeric fields that every leaf commits to.
        facts: Declared facts, such as `licence`; each is worth L0.
        space: Where to work; by default the home found from the current folder.

    Raises:
        MalformedError: A record cannot be committed exactly, or the version is taken by others.
        UnavailableError: There is no home, or a file could not be read.
    """
    from pipelines.flow.registering import Request
    from pipelines.flow.registering import register as commit
    from storage.readers.datasets import Dataset, from_stream, open_dataset

    if isinstance(source, str | Path):
        dataset = open_dataset(source, schema=schema)
    elif isinstance(source, Dataset):
        dataset = source
    else:
        dataset = from_stream(source)  # type: ignore[arg-type]  # it says itself what is missing
    request = Request(name, version, tuple(indexes), features, dict(facts or {}))
    return commit(space or open_space(), dataset, request)


def publish(*, space: Workspace | None = None) -> tuple[Posted, ...]:
    """Post everything that waits, and return what was posted, with verified receipts."""
    from pipelines.flow.publishing import publish as post

    return post(space or open_space())


def prove(
    version: str, record: int, *, space: Workspace | None = None
) -> tuple[Attestation, Proof]:
    """Return a signed claim and a zero-knowledge proof that some record stands in name@version.

    Raises:
        UnavailableError: The prover (extra `zk`) is not installed, or ran out of time or memory.
    """
    from pipelines.flow.catalogue import find_version
    from pipelines.flow.proofs.membership import prove_membership

    found = space or open_space()
    return prove_membership(found, find_version(found, version), record)


def verify(
    document: Path | str,
    *,
    about: Sequence[Path | str] = (),
    key: bytes | None = None,
    bundle: Path | str | None = None,
    policy: Path | str | None = None,
    space: Workspace | None = None,
) -> dict[str, object]:
    """Return what one proof shows about a signed commitment, and what it does not prove.

    Args:
        document: An opened record, an index proof, or a membership proof.
        about: Envelopes of the commitment (and of the claim, for a membership proof), with `key`.
        key: The issuer's public key, 32 bytes, from elsewhere.
        bundle: Take the commitments from this bundle, with `policy`.
        policy: Whose signatures count in the bundle.
        space: Without any of these: the home whose own commitments are believed.

    Raises:
        MalformedError: A file is not what it must be.
        VerificationError: The proof does not fit the commitment, or another key signed it.
        UnavailableError: The commitment is not among those given.
    """
    from pipelines.flow.checking import Known, check_document
    from provenance.envelope import PublicKey
    from provenance.errors import MalformedError

    if (bundle is None) != (policy is None) or bool(about) != (key is not None):
        raise MalformedError("verify: `about` goes with `key`, and `bundle` with `policy`")
    if bundle is not None and policy is not None:
        known = Known.of_bundle(Path(bundle), Path(policy))
    elif key is not None:
        known = Known.of_envelopes(map(Path, about), PublicKey(key))
    else:
        known = Known.of_home(space or open_space())
    return check_document(Path(document), known)


def export(
    output: Path | str, *names: str, space: Workspace | None = None, wanted: Wanted | None = None
) -> int:
    """Write an evidence bundle, and return how many bytes it has.

    Args:
        output: The file.
        names: Versions whose chunk tables go in; every version's, if none is named.
        space: Where to work; by default the home found from the current folder.
        wanted: More than the log, its receipts and proofs: opened records, steps, checkpoints.
    """
    from dataclasses import replace

    from pipelines.flow.bundling import Wanted, bundle
    from storage.atomic import write_atomic

    asked = replace(wanted or Wanted(), names=names) if names else wanted or Wanted()
    data = bundle(space or open_space(), asked).seal()
    write_atomic(Path(output), data)
    return len(data)


def audit(bundle: Path | str, policy: Path | str) -> Audited:
    """Return the verdict on a bundle file under a policy file; needs no home."""
    from pipelines.flow.auditing import audit_file

    return audit_file(Path(bundle), Path(policy))


def Run(  # noqa: N802, PLR0913  # it gives a Run, and reads as one; what a run declares
    name: str,
    *,
    train: str,
    hyperparameters: Mapping[str, object] | None = None,
    sampler: str = "external/1",
    optimiser: str = "external/1",
    initial: str = "external/1",
    base: Digest | None = None,
    dataset: Dataset | None = None,
    space: Workspace | None = None,
) -> Recording:
    """Return a run to record: `with rootline.Run(…) as run:`, `run.step(…)`, `run.finish(…)`.

    The run is announced when the block begins, and registered by `finish`. A script that dies in
    between leaves a run that is reported as unfinished.

    Args:
        name: The run's name.
        train: The dataset version that it trains on, name@version.
        hyperparameters: Declared values; they are published.
        sampler: What chose the batches: a rule that auditors can run again, or `external/1`.
        optimiser: What made a step, likewise. With `external/1` a state is bytes, an array, or a
            mapping or sequence of arrays, and no auditor can run a step again (L1).
        initial: Where the first state came from, likewise.
        base: Digest of the base model's run statement, if there is one.
        dataset: The version's files; with them the transcript holds the feature commitment of
            every record of a batch, too.
        space: Where to work; by default the home found from the current folder.

    Raises:
        UnavailableError: There is no home, or no such version in it.
    """
    from pipelines.flow.recording import Run as Recorded

    return Recorded(
        name,
        train=train,
        hyperparameters=hyperparameters or {},
        space=space,
        sampler=sampler,
        optimiser=optimiser,
        initial=initial,
        base=base,
        dataset=dataset,
    )


_LAZY = {
    "Home": "storage.home",
    "IndexRequest": "pipelines.flow.registering",
    "Schema": "provenance.schema",
    "Wanted": "pipelines.flow.bundling",
    "Workspace": "pipelines.flow.workspace",
    "open_dataset": "storage.readers.datasets",
    "prove_absence": "pipelines.flow.proofs.absence",
    "prove_evaluation": "pipelines.flow.proofs.evaluation",
    "prove_inference": "pipelines.flow.proofs.inference",
    "prove_open_inference": "pipelines.flow.proofs.inference",
    "prove_property": "pipelines.flow.proofs.properties",
    "prove_state_property": "pipelines.flow.proofs.properties",
    "prove_steps": "pipelines.flow.proofs.steps",
    "registered_run": "pipelines.flow.proofs.trained",
}


def __getattr__(name: str) -> object:
    """Load a type, or a function that proves, when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'rootline' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """Return the names that users call."""
    return sorted(__all__)
