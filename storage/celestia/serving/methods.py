"""Every method of the served ledger: who may call it, what it takes, what answers it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from storage.celestia.serving.node import ServedLedger
from storage.celestia.serving.params import (
    BLOBS,
    COMMITMENT,
    HASH,
    HEADER,
    HEIGHT,
    NAMESPACE,
    NAMESPACES,
    OPTIONS,
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
SUBMIT: Final = "blob.Submit"
WAIT: Final = "header.WaitForHeight"


def _nothing(*_: object) -> None:
    """Answer null: there is nothing to do, or another part does it."""


METHODS: Final[dict[str, Method]] = {
    SUBMIT: Method(Role.WRITE, (BLOBS, OPTIONS), _nothing),
    "blob.Get": Method(Role.READ, _BLOB, ServedLedger.blob),
    "blob.GetAll": Method(Role.READ, (HEIGHT, NAMESPACES), ServedLedger.all_blobs),
    "blob.GetCommitmentProof": Method(Role.READ, _BLOB, ServedLedger.commitment_proof),
    "header.LocalHead": Method(Role.READ, (), ServedLedger.head),
    "header.NetworkHead": Method(Role.READ, (), ServedLedger.head),
    "header.Tail": Method(Role.READ, (), ServedLedger.tail),
    "header.GetByHeight": Method(Role.READ, (HEIGHT,), ServedLedger.header_at),
    "header.GetByHash": Method(Role.READ, (HASH,), ServedLedger.header_named),
    "header.GetRangeByHeight": Method(Role.READ, (HEADER, HEIGHT), ServedLedger.headers_after),
    WAIT: Method(Role.READ, (HEIGHT,), ServedLedger.header_at),
    "header.SyncState": Method(Role.READ, (), ServedLedger.sync_state),
    "header.SyncWait": Method(Role.READ, (), _nothing),
    "share.GetNamespaceData": Method(Role.READ, (HEIGHT, NAMESPACE), ServedLedger.namespace_data),
    "share.SharesAvailable": Method(Role.READ, (HEIGHT,), ServedLedger.available),
    "state.Balance": Method(Role.READ, (), ServedLedger.balance),
    "node.Info": Method(Role.ADMIN, (), ServedLedger.info),
    "node.Ready": Method(Role.READ, (), lambda _: True),
    "node.AuthVerify": Method(Role.ADMIN, (TEXT,), ServedLedger.permissions),
}
STREAMS: Final = frozenset({"blob.Subscribe", "header.Subscribe"})
"""Methods that a node answers over a WebSocket only."""
