"""The module `state` of a node: the account it signs with, and posting in a transaction's words.

Source: celestia-node v0.31.4, nodebuilder/state/state.go; go-square v4, share/blob.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Fields, Json, JsonObject
from provenance.receipt import MAX_HEIGHT
from storage.celestia.client.blob_calls import SUBMISSION_SECONDS
from storage.celestia.client.call import Call
from storage.celestia.client.options import TxOptions
from storage.celestia.client.reading import integer, member, text
from storage.celestia.fields import base
from storage.celestia.share import Blob

_MAX_AMOUNT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Balance:
    """An amount in the smallest unit, such as utia."""

    denomination: str
    amount: int


@dataclass(frozen=True, slots=True)
class TxResponse:
    """What became of a transaction; `code` 0 is success."""

    height: int
    hash: str
    code: int
    log: str
    gas_wanted: int
    gas_used: int


def state_balance() -> Call[Balance]:
    """Ask what the node's own account holds."""
    return Call("state.Balance", (), _read_balance)


def state_submit_pay_for_blob(blobs: Sequence[Blob], options: TxOptions) -> Call[TxResponse]:
    """Ask to put all `blobs` into one block, in one transaction."""
    params = ([_blob_json(blob) for blob in blobs], options.to_json())
    return Call(
        "state.SubmitPayForBlob",
        params,
        _read_response,
        seconds=SUBMISSION_SECONDS,
        writes=True,
    )


def _blob_json(blob: Blob) -> JsonObject:
    members: JsonObject = {
        "namespace_id": base(blob.namespace[1:]),
        "namespace_version": blob.namespace[0],
        "data": base(blob.data),
        "share_version": blob.version,
    }
    return {**members, "signer": base(blob.signer)} if blob.version else members


def _read_balance(answer: Json) -> Balance:
    fields = Fields.of(answer, "balance")
    denomination = text(fields.take("denom"), "denom", 128)
    return Balance(denomination, integer(fields.take("amount"), "amount", 0, _MAX_AMOUNT))


def _read_response(answer: Json) -> TxResponse:
    fields = Fields.of(answer, "transaction")
    return TxResponse(
        height=member(fields, "height", 0, MAX_HEIGHT),
        hash=text(fields.members.get("txhash", ""), "txhash", 64),
        code=member(fields, "code", 0, 2**32 - 1),
        log=text(fields.members.get("raw_log", ""), "raw_log", 2**16),
        gas_wanted=member(fields, "gas_wanted"),
        gas_used=member(fields, "gas_used"),
    )
