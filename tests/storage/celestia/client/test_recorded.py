"""Every exchange recorded from a real node: what we would send is what was sent, and is read."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from provenance.errors import MalformedError
from storage.celestia.answers import normalise_header
from storage.celestia.client import calls
from storage.celestia.client.call import Call
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.codec import decode_reply, encode_call
from storage.celestia.client.errors import NodeError
from storage.celestia.client.node_calls import Info
from storage.celestia.client.options import TxOptions
from storage.celestia.client.ranges import read_ranges
from storage.celestia.client.state_calls import Balance
from storage.celestia.client.token import Token
from storage.celestia.erasure import extend
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import verify_namespace
from storage.celestia.share import Blob

OURS = Path(__file__).parents[3] / "vectors/celestia_calls.json"
SHARED = Path(__file__).parents[5] / "shared/vectors/celestia_devnet/exchanges.json"
EXCHANGES: list[dict[str, Any]] = json.loads(OURS.read_text())["exchanges"]
if SHARED.exists():
    EXCHANGES += json.loads(SHARED.read_text())["exchanges"]
NAMES = [f"{i}-{each['method']}-{each['note']}" for i, each in enumerate(EXCHANGES)]
CHANGED = {"wrong commitment"}
"""Recorded with what the client never sends: a commitment that is not the blob's."""
KINDS = {
    "missing permission": "permission",
    "is from the future": "future",
    "not found [celestiaorg": "other",
    "blob: not found": "not-found",
    "header: not found": "not-found",
    "height is equal to 0": "other",
    "insufficient minimum gas price": "gas",
    "exceeds max gas price": "gas",
    "tx execution failed": "lost",
    "out of gas": "gas",
    "method '": "other",
    "unmarshaling params": "other",
    "no blobs provided": "other",
    "MaxRangeRequestSize": "other",
    "all getters failed": "other",
    "start must not be": "other",
    "blob: invalid proof": "other",
    "invalid blob signer": "other",
    "decoding bech32 failed": "other",
    "token format is not valid": "other",
    "unrecognized level": "other",
}


def bytes_of(text: str) -> bytes:
    return base64.b64decode(text)


def blob_of(value: dict[str, Any]) -> Blob:
    signer = bytes_of(value.get("signer", ""))
    return Blob(
        bytes_of(value["namespace"]), bytes_of(value["data"]), value["share_version"], signer
    )


def pay_blob_of(value: dict[str, Any]) -> Blob:
    namespace = bytes([value["namespace_version"]]) + bytes_of(value["namespace_id"])
    return Blob(namespace, bytes_of(value["data"]), value["share_version"])


def options_of(value: dict[str, Any]) -> TxOptions:
    names = {"tx_priority": "priority", "fee_granter_address": "fee_granter"}
    members = {names.get(name, name): each for name, each in value.items()}
    assert members.pop("is_gas_price_set", False) == ("gas_price" in members)
    return TxOptions(**members)


def header_of(value: Any) -> ExtendedHeader:
    return ExtendedHeader.from_json(normalise_header(value))


BUILDERS: dict[str, Callable[..., Call[Any]]] = {
    "blob.Submit": lambda b, o: calls.blob_submit([blob_of(each) for each in b], options_of(o)),
    "blob.Get": lambda h, n, c: calls.blob_get(h, bytes_of(n), bytes_of(c)),
    "blob.GetAll": lambda h, n: calls.blob_get_all(h, [bytes_of(each) for each in n]),
    "blob.GetProof": lambda h, n, c: calls.blob_get_proof(h, bytes_of(n), bytes_of(c)),
    "blob.Included": lambda h, n, p, c: calls.blob_included(
        h, bytes_of(n), read_ranges(p), bytes_of(c)
    ),
    "blob.GetCommitmentProof": lambda h, n, c: calls.blob_get_commitment_proof(
        h, bytes_of(n), bytes_of(c)
    ),
    "header.LocalHead": calls.header_local_head,
    "header.NetworkHead": calls.header_network_head,
    "header.Tail": calls.header_tail,
    "header.GetByHeight": calls.header_get_by_height,
    "header.GetByHash": lambda digest: calls.header_get_by_hash(bytes.fromhex(digest)),
    "header.WaitForHeight": calls.header_wait_for_height,
    "header.GetRangeByHeight": lambda f, to: calls.header_get_range_by_height(header_of(f), to),
    "header.SyncState": calls.header_sync_state,
    "header.SyncWait": calls.header_sync_wait,
    "share.GetNamespaceData": lambda h, n: calls.share_get_namespace_data(h, bytes_of(n)),
    "share.GetRange": calls.share_get_range,
    "share.GetRow": calls.share_get_row,
    "share.GetEDS": calls.share_get_eds,
    "share.GetShare": calls.share_get_share,
    "share.GetSamples": lambda h, p: calls.share_get_samples(h, [(e["row"], e["col"]) for e in p]),
    "share.SharesAvailable": calls.share_available,
    "state.Balance": calls.state_balance,
    "state.SubmitPayForBlob": lambda b, o: calls.state_submit_pay_for_blob(
        [pay_blob_of(each) for each in b], options_of(o)
    ),
    "node.Info": calls.node_info,
    "node.Ready": calls.node_ready,
    "node.AuthVerify": lambda token: calls.node_auth_verify(Token(token)),
    "node.AuthNew": calls.node_auth_new,
    "node.AuthNewWithExpiry": lambda p, ttl: calls.node_auth_new_with_expiry(p, ttl // 10**9),
    "node.LogLevelSet": calls.node_log_level_set,
}
UNBUILT = {
    "unknown method",
    "wrong params",
    "empty data",
    "reserved namespace",
    "subscribe over HTTP",
}
UNBUILT |= {"one header too many"}


def call_of(exchange: dict[str, Any]) -> Call[Any]:
    if exchange["note"] in UNBUILT:
        return Call(exchange["method"], tuple(exchange["params"]), lambda answer: answer)
    return BUILDERS[exchange["method"]](*exchange["params"])


def body_of(exchange: dict[str, Any], number: int) -> bytes:
    body = exchange["body"]
    return b"" if "jsonrpc" not in body else json.dumps({**body, "id": number}).encode()


def replay(exchange: dict[str, Any]) -> Any:
    return call_of(exchange).read(decode_reply(1, exchange["status"], body_of(exchange, 1)))


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_what_is_sent_is_what_a_node_took(exchange: dict[str, Any]) -> None:
    sent = json.loads(encode_call(1, call_of(exchange)))
    if exchange["note"] in CHANGED:
        assert sent["params"] != exchange["params"]
        sent["params"][0][0]["commitment"] = exchange["params"][0][0]["commitment"]
    expected = {"method": exchange["method"], "params": exchange["params"]}
    assert sent == {"jsonrpc": "2.0", "id": 1, **expected}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_what_a_node_answered_is_read(exchange: dict[str, Any]) -> None:
    if "result" in exchange["body"]:
        replay(exchange)
        return
    with pytest.raises(NodeError) as caught:
        replay(exchange)
    if exchange["status"] == 401:
        assert caught.value.kind == "permission"
        return
    text = exchange["body"]["error"]["message"]
    assert caught.value.kind == next(kind for part, kind in KINDS.items() if part in text)
    # Of all that was recorded only one submission failed and was done all the same.
    if call_of(exchange).writes and exchange["method"].startswith("blob."):
        assert caught.value.is_refusal == ("tx execution failed" not in text)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=NAMES)
def test_a_changed_answer_is_refused(exchange: dict[str, Any]) -> None:
    """The same answer under another number, with both or neither of result and error."""
    body = exchange["body"]
    if "jsonrpc" not in body:
        return
    changes: list[dict[str, Any]] = [{"id": 2}, {"id": "1"}, {"id": True}, {"jsonrpc": "1.0"}]
    changes += [{"result": None, "error": {"code": 1, "message": "x"}}, {"extra": 1}]
    for change in changes:
        with pytest.raises(MalformedError):
            decode_reply(1, 200, json.dumps({**body, "id": 1, **change}).encode())


def answers(method: str) -> list[tuple[dict[str, Any], Any]]:
    found = [e for e in EXCHANGES if e["method"] == method and "result" in e["body"]]
    return [(each, replay(each)) for each in found]


def test_headers_verify_and_blobs_are_all_that_their_rows_hold() -> None:
    headers = {h.header.height: h for _, h in answers("header.GetByHeight")}
    for header in headers.values():
        header.verify()
    for exchange, data in answers("share.GetNamespaceData"):
        height, namespace = exchange["params"][0], bytes_of(exchange["params"][1])
        placed = verify_namespace(data, namespace, headers[height].availability)
        found = [
            f for e, f in answers("blob.GetAll") if e["params"] == [height, [exchange["params"][1]]]
        ]
        size = headers[height].availability.size
        for told in found:
            assert [each.blob for each in told] == [each.blob for each in placed]
            assert [i.index // (2 * size) * size + i.index % (2 * size) for i in told] == [
                each.start for each in placed
            ]


def test_a_failed_transaction_left_its_blob() -> None:
    failed = next(e for e in EXCHANGES if e["note"] == "executed without enough gas")
    after = next(e for e in EXCHANGES if e["note"] == "the blob of the failed transaction")
    found = replay(after)
    assert blob_of(failed["params"][0][0]) in [each.blob for each in found]


def test_squares_rows_and_samples_agree() -> None:
    import numpy as np

    for exchange, square in answers("share.GetEDS"):
        shares = np.frombuffer(b"".join(square.shares), dtype=np.uint8)
        whole = shares.reshape(square.size, square.size, 512)
        half = square.size // 2
        assert (extend(whole[:half, :half]) == whole).all()
        for other, row in answers("share.GetRow"):
            if other["params"][0] == exchange["params"][0]:
                assert row.side == "left"
                assert row.shares == square.shares[:half]
        for other, samples in answers("share.GetSamples"):
            if other["params"][0] == exchange["params"][0]:
                places = [e["row"] * square.size + e["col"] for e in other["params"][1]]
                assert [each.share for each in samples] == [square.shares[i] for i in places]
                assert {each.axis for each in samples} == {"row"}


def test_small_answers_are_typed() -> None:
    assert [each for _, each in answers("node.Info")] == [Info("Bridge", "")]
    assert [each for _, each in answers("node.AuthVerify")] == [("public", "read")]
    assert all(isinstance(each, Token) for _, each in answers("node.AuthNew"))
    assert answers("state.Balance")[0][1] == Balance("utia", answers("state.Balance")[0][1].amount)
    response = answers("state.SubmitPayForBlob")[0][1]
    assert response.code == 0
    assert response.height > 1
    state = answers("header.SyncState")[0][1]
    assert state.height >= state.to_height > state.from_height


def test_all_pass_through_one_client() -> None:
    """One node, one connection, all exchanges: the same results and errors as when read alone."""

    def answer(request: httpx.Request) -> httpx.Response:
        exchange, number = EXCHANGES[asked[0]], json.loads(request.content)["id"]
        return httpx.Response(exchange["status"], content=body_of(exchange, number))

    async def ask() -> None:
        async with AsyncNode("http://localhost", transport=httpx.MockTransport(answer)) as node:
            for asked[0], exchange in enumerate(EXCHANGES):
                if "result" in exchange["body"]:
                    assert await node.ask(call_of(exchange)) == replay(exchange)
                else:
                    with pytest.raises(
                        NodeError, match=f"^{exchange['method']} at http://localhost: "
                    ):
                        await node.ask(call_of(exchange))

    asked = [0]
    anyio.run(ask)


def test_the_shared_recording_is_there() -> None:
    if not SHARED.exists():
        pytest.skip("the shared recording of a real node is not on this machine")
    assert len(EXCHANGES) >= 92 + 45
