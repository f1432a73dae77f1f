"""Who may do what, how much at once, and what becomes of callers that go away."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from hashlib import sha256
from threading import enumerate as threads
from typing import Any

import pytest

from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.bodies import MOST_BODIES
from storage.celestia.serving.methods import METHODS
from storage.celestia.serving.protocol import MOST_BYTES
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.share import Blob
from tests.storage.celestia.serving.calling import (
    OTHER,
    RECORDED,
    SPACE,
    Caller,
    request,
    spelt,
    text,
    together,
)

ROLES = {"none": Role.PUBLIC, "read": Role.READ, "write": Role.WRITE, "admin": Role.ADMIN}
ONE = Blob(SPACE, b"one")
HEAD = {"height": "1"}
PARAMS: dict[str, list[Any]] = {
    "blob.Submit": [[spelt(ONE)], {}],
    "blob.GetAll": [1, [text(SPACE)]],
    "blob.Included": [1, text(SPACE), [], ""],
    "header.GetByHash": ["00"],
    "header.GetRangeByHeight": [{"header": HEAD}, 2],
    "node.AuthVerify": ["x"],
    "node.Info": [],
    "share.GetRange": [1, 0, 1],
    "share.GetSamples": [1, []],
    "share.GetShare": [1, 0, 0],
    "share.GetRow": [1, 0],
    "share.GetNamespaceData": [1, text(SPACE)],
}


def params(method: str) -> list[Any]:
    if method in PARAMS:
        return PARAMS[method]
    few: dict[int, list[Any]] = {0: [], 1: [1], 3: [1, text(SPACE), ""]}
    return few[len(METHODS[method].params)]


@pytest.mark.parametrize("role", ROLES)
def test_a_method_answers_its_role_and_those_above(ask: Caller, role: str) -> None:
    for name, method in METHODS.items():
        answer = ask.raw(name, *params(name), role=role)
        short, needed = name.partition(".")[2], method.role
        refused = f"missing permission to invoke '{short}' (need '{needed.name.lower()}')"
        said = answer.json().get("error", {}).get("message", "")
        assert (said == refused) == (ROLES[role] < needed)
        assert "missing permission" not in said or said == refused


def test_every_method_has_the_role_that_a_real_node_gives_it() -> None:
    wanted = dict.fromkeys(METHODS, "read")
    wanted |= {"blob.Submit": "write", "node.Info": "admin", "node.AuthVerify": "admin"}
    assert {name: method.role.name.lower() for name, method in METHODS.items()} == wanted
    assert METHODS.keys() >= {each["method"] for each in RECORDED["answers"]}


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer ", "bearer {}", "Basic {}", "{}", "Bearer  {}"]
)
def test_another_token_is_401_without_a_word(ask: Caller, tokens: Tokens, header: str) -> None:
    status, body = asyncio.run(exchange(ask.app, header.format(tokens.admin), [b""]))
    assert (status, body) == (401, b"")


async def exchange(
    app: NodeApp, authorization: str, chunks: list[bytes], *, gone: bool = False
) -> tuple[int, bytes]:
    """The status and body of one raw exchange; without `gone` the caller stays for the answer."""
    left = [*chunks]
    taken: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if left:
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left)}
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        taken.append(message)

    headers = [(b"authorization", authorization.encode())] if authorization else []
    await app({"type": "http", "headers": headers}, receive, send)
    if not taken:
        return 0, b""
    return taken[0]["status"], b"".join(m.get("body", b"") for m in taken[1:])


def test_a_body_is_counted_while_it_is_read(ask: Caller) -> None:
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 2**20
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(ask.app({"type": "http", "headers": []}, receive, send))
    assert read == MOST_BYTES + 2**20
    assert sent[0]["status"] == 500
    assert b"request bigger than maximum 16777216 allowed" in sent[1]["body"]


def test_a_body_of_the_most_bytes_is_read(ask: Caller) -> None:
    body = request("node.Ready").encode()
    answer = ask.post(body + b" " * (MOST_BYTES - len(body)))
    assert answer.json()["result"] is True


def test_too_many_bytes_at_once_are_told_to_come_back(ask: Caller) -> None:
    ask.app.budget.take(MOST_BODIES - 10)
    answer = ask.post(request("node.Ready"))
    assert (answer.status_code, answer.text) == (503, "server busy, try again later\n")
    ask.app.budget.take(10 - MOST_BODIES)
    assert ask("node.Ready") is True


def test_every_byte_is_given_back(ask: Caller) -> None:
    for body in (request("node.Ready"), "{", "", "[]", request("blob.Nope")):
        ask.post(body)
        ask.post(body, "other")
    asyncio.run(exchange(ask.app, "", [b"xx", b"yy"], gone=True))
    ask.app.budget.take(MOST_BODIES)


def test_many_submissions_at_once_each_have_a_block_or_share_their_own(ask: Caller) -> None:
    blobs = [Blob(SPACE, bytes([n % 30]) * 50) for n in range(40)]

    async def run() -> list[int]:
        return await together(
            *(lambda b=b: ask.ask("blob.Submit", [spelt(b)], {}, role="write") for b in blobs)
        )

    heights = asyncio.run(run())
    assert sorted(set(heights)) == list(range(2, 32))
    assert heights[:10] == heights[30:]
    for height, blob in zip(heights, blobs, strict=True):
        (found,) = ask("blob.GetAll", height, [text(SPACE)])
        assert found["data"] == text(blob.data)


def test_the_same_blobs_again_add_nothing_and_a_part_of_them_neither(ask: Caller) -> None:
    pair = (ONE, Blob(OTHER, b"two"))
    assert [ask.submit(*pair), ask.submit(*pair), ask.submit(ONE), ask.submit(pair[1])] == [2] * 4
    assert ask("header.LocalHead")["header"]["height"] == "2"
    assert ask.submit(ONE, Blob(OTHER, b"three")) == 3


def test_a_wrong_commitment_is_replaced_by_the_true_one(ask: Caller) -> None:
    height = ask("blob.Submit", [{**spelt(ONE), "commitment": text(bytes(32))}], {})
    assert ask("blob.Get", height, text(SPACE), spelt(ONE)["commitment"])["data"] == text(b"one")


def test_too_large_a_blob_is_refused_before_any_work(ask: Caller) -> None:
    huge = {**spelt(ONE), "data": text(bytes(7 * 2**20 + 1))}
    said = ask.fails("blob.Submit", [huge], {})
    assert said.startswith("broadcast tx error: code: 21: tx too large")


def test_more_than_a_block_holds_is_refused_before_any_work(ask: Caller) -> None:
    pair = [{**spelt(ONE), "data": text(bytes([n]) * (5 * 2**20))} for n in (1, 2)]
    said = ask.fails("blob.Submit", pair, {})
    assert said.startswith("broadcast tx error: code: 21: tx too large")
    assert ask("header.LocalHead")["header"]["height"] == "1"


@pytest.mark.slow
def test_a_blob_of_7_mib_goes_in_and_comes_out(ask: Caller) -> None:
    data = b"".join(sha256(n.to_bytes(4, "big")).digest() for n in range(7 * 2**15))
    blob = Blob(SPACE, data)
    height = ask.submit(blob, Blob(SPACE, b"small"))
    found = ask("blob.Get", height, text(SPACE), spelt(blob)["commitment"])
    assert found["data"] == text(data)


def test_waiting_with_a_write_token_makes_the_blocks(ask: Caller) -> None:
    header = ask("header.WaitForHeight", 5, role="write")
    assert header["header"]["height"] == "5"
    assert ask("header.LocalHead")["header"]["height"] == "5"


@pytest.fixture
def short(ledger: EmbeddedLedger, tokens: Tokens) -> Iterator[Caller]:
    app = NodeApp(ledger, tokens, pace=0, wait_seconds=0.05)
    yield Caller(app, tokens)
    app.close()


@pytest.mark.parametrize(("role", "height"), [("read", 2), ("write", 18), ("admin", 2**64 - 1)])
def test_waiting_without_the_right_or_far_ahead_makes_none_and_ends(
    short: Caller, role: str, height: int
) -> None:
    assert short.fails("header.WaitForHeight", height, role=role) == "context deadline exceeded"
    assert short("header.LocalHead")["header"]["height"] == "1"
    assert short.app.heights.count == 0


def test_a_waiting_reader_is_told_of_a_block_that_another_writes(
    ask: Caller, ledger: EmbeddedLedger
) -> None:
    async def run() -> list[Any]:
        return await together(
            lambda: ask.ask("header.WaitForHeight", 2, role="read"),
            lambda: asyncio.to_thread(ledger.submit, [ONE]),
        )

    header, height = asyncio.run(run())
    assert (header["header"]["height"], height) == ("2", 2)


def test_a_waiting_caller_that_goes_away_leaves_nothing_behind(ask: Caller, tokens: Tokens) -> None:
    body = request("header.WaitForHeight", 9).encode()
    said = asyncio.run(exchange(ask.app, f"Bearer {tokens.read}", [body], gone=True))
    assert said == (0, b"")
    assert ask.app.heights.count == 0
    assert ask("header.LocalHead")["header"]["height"] == "1"


def test_one_thread_looks_and_only_while_somebody_waits(ask: Caller) -> None:
    ask("header.WaitForHeight", 3)
    for thread in threads():
        if thread.name == "ledger-heights":
            thread.join(5)
    assert [each for each in threads() if each.name == "ledger-heights"] == []


def test_who_waits_is_told_when_the_server_stops(ask: Caller) -> None:
    waiting = ask.app.heights.reach(9, is_made=False)
    ask.app.heights.close()
    assert str(waiting.exception(5)) == "context canceled: the server stops"
    answer = ask.raw("header.WaitForHeight", 9)
    assert (answer.status_code, answer.text) == (503, "server busy, try again later\n")


def test_neither_tokens_nor_data_are_logged(
    ask: Caller,
    tokens: Tokens,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for role in ("none", "read", "write", "admin", "other"):
        ask.raw("blob.Submit", [spelt(Blob(SPACE, b"very secret"))], {}, role=role)
    sys.stdout.flush()
    said = caplog.text + "".join(capsys.readouterr())
    for secret in (tokens.read, tokens.write, tokens.admin, text(b"very secret")):
        assert secret not in said


def test_a_batch_is_answered_in_order_each_on_its_own(ask: Caller) -> None:
    calls = [request("node.Ready"), request("node.Info"), request("blob.Nope"), "7"]
    answer = ask.post(f"[{','.join(calls)}]", "read")
    assert answer.status_code == 200
    told = [each.get("result", each.get("error", {}).get("code")) for each in answer.json()]
    assert told == [True, 1, -32601, -32700]


def test_a_batch_of_too_many_calls_is_refused(ask: Caller) -> None:
    answer = ask.post(f"[{','.join([request('node.Ready')] * 1025)}]")
    assert answer.status_code == 400


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_json_cannot_hold_is_no_request(ask: Caller, number: str) -> None:
    body = f'{{"id":{number},"jsonrpc":"2.0","method":"node.Ready","params":[]}}'
    for answer in (ask.post(body).text, ask.post(f"[{body}]").text):
        assert "Infinity" not in answer
        assert '"code":-32700' in answer


@pytest.mark.parametrize("body", ["[" * 100_000, "9" * 5000, "\x00", '{"id":1,"method":7}', "NaN"])
def test_hostile_bodies_are_parse_errors(ask: Caller, body: str) -> None:
    answer = ask.post(body)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == -32700


def test_a_body_that_never_ends_is_given_up(ledger: EmbeddedLedger, tokens: Tokens) -> None:
    app = NodeApp(ledger, tokens, read_seconds=0.01)

    async def run() -> list[Any]:
        sent: list[Any] = []
        never = asyncio.Event()
        parts = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> dict[str, Any]:
            if not parts:
                await never.wait()
            return parts.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "http", "headers": []}, receive, send)
        return sent

    assert asyncio.run(run())[0]["status"] == 408
    app.budget.take(MOST_BODIES)
    app.close()


def test_a_batch_cannot_ask_for_more_than_the_node_will_hold(
    ask: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.celestia.serving.answering.MOST_ANSWERED", 2000)
    call = request("header.LocalHead")
    told = ask.post(f"[{','.join([call] * 4)}]").json()
    assert ["result" in each for each in told] == [True, False, False, False]
    assert "ask one by one" in told[3]["error"]["message"]


def test_a_namespace_asked_for_twice_is_answered_once(ask: Caller) -> None:
    height = ask.submit(ONE)
    assert len(ask("blob.GetAll", height, [text(SPACE)] * 9)) == 1
