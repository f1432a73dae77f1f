"""Address, token and options: what is refused before anything is sent."""

import math
import traceback
from typing import Any

import pytest

from provenance.errors import MalformedError
from storage.celestia.client.address import Address
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.options import TxOptions
from storage.celestia.client.token import Token

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJyZWFkIl19.c2lnbmF0dXJl"  # noqa: S105


@pytest.mark.parametrize(
    ("text", "origin", "private"),
    [
        ("http://localhost:26658", "http://localhost:26658", True),
        ("http://127.0.0.1:26658/", "http://127.0.0.1:26658", True),
        ("http://127.9.9.9", "http://127.9.9.9", True),
        ("http://[::1]:26658", "http://[::1]:26658", True),
        ("https://node.example/path-that-is-a-secret/", "https://node.example", True),
        ("http://node.example", "http://node.example", False),
        ("http://10.0.0.1:26658", "http://10.0.0.1:26658", False),
        ("http://0.0.0.0:26658", "http://0.0.0.0:26658", False),
        ("http://localhost.example", "http://localhost.example", False),
        ("http://127.0.0.1.example", "http://127.0.0.1.example", False),
    ],
)
def test_an_address_says_whether_a_token_may_go_there(
    text: str,
    origin: str,
    private: bool,  # noqa: FBT001
) -> None:
    address = Address.parse(text)
    assert (address.origin, address.is_private) == (origin, private)
    assert "secret" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:26658",
        "ftp://localhost",
        "ws://localhost:26658",
        "http://",
        "http://user:word@localhost",
        "http://localhost?token=word",
        "http://localhost#word",
        "http://localhost:99999999",
        "http://localhost:0",
        "http://xn--:1",
        "http://xn--word-:1",
        "http://local host",
        "http://localhost\n.example",
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Address.parse(text)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX-Other: 1", "a\n", "é", "a" * 8193, '"a"'])
def test_what_could_end_a_header_line_is_no_token(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        Token(text)
    assert text.strip() == "" or text not in str(caught.value)


def test_a_token_shows_nowhere() -> None:
    token = Token(SECRET)
    node = AsyncNode("http://localhost", token)
    assert SECRET not in f"{token} {token!r} {node!r} {vars(node)}"


def test_a_token_goes_to_another_machine_only_encrypted_or_if_allowed() -> None:
    with pytest.raises(MalformedError, match="unencrypted") as caught:
        AsyncNode("http://node.example", SECRET)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    AsyncNode("https://node.example", SECRET)
    AsyncNode("http://node.example", SECRET, plain=True)
    AsyncNode("http://node.example")


def test_a_file_without_authorities_is_refused(tmp_path: Any) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(MalformedError, match="authorities"):
            AsyncNode("https://node.example", authorities=tmp_path / name)


@pytest.mark.parametrize(
    "members",
    [
        {"gas_price": 0},
        {"gas_price": -0.1},
        {"gas_price": math.nan},
        {"gas_price": math.inf},
        {"max_gas_price": 0},
        {"max_gas_price": 1e9},
        {"priority": 0},
        {"priority": 4},
        {"gas": 0},
        {"gas": 2**53},
        {"key_name": ""},
        {"key_name": "a\nb"},
        {"signer_address": "x" * 129},
        {"fee_granter": ""},
    ],
)
def test_options_that_no_node_could_take_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        TxOptions(**members)


def test_options_are_written_only_where_they_say_something() -> None:
    assert TxOptions().to_json() == {}
    every = TxOptions(0.01, 1.0, 3, "key", "celestia1a", "celestia1b", 80_000)
    assert every.to_json() == {
        "gas_price": 0.01,
        "is_gas_price_set": True,
        "max_gas_price": 1.0,
        "gas": 80_000,
        "tx_priority": 3,
        "key_name": "key",
        "signer_address": "celestia1a",
        "fee_granter_address": "celestia1b",
    }
