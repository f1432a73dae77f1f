"""From a node's sentence to what a caller may do; above all, what is no refusal."""

import pytest

from storage.celestia.client.errors import NodeError, told


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("header: given height is from the future: networkHeight: 9, requested: 12", "future"),
        ("header: syncing in progress: localHeadHeight: 3, requestedHeight: 5", "future"),
        ("requested header (5) is below Tail (90)", "pruned"),
        ("timestamp outside sampling window", "pruned"),
        ("height 5: header: not found", "not-found"),
        ("data not found", "not-found"),
        ("missing permission to invoke 'Submit' (need 'write')", "permission"),
        (
            "broadcast tx error: hash AB error: account sequence mismatch, expected 9, got 7",
            "sequence",
        ),
        ("broadcast tx error: hash AB error:  code: 21", "too-large"),
        ("broadcast tx error: hash AB error: insufficient fee code: 13", "gas"),
        ("spendable balance 1utia is smaller than 2utia: insufficient funds", "gas"),
    ],
)
def test_a_refusal_is_known_as_one(text: str, kind: str) -> None:
    error = told(1, text, "m")
    assert (error.kind, error.is_refusal) == (kind, True)


@pytest.mark.parametrize(
    "text",
    [
        "context deadline exceeded",
        "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        "rpc error: code = Unavailable desc = error reading from server: EOF",
        "awaiting header 9 with head 8: context canceled",
        "timed out waiting for tx to be included in a block",
        "eviction poll timeout: transaction AB was evicted ",
        "tx: AB not found in txTracker; likely failed during broadcast",
        "transaction with hash AB12 not found",
        "tx execution failed with code 11: out of gas in location: pay for blob",
        "tx execution failed with code 5: insufficient funds",
        "broadcast tx error: hash AB error: tx already in mempool code: 19",
        "broadcast tx error: insufficient fee code: 13\nrpc error: code = Unavailable desc = x",
        "dial tcp 127.0.0.1:9090: connect: connection refused",
    ],
)
def test_what_a_node_does_not_know_is_no_refusal(text: str) -> None:
    error = told(1, text, "m")
    assert (error.kind, error.is_refusal) == ("lost", False)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("broadcast tx error: hash AB error: mempool is full code: 20", True),
        ("failed to get tx author address: getting account key: nobody.info: key not found", True),
        ("state: no blobs provided", True),
        ("account for signer celestia1xyz not found", True),
        ("something that nobody has seen", False),
        ("", False),
    ],
)
def test_other_texts_are_refusals_only_if_they_come_before_sending(
    text: str,
    refused: bool,  # noqa: FBT001
) -> None:
    assert told(1, text, "m").is_refusal == refused


def test_what_one_mempool_dropped_may_still_land() -> None:
    error = told(1, "tx with hash AB was rejected by the node with execution code: 32", "m")
    assert (error.kind, error.is_refusal) == ("sequence", False)


def test_framework_errors_come_before_anything_is_done() -> None:
    assert told(-32601, "whatever", "m").is_refusal
    assert told(-32000, "whatever", "m").is_refusal
    assert not told(-31999, "whatever", "m").is_refusal


def test_an_error_is_one_of_could_not_find_out() -> None:
    error = NodeError("lost", "words")
    assert str(error) == "words"
    assert not error.is_refusal
