"""Every method of the served ledger: who may call it, what it takes, what answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.celestia.serving import shares
from storage.celestia.serving.node import ServedLedger
from storage.celestia.serving.params import (
    BLOBS,
    COMMITMENT,
    HASH,
    HEADER,
    HEIGHT,
    INDEX,
    NAMESPACE,
    NAMESPACES,
    OPTIONS,
    PLACES,
    PROOF,
    TEXT,
    Param,
)
from storage.celestia.serving.tokens import Role


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the least role that may call it, its parameters, and what answers it."""

    role: Role
    params: Sequence[Param]
    run: Callable[..., Any]


_BLOB: Final = (HEIGHT, NAMESPACE, COMMITMENT)
_PROVED: Final = (HEIGHT, NAMESPACE, PROOF, COMMITMENT)
SUBMIT: Final = "blob.Submit"
WAIT: Final = "header.WaitForHeight"


def _nothing(*_: object) -> None:
    """Answer null: there is nothing to do, or another part does it."""


METHODS: Final[dict[str, Method]] = {
    SUBMIT: Method(Role.WRITE, (BLOBS, OPTIONS), _nothing),
    "blob.Get": Method(Role.READ, _BLOB, ServedLedger.blob),
    "blob.GetAll": Method(Role.READ, (HEIGHT, NAMESPACES), ServedLedger.all_blobs),
    "blob.GetCommitmentProof": Method(Role.READ, _BLOB, ServedLedger.commitment_proof),
    "blob.GetProof": Method(Role.READ, _BLOB, ServedLedger.blob_proof),
    "blob.Included": Method(Role.READ, _PROVED, ServedLedger.is_included),
    "header.GetByHash": Method(Role.READ, (HASH,), ServedLedger.header_named),
    "header.GetByHeight": Method(Role.READ, (HEIGHT,), ServedLedger.header_at),
    "header.GetRangeByHeight": Method(Role.READ, (HEADER, HEIGHT), ServedLedger.headers_after),
    "header.LocalHead": Method(Role.READ, (), ServedLedger.head),
    "header.NetworkHead": Method(Role.READ, (), ServedLedger.head),
    "header.SyncState": Method(Role.READ, (), ServedLedger.sync_state),
    "header.SyncWait": Method(Role.READ, (), _nothing),
    "header.Tail": Method(Role.READ, (), ServedLedger.tail),
    WAIT: Method(Role.READ, (HEIGHT,), ServedLedger.header_at),
    "node.AuthVerify": Method(Role.ADMIN, (TEXT,), ServedLedger.permissions),
    "node.Info": Method(Role.ADMIN, (), ServedLedger.info),
    "node.Ready": Method(Role.READ, (), lambda _: True),
    "share.GetEDS": Method(Role.READ, (HEIGHT,), shares.extended_square),
    "share.GetNamespaceData": Method(Role.READ, (HEIGHT, NAMESPACE), shares.namespace_data),
    "share.GetRange": Method(Role.READ, (HEIGHT, INDEX, INDEX), shares.share_range),
    "share.GetRow": Method(Role.READ, (HEIGHT, INDEX), shares.row),
    "share.GetSamples": Method(Role.READ, (HEIGHT, PLACES), shares.samples),
    "share.GetShare": Method(Role.READ, (HEIGHT, INDEX, INDEX), shares.share),
    "share.SharesAvailable": Method(Role.READ, (HEIGHT,), shares.available),
    "state.Balance": Method(Role.READ, (), ServedLedger.balance),
}
STREAMS: Final = frozenset({"blob.Subscribe", "header.Subscribe"})
"""Methods that a node answers over a WebSocket only."""
