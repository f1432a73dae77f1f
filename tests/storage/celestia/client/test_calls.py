"""What each call takes for an answer; one change each is refused."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from provenance.canonical import JsonObject
from provenance.errors import MalformedError
from storage.celestia.answers import normalise_header
from storage.celestia.client import calls
from storage.celestia.client.blob_calls import Found
from storage.celestia.client.call import Call
from storage.celestia.client.node_calls import Info
from storage.celestia.client.options import TxOptions
from storage.celestia.client.ranges import read_ranges
from storage.celestia.extended import ExtendedHeader
from storage.celestia.fields import base
from storage.celestia.share import MAX_BLOB_BYTES, Blob, share_commitment

VECTORS = Path(__file__).parents[3] / "vectors/celestia_calls.json"
EXCHANGES = json.loads(VECTORS.read_text())["exchanges"]
SPACE = bytes(19) + b"rootline07"
OTHER = bytes(19) + b"otherspace"


def recorded(method: str) -> Any:
    found = (e for e in EXCHANGES if e["method"] == method and "result" in e["body"])
    return copy.deepcopy(next(found)["body"]["result"])


def edited(value: Any, path: str, new: Any) -> Any:
    *steps, last = [int(step) if step.lstrip("-").isdigit() else step for step in path.split(".")]
    inner = value
    for step in steps:
        inner = inner[step]
    if new is ...:
        del inner[last]
    else:
        inner[last] = new
    return value


def refused(call: Call[Any], answer: Any) -> None:
    with pytest.raises(MalformedError):
        call.read(answer)


BLOB = Blob(SPACE, b"one of two " * 60)
FOUND: JsonObject = recorded("blob.Get")


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("namespace", base(OTHER)),
        ("namespace", base(SPACE[1:])),
        ("namespace", base(bytes(28) + b"\4")),
        ("namespace", ...),
        ("data", base(b"other")),
        ("data", ""),
        ("data", None),
        ("data", "%%%%"),
        ("data", "YQ"),
        ("data", ...),
        ("share_version", 1),
        ("share_version", 2),
        ("share_version", -1),
        ("share_version", True),
        ("commitment", base(bytes(31))),
        ("commitment", ...),
        ("signer", base(bytes(20))),
        ("signer", base(bytes(21))),
        ("index", -2),
        ("index", 2**20),
        ("index", "x"),
        ("index", 1.5),
    ],
)
def test_a_changed_blob_is_not_the_one_asked_for(path: str, new: Any) -> None:
    call = calls.blob_get(1, SPACE, share_commitment(BLOB))
    assert call.read(recorded("blob.Get")).blob == BLOB
    refused(call, edited(recorded("blob.Get"), path, new))


@pytest.mark.parametrize(("path", "new"), [("more", 1), ("signer", ""), ("signer", None)])
def test_a_blob_may_say_more_or_the_same_otherwise(path: str, new: Any) -> None:
    call = calls.blob_get(1, SPACE, share_commitment(BLOB))
    assert call.read(edited(recorded("blob.Get"), path, new)).blob == BLOB


def test_what_the_node_says_of_a_blob_is_kept_as_its_word() -> None:
    call = calls.blob_get_all(1, [SPACE])
    told = edited(recorded("blob.Get"), "commitment", base(bytes(32)))
    (found,) = call.read([edited(told, "index", "-1")])
    assert found == Found(BLOB, bytes(32), -1)  # type: ignore[arg-type]


def test_strangers_blobs_that_no_blob_can_be_stop_nobody() -> None:
    """Whoever posts a huge or a new kind of blob under a namespace must not blind its readers."""
    call = calls.blob_get_all(1, [SPACE])
    sizes = [MAX_BLOB_BYTES + more for more in (1, 2, 3, 4, 2**21)]
    huge = [{**FOUND, "data": base(bytes(size))} for size in sizes]
    system = {**FOUND, "share_version": 2, "signer": base(bytes(20))}
    assert [each.blob for each in call.read([*huge, FOUND, system])] == [BLOB]


@pytest.mark.parametrize("answer", [{}, "x", 1, True, [None], [[]], [{**FOUND, "data": 1}]])
def test_what_is_no_list_of_blobs_is_refused(answer: Any) -> None:
    refused(calls.blob_get_all(1, [SPACE]), answer)


def test_blobs_of_a_namespace_that_was_not_asked_for_are_refused() -> None:
    refused(calls.blob_get_all(1, [OTHER]), [FOUND])
    assert len(calls.blob_get_all(1, [OTHER, SPACE]).read([FOUND])) == 1
    assert calls.blob_get_all(1, [OTHER]).read(None) == ()


def test_only_version_one_has_a_signer() -> None:
    plain, signed = Blob(SPACE, b"a"), Blob(SPACE, b"a", 1, bytes(range(20)))
    sent: Any = calls.blob_submit([plain, signed], TxOptions()).params[0]
    assert "signer" not in sent[0]
    assert sent[1]["signer"] == base(bytes(range(20)))
    assert [each["commitment"] for each in sent] == [
        base(share_commitment(plain)),
        base(share_commitment(signed)),
    ]
    paid: Any = calls.state_submit_pay_for_blob([plain, signed], TxOptions()).params[0]
    assert "signer" not in paid[0]
    assert paid[1]["signer"] == base(bytes(range(20)))
    assert paid[0]["namespace_id"] == base(SPACE[1:])


def header(method: str = "header.GetByHeight") -> tuple[Any, ExtendedHeader]:
    answer = recorded(method)
    return answer, ExtendedHeader.from_json(normalise_header(answer))


def test_a_header_is_the_one_asked_for() -> None:
    answer, known = header()
    height = known.header.height
    for make in (calls.header_get_by_height, calls.header_wait_for_height):
        assert make(height).read(answer) == known
        refused(make(height + 1), answer)
    assert calls.header_get_by_hash(known.header.hash).read(answer) == known
    refused(calls.header_get_by_hash(bytes(32)), answer)
    refused(calls.header_get_by_hash(known.header.hash), edited(answer, "header.app_hash", ""))


def test_a_range_of_headers_is_whole_and_in_order() -> None:
    answer = recorded("header.GetRangeByHeight")
    _, tail = header("header.Tail")
    call = calls.header_get_range_by_height(tail, 4)
    assert [each.header.height for each in call.read(answer)] == [2, 3]
    others: tuple[Any, ...] = (
        [],
        None,
        answer[:1],
        answer[1:],
        answer[::-1],
        [*answer, answer[1]],
        [{}, {}],
    )
    for other in others:
        refused(call, other)


@pytest.mark.parametrize("to", [-1, 0, 1, 2 - 1, 67])
def test_a_range_that_no_node_gives_is_not_asked_for(to: int) -> None:
    _, tail = header("header.Tail")
    with pytest.raises(MalformedError):
        calls.header_get_range_by_height(tail, to)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("0.start", -1),
        ("0.end", 2**20),
        ("0.nodes", [base(bytes(89))]),
        ("0.nodes", [base(bytes(90))] * 21),
        ("0.nodes", ["x"]),
        ("0.nodes", {}),
        ("0.nodes", [base(b"\xff" + bytes(89))]),
        ("0.leaf_hash", base(bytes(89))),
        ("0.is_max_namespace_ignored", "true"),
        ("0.is_max_namespace_ignored", 1),
        ("0", "x"),
    ],
)
def test_a_changed_range_proof_is_refused(path: str, new: Any) -> None:
    answer = recorded("blob.GetProof")
    assert read_ranges(answer)
    refused(calls.blob_get_proof(1, SPACE, bytes(32)), edited(answer, path, new))


def test_a_proof_of_absence_keeps_its_leaf() -> None:
    leaf = base(bytes(90))
    (absent,) = read_ranges([{"start": 2, "end": 3, "leaf_hash": leaf}])
    assert absent.to_json() == {"start": 2, "end": 3, "leaf_hash": leaf}


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("Shares", ["x"]),
        ("Shares", []),
        ("Shares", ...),
        ("Shares.0", base(bytes(511))),
        ("Proof", None),
        ("Proof", ...),
    ],
)
def test_a_changed_range_of_shares_is_refused(path: str, new: Any) -> None:
    call = calls.share_get_range(1, 1, 3)
    assert len(call.read(recorded("share.GetRange")).shares) == 2
    refused(call, edited(recorded("share.GetRange"), path, new))


@pytest.mark.parametrize(
    ("method", "path", "new"),
    [
        ("share.GetRow", "side", "MIDDLE"),
        ("share.GetRow", "side", ...),
        ("share.GetRow", "shares.0", "AA=="),
        ("share.GetEDS", "codec", "RS"),
        ("share.GetEDS", "codec", ...),
        ("share.GetEDS", "data_square.3", ...),
        ("share.GetEDS", "data_square", []),
        ("share.GetEDS", "data_square.0", None),
        ("share.GetSamples", "0.share", ""),
        ("share.GetSamples", "0.proof", None),
        ("share.GetSamples", "0.proof_type", 2),
        ("share.GetSamples", "1", ...),
    ],
)
def test_changed_shares_are_refused(method: str, path: str, new: Any) -> None:
    known: dict[str, Call[Any]] = {
        "share.GetRow": calls.share_get_row(1, 0),
        "share.GetEDS": calls.share_get_eds(1),
        "share.GetSamples": calls.share_get_samples(1, [(0, 0), (3, 1)]),
    }
    call = known[method]
    call.read(recorded(method))
    refused(call, edited(recorded(method), path, new))


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9, 12, 25, 36, 64 * 64 * 2])
def test_shares_that_are_no_square_are_refused(count: int) -> None:
    answer = {"data_square": [base(bytes(512))] * count, "codec": "Leopard"}
    refused(calls.share_get_eds(1), answer)


def test_too_many_samples_are_not_asked_for() -> None:
    with pytest.raises(MalformedError):
        calls.share_get_samples(1, [(0, 0)] * 257)


def test_nothing_is_null() -> None:
    for call in (
        calls.header_sync_wait(),
        calls.share_available(1),
        calls.node_log_level_set("a", "b"),
    ):
        call.read(None)
        refused(call, {})
        refused(call, [])


def test_small_answers_are_strict() -> None:
    assert calls.state_balance().read({"denom": "utia", "amount": 12}).amount == 12
    assert calls.node_info().read({"type": 2, "api_version": "v0.20.0"}) == Info("2", "v0.20.0")
    for call, answers in (
        (calls.node_ready(), ("true", 1, None)),
        (calls.blob_included(1, SPACE, (), bytes(32)), ("true", 1, None)),
        (
            calls.node_info(),
            ({}, {"type": True}, {"type": "x" * 33}, [], {"type": "a", "api_version": 1}),
        ),
        (calls.state_balance(), ({"denom": "utia"}, {"denom": 1, "amount": "1"})),
        (
            calls.state_balance(),
            ({"denom": "utia", "amount": "-1"}, {"denom": "u", "amount": "01"}),
        ),
        (calls.state_balance(), ({"denom": "utia", "amount": str(2**63)},)),
        (calls.node_auth_new(["read"]), ("", "a b", 1, None, "x" * 8193)),
        (calls.node_auth_verify(calls.node_auth_new([]).read("a.b.c")), ("read", [1], ["x"] * 17)),
        (calls.header_sync_state(), ([], {"height": -1}, {"start": 5}, {"error": "x" * 5000})),
        (calls.state_submit_pay_for_blob([BLOB], TxOptions()), ([], {"height": "x"}, {"code": -1})),
    ):
        for answer in answers:
            refused(call, answer)


def test_a_call_shows_no_data() -> None:
    assert "data" not in repr(calls.blob_submit([Blob(SPACE, b"data")], TxOptions()))
