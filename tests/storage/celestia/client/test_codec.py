"""What a hostile or broken node may answer, without any network."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import MalformedError, ProvenanceError
from storage.celestia.client.call import Call
from storage.celestia.client.codec import MAX_REQUEST, MAX_VALUES, decode_reply, encode_call
from storage.celestia.client.errors import NodeError


def reply(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, **members}).encode()


def error(code: int, message: str) -> bytes:
    return reply(error={"code": code, "message": message})


def test_a_result_comes_back_whatever_it_is() -> None:
    values: tuple[Any, ...] = (None, True, 0, "", [], {}, {"deep": [1, "2"]})
    for value in values:
        assert decode_reply(7, 200, reply(result=value)) == value


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'"x"}',
        b"}",
        b"<html>",
        reply(),
        reply(result=1, error={"code": 1, "message": "x"}),
        reply(result=1, error=None),
        reply(result=1, id=8),
        reply(result=1, id="7"),
        reply(result=1, id=7.5),
        reply(result=1, id=None),
        reply(result=1, id=[7]),
        reply(result=1, jsonrpc=2),
        reply(result=1, jsonrpc="2.1"),
        reply(result=1, more=1),
        b'{"jsonrpc":"2.0","id":7,"id":7,"result":1}',
        b'{"jsonrpc":"2.0","id":7,"result":1,"result":2}',
        b'{"jsonrpc":"2.0","id":7,"result":{"height":1,"height":2}}',
        b'{"jsonrpc":"2.0","id":7,"result":NaN}',
        b'{"jsonrpc":"2.0","id":7,"result":-Infinity}',
        b'{"jsonrpc":"2.0","id":7,"result":1e999}',
        b'{"jsonrpc":"2.0","id":7,"result":9007199254740993}',
        b'{"jsonrpc":"2.0","id":7,"result":9007199254740993.0}',
        b'{"jsonrpc":"2.0","id":7,"result":' + b"9" * 5000 + b"}",
        b'{"jsonrpc":"2.0","id":7,"result":' + b"[" * 65 + b"]" * 65 + b"}",
        b'{"jsonrpc":"2.0","id":7,"result":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"jsonrpc":"2.0","id":7,"result":"\\ud800"}',
        b'{"jsonrpc":"2.0","id":7,"result":"\xff"}',
        b'{"jsonrpc":"2.0","id":7,"result":1}{"jsonrpc":"2.0","id":7,"result":1}',
        b'{"jsonrpc":"2.0","id":7,"result":1,}',
        b"\xef\xbb\xbf" + reply(result=1),
        reply(error="text"),
        reply(error=None),
        reply(error={"code": "1", "message": "x"}),
        reply(error={"code": True, "message": "x"}),
        reply(error={"code": 1, "message": None}),
        reply(error={"message": "x"}),
        reply(error={"code": 1, "message": "x"}, id=8),
        reply(error={"code": 1, "message": "x"}, id=0),
        b'{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}',
    ],
)
def test_what_is_no_answer_to_this_request_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_reply(7, 200, body)


@pytest.mark.parametrize("cut", range(1, len(reply(result="}")) - 2))
def test_half_an_answer_is_lost(cut: int) -> None:
    with pytest.raises(NodeError) as caught:
        decode_reply(7, 200, reply(result="x" * 9)[:cut])
    assert caught.value.kind == "lost"
    assert not caught.value.is_refusal


@pytest.mark.parametrize(
    ("status", "body", "kind", "refused"),
    [
        (200, b"", "lost", False),
        (200, b"{", "lost", False),
        (301, b"<html>", "other", True),
        (307, reply(result=1), "other", True),
        (400, b"Bad Request", "other", True),
        (401, b"", "permission", True),
        (401, error(1, "unauthorised"), "permission", True),
        (403, b"no", "permission", True),
        (404, b"", "other", True),
        (405, b"", "other", True),
        (408, b"", "lost", False),
        (413, b"", "too-large", True),
        (429, b"slow down", "busy", True),
        (429, error(1, "slow down"), "busy", True),
        (500, b"", "lost", False),
        (500, reply(result=1), "lost", False),
        (500, reply(result=1)[:-3], "lost", False),
        (502, b"<html>", "lost", False),
        (503, b"", "busy", False),
        (504, b"", "lost", False),
        (500, error(-32601, "method 'x' not found"), "other", True),
        (500, error(-32602, "wrong param count"), "other", True),
        (500, error(-32700, "unmarshaling params"), "other", True),
        (500, reply(error={"code": -32700, "message": "Parse error"}, id=None), "other", True),
        (
            500,
            reply(error={"code": -32700, "message": "request bigger than maximum 1"}, id=None),
            "too-large",
            True,
        ),
        (500, error(0, "fatal error calling 'blob.Submit': panic"), "lost", False),
        (200, error(1, "anything else"), "other", False),
        (200, error(1, "blob: not found"), "not-found", True),
    ],
)
def test_errors_are_told_apart(status: int, body: bytes, kind: str, refused: bool) -> None:  # noqa: FBT001
    with pytest.raises(NodeError) as caught:
        decode_reply(7, status, body)
    assert caught.value.kind == kind
    assert caught.value.is_refusal == refused


def test_too_many_values_are_refused_before_they_are_made() -> None:
    with pytest.raises(MalformedError, match="values"):
        decode_reply(7, 200, reply(result=1)[:-2] + b"[" + b"[]," * (MAX_VALUES // 2) + b"1]}")


def test_words_of_a_node_are_one_short_line_without_secrets() -> None:
    with pytest.raises(NodeError) as caught:
        decode_reply(
            7, 200, error(1, "\x1b[31mtok.en\nsecond\u202e line " + "x" * 9999), ["tok.en"]
        )
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 400
    assert "tok" not in text


@pytest.mark.parametrize("before", range(280, 310))
def test_a_secret_at_the_cut_does_not_show_in_part(before: int) -> None:
    with pytest.raises(NodeError) as caught:
        decode_reply(7, 200, error(1, "x" * before + "SECRETSECRET"), ["SECRETSECRET"])
    assert "SE" not in str(caught.value)


def test_a_request_beyond_what_a_node_reads_is_not_sent() -> None:
    call = Call("blob.Submit", ("x" * MAX_REQUEST,), lambda answer: answer, writes=True)
    with pytest.raises(NodeError) as caught:
        encode_call(1, call)
    assert (caught.value.kind, caught.value.is_refusal) == ("too-large", True)


@given(st.binary(max_size=60), st.sampled_from([200, 400, 401, 500, 503]))
def test_no_answer_breaks_the_reader(body: bytes, status: int) -> None:
    with pytest.raises(ProvenanceError):
        decode_reply(7, status, body)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_changed_answer_gives_what_it_says_or_one_of_our_errors(at: int, new: bytes) -> None:
    body = bytearray(reply(result={"height": 5, "hash": "AB"}))
    body[at % len(body) : at % len(body) + len(new)] = new
    with suppress(ProvenanceError):
        assert decode_reply(7, 200, bytes(body)) == json.loads(bytes(body))["result"]
