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
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.flow.auditing import Audited
    from pipelines.flow.catalogue import Version
    from pipelines.flow.publishing import Posted
    from pipelines.flow.recording import Run
    from pipelines.flow.registering import IndexRequest
    from pipelines.flow.workspace import Workspace
    from provenance.attestation import Attestation
    from provenance.features import FeatureSpec
    from provenance.proof import Proof
    from provenance.schema import Schema
    from storage.datasets import Dataset

__all__ = ["Run", "audit", "open_space", "prove", "publish", "register", "verify"]


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
    from storage.datasets import Dataset, from_stream, open_dataset

    if isinstance(source, str | Path):
        dataset = open_dataset(Path(source), schema=schema)
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
    from pipelines.flow.proving import prove_membership

    found = space or open_space()
    return prove_membership(found, find_version(found, version), record)


def verify(
    document: Path | str, *, about: Path | str, key: bytes, claim: Path | str | None = None
) -> dict[str, object]:
    """Return what one proof shows about the signed commitment `about`, and what it does not.

    Raises:
        MalformedError: A file is not what it must be.
        VerificationError: The proof does not fit the commitment, or another key signed it.
    """
    from pipelines.flow.checking import check_document
    from provenance.envelope import PublicKey

    named = Path(claim) if claim is not None else None
    return check_document(Path(document), Path(about), PublicKey(key), named)


def audit(bundle: Path | str, policy: Path | str) -> Audited:
    """Return the verdict on a bundle file under a policy file; needs no home."""
    from pipelines.flow.auditing import audit_file

    return audit_file(Path(bundle), Path(policy))


def __getattr__(name: str) -> object:
    """Load `Run` when it is first used."""
    if name == "Run":
        from pipelines.flow.recording import Run

        return Run
    raise AttributeError(f"module 'rootline' has no attribute {name!r}")
