"""Who may call what: each role of a token, with every class of method."""

from typing import Any

import pytest

from storage.celestia.client import calls
from storage.celestia.client.call import Call
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.client.options import TxOptions
from storage.celestia.client.token import Token
from storage.celestia.share import Blob
from tests.devnet.conftest import Devnet
from tests.devnet.stores import Role

pytestmark = pytest.mark.devnet
RANK: list[Role | None] = [None, "public", "read", "write", "admin"]


def methods(namespace: bytes) -> list[tuple[Role, Call[Any]]]:
    """Return calls with the least role that may make them."""
    blob = Blob(namespace, b"who may?")
    return [
        ("read", calls.header_local_head()),
        ("read", calls.header_tail()),
        ("read", calls.header_sync_state()),
        ("read", calls.blob_get_all(1, (namespace,))),
        ("read", calls.share_get_namespace_data(1, namespace)),
        ("read", calls.state_balance()),
        ("read", calls.node_ready()),
        ("write", calls.blob_submit((blob,), TxOptions())),
        ("write", calls.state_submit_pay_for_blob((blob,), TxOptions())),
        ("admin", calls.node_info()),
        ("admin", calls.node_auth_new(("read",))),
        ("admin", calls.node_auth_new_with_expiry(("read",), 60)),
        ("admin", calls.node_log_level_set("header", "INFO")),
    ]


@pytest.mark.parametrize("role", RANK)
def test_a_role_may_call_what_its_rank_allows_and_nothing_else(
    devnet: Devnet, namespace: bytes, role: Role | None
) -> None:
    with devnet.node(role) as node:
        for least, call in methods(namespace):
            if RANK.index(role) >= RANK.index(least):
                node.ask(call)
                continue
            with pytest.raises(NodeError, match="permission") as refused:
                node.ask(call)
            assert (refused.value.kind, refused.value.is_refusal) == ("permission", True)


def test_a_forged_token_is_refused_and_not_shown(devnet: Devnet) -> None:
    body, signature = devnet.bridge.token("admin").rsplit(".", 1)
    forged = f"{body}.{signature[::-1]}"
    with Node(AsyncNode(devnet.bridge.url, forged)) as node, pytest.raises(NodeError) as refused:
        node.ask(calls.header_local_head())
    assert refused.value.kind == "permission"
    assert forged not in str(refused.value)


def test_an_expired_token_is_refused(devnet: Devnet) -> None:
    with devnet.node("admin") as admin:
        expired = admin.ask(calls.node_auth_new_with_expiry(("read",), -1))
    with Node(AsyncNode(devnet.bridge.url, expired)) as node, pytest.raises(NodeError) as refused:
        node.ask(calls.header_local_head())
    assert refused.value.kind == "permission"


def test_a_token_says_what_it_may(devnet: Devnet) -> None:
    with devnet.node("admin") as admin:
        assert admin.ask(calls.node_auth_verify(Token(devnet.bridge.token("write")))) == (
            "public",
            "read",
            "write",
        )
        assert admin.ask(calls.node_info()).type == "Bridge"


def test_without_authentication_no_token_is_needed(devnet: Devnet) -> None:
    with (
        devnet.chain.bridge(1, authentication=False) as bridge,
        Node(AsyncNode(bridge.url)) as node,
    ):
        assert node.ask(calls.node_info()).type == "Bridge"
        assert node.ask(calls.state_balance()).denomination == "utia"
