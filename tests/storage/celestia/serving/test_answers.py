"""What the served ledger answers, against what a real celestia-node was recorded to answer."""

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import VerificationError
from provenance.field import Digest
from storage.celestia.answers import normalise_header, normalise_proof
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import NamespaceData, is_absent, verify_namespace
from storage.celestia.share import Blob, Placed
from tests.storage.celestia.serving.calling import OTHER, RECORDED, SPACE, Caller, spelt, text

ABSENT = bytes(19) + b"rootline02"
ABOVE, BELOW = bytes(19) + b"zzz".ljust(10, b"\0"), bytes(19) + b"aaa".ljust(10, b"\0")
FIRST, SECOND, THIRD = Blob(SPACE, b"a" * 3000), Blob(SPACE, b"b" * 9000), Blob(OTHER, b"c" * 100)
BLOBS = (FIRST, SECOND, THIRD)
SIZES = st.sampled_from([1, 150, 160, 161, 320, 700, 3000])
TRAILING = "trailing"
SAME = [each for each in RECORDED["bodies"] if each["name"] != TRAILING]
COMMON: dict[str, tuple[Any, ...]] = {
    "a missing parameter": ("blob.Get", 2, text(SPACE)),
    "a height that is a string": ("blob.GetAll", "x", [text(SPACE)]),
    "a negative height": ("blob.GetAll", -1, [text(SPACE)]),
    "a height of 65 bits": ("blob.GetAll", 2**64, [text(SPACE)]),
    "a height with a fraction": ("blob.GetAll", 1.5, [text(SPACE)]),
    "namespaces that are no list": ("blob.GetAll", 2, "x"),
    "a short namespace": ("blob.GetAll", 2, ["AA=="]),
    "height 0": ("blob.GetAll", 0, [text(SPACE)]),
    "waiting for height 0": ("header.WaitForHeight", 0),
    "an empty signer": ("blob.Submit", [{**spelt(FIRST), "signer": ""}], {}),
    "blobs that are no list": ("blob.Submit", "x", {}),
    "no blobs": ("blob.Submit", None, {}),
    "a short signer": (
        "blob.Submit", [{**spelt(FIRST), "share_version": 1, "signer": text(b"s" * 19)}], {},
    ),
    "a token that is none": ("node.AuthVerify", "x"),
}  # fmt: skip


def shape(value: Any, where: str = "") -> set[str]:
    """Every member's path and JSON type."""
    if isinstance(value, dict):
        inner = [shape(each, f"{where}.{name}") for name, each in value.items()]
    elif isinstance(value, list):
        inner = [shape(each, f"{where}[]") for each in value]
    else:
        inner = []
    return {f"{where}: {type(value).__name__}"}.union(*inner)


def served(ask: Caller) -> dict[str, set[str]]:
    """What the served ledger answers to calls like those recorded, by method."""
    height = ask.submit(*BLOBS)
    found: dict[str, set[str]] = defaultdict(set)

    def take(method: str, *params: Any) -> Any:
        answer = ask(method, *params)
        found[method] |= shape(answer)
        return answer

    header, low = take("header.GetByHeight", height), take("header.Tail")
    for method in ("header.LocalHead", "header.NetworkHead", "header.SyncState", "header.SyncWait"):
        take(method)
    for method in ("state.Balance", "node.Info", "node.Ready"):
        take(method)
    found["blob.Submit"] |= shape(height)
    take("header.GetByHash", header["commit"]["block_id"]["hash"])
    take("header.GetRangeByHeight", low, height + 1)
    take("header.WaitForHeight", height)
    for blob in BLOBS:
        name = (height, text(blob.namespace), spelt(blob)["commitment"])
        take("blob.Get", *name)
        take("blob.GetCommitmentProof", *name)
        take("blob.Included", *name[:2], take("blob.GetProof", *name), name[2])
    take("blob.GetAll", height, [text(OTHER), text(SPACE)])
    take("blob.GetAll", height, [])
    for namespace in (SPACE, ABSENT, OTHER, ABOVE):
        take("share.GetNamespaceData", height, text(namespace))
    take("share.GetEDS", height)
    take("share.GetRow", height, 1)
    take("share.GetShare", height, 1, 1)
    take("share.GetSamples", height, [{"row": 0, "col": 1}])
    take("share.SharesAvailable", height)
    take("share.GetRange", height, 0, 3)
    take("share.GetRange", height, 9, 12)
    return found


def test_every_answer_has_the_members_and_types_of_a_real_nodes(ask: Caller) -> None:
    real: dict[str, set[str]] = defaultdict(set)
    for each in RECORDED["answers"]:
        if "result" in each["body"]:
            real[each["method"]] |= shape(each["body"]["result"])
    mine = served(ask)
    assert mine.keys() == real.keys()
    for method, found in mine.items():
        assert found == real[method], method


def test_an_error_is_the_one_that_a_real_node_gives(ask: Caller) -> None:
    ask.submit(*BLOBS)
    for name, (method, *params) in COMMON.items():
        answer = ask.raw(method, *params)
        real = {
            (each["status"], each["body"]["error"]["code"], each["body"]["error"]["message"])
            for each in RECORDED["answers"]
            if each["method"] == method and "error" in each["body"]
        }
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["message"][:120]) in real, name


def test_a_raw_body_is_answered_as_by_a_real_node(ask: Caller) -> None:
    for case in SAME:
        answer = ask.post(case["sent"], "read")
        assert answer.status_code == case["status"], case["name"]
        assert parsed(answer.text) == parsed(case["body"]), case["name"]


def parsed(body: str) -> Any:
    return json.loads(body) if body.strip() else None


def test_bytes_after_the_request_are_refused_where_a_real_node_ignores_them(ask: Caller) -> None:
    (case,) = (each for each in RECORDED["bodies"] if each["name"] == TRAILING)
    answer = ask.post(case["sent"], "read")
    assert (case["status"], answer.status_code) == (200, 500)
    assert answer.json()["error"] == {"code": -32700, "message": "Parse error"}


def test_evidence_from_the_answers_passes_the_verifier(ask: Caller) -> None:
    height = ask.submit(*BLOBS)
    header = ExtendedHeader.from_json(normalise_header(ask("header.GetByHeight", height)))
    header.verify()
    for blob in BLOBS:
        name = (height, text(blob.namespace), spelt(blob)["commitment"])
        proof = CommitmentProof.from_json(normalise_proof(ask("blob.GetCommitmentProof", *name)))
        verify_commitment_proof(proof, blob, header.header.data_root)
        found = ask("blob.Get", *name)
        row, column = divmod(found.pop("index"), 2 * header.availability.size)
        assert row * header.availability.size + column == proof.first_share
        assert found == {k: v for k, v in spelt(blob).items() if k != "index"}


def test_a_namespace_is_shown_complete_or_absent(ask: Caller) -> None:
    height = ask.submit(*BLOBS)
    roots = ExtendedHeader.from_json(normalise_header(ask("header.LocalHead"))).availability
    for namespace, there in ((SPACE, (FIRST, SECOND)), (OTHER, (THIRD,)), (ABSENT, ())):
        answer = ask("share.GetNamespaceData", height, text(namespace))
        placed = verify_namespace(NamespaceData.from_json(answer), namespace, roots)
        assert tuple(each.blob for each in placed) == there
        assert all(isinstance(each, Placed) for each in placed)
    assert is_absent(BELOW, roots)
    assert ask("share.GetNamespaceData", height, text(BELOW)) == []


def test_headers_link_and_a_range_ends_where_it_was_asked_to(ask: Caller) -> None:
    for number in range(4):
        ask.submit(Blob(SPACE, bytes([number]) * 9))
    low = ask("header.GetByHeight", 2)
    answers = ask("header.GetRangeByHeight", low, 5)
    headers = [ExtendedHeader.from_json(normalise_header(each)).header for each in answers]
    assert [each.height for each in headers] == [3, 4]
    assert headers[1].previous is not None
    assert headers[1].previous.hash == headers[0].hash
    assert ask.fails("header.GetRangeByHeight", low, 3) == "header/store: invalid range(3,3)"
    assert "MaxRangeRequestSize (64)" in ask.fails("header.GetRangeByHeight", low, 68)
    assert "networkHeight: 5, requestedHeight: 6" in ask.fails("header.GetRangeByHeight", low, 7)


def test_a_blob_of_share_version_1_comes_back_with_its_signer(ask: Caller) -> None:
    signed = Blob(SPACE, b"d" * 700, 1, b"s" * 20)
    height = ask.submit(signed)
    found = ask("blob.Get", height, text(SPACE), spelt(signed)["commitment"])
    assert found == {**spelt(signed), "index": 0}


def test_the_shares_are_those_of_the_extended_square(ask: Caller) -> None:
    height = ask.submit(*BLOBS)
    every, width = ask("share.GetEDS", height)["data_square"], 16
    assert len(every) == width * width
    assert ask("share.GetRow", height, 3)["shares"] == every[3 * width : 3 * width + width // 2]
    assert ask("share.GetShare", height, 15, 15) == every[-1]
    assert ask("share.GetRange", height, 9, 12)["Shares"] == every[width + 1 : width + 4]
    assert "16 >= 16" in ask.fails("share.GetShare", height, 0, 16)
    assert "16 >= 16" in ask.fails("share.GetRow", height, 16)
    assert "mismatching namespaces" in ask.fails("share.GetRange", height, 0, 64)
    assert "in a square of 64" in ask.fails("share.GetRange", height, 0, 65)


def test_included_compares_the_proof_that_it_is_given(ask: Caller) -> None:
    height = ask.submit(*BLOBS)
    name, digest = (height, text(SPACE)), spelt(SECOND)["commitment"]
    proof = ask("blob.GetProof", *name, digest)
    assert ask("blob.Included", *name, proof, digest) is True
    assert ask("blob.Included", *name, proof, spelt(THIRD)["commitment"]) is False
    assert ask.fails("blob.Included", *name, proof[:1], digest) == "blob: invalid proof"
    assert ask.fails("blob.Included", *name, [{"start": "x"}], digest) == "blob: invalid proof"


SPACES = (SPACE, ABSENT, OTHER)
ANY = st.lists(
    st.builds(
        Blob,
        st.sampled_from(SPACES),
        st.builds(lambda seed, size: seed * size, st.binary(min_size=1, max_size=3), SIZES),
    ),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ANY)
def test_whatever_was_submitted_is_proved(ask: Caller, blobs: list[Blob]) -> None:
    height = ask.submit(*blobs)
    header = ExtendedHeader.from_json(normalise_header(ask("header.GetByHeight", height)))
    header.verify()
    others = {each for namespace in SPACES for each in _shown(ask, height, namespace, header)}
    assert others >= set(blobs)
    for blob in blobs:
        name = (height, text(blob.namespace), spelt(blob)["commitment"])
        proof = CommitmentProof.from_json(normalise_proof(ask("blob.GetCommitmentProof", *name)))
        verify_commitment_proof(proof, blob, header.header.data_root)
        with pytest.raises(VerificationError):
            verify_commitment_proof(proof, blob, Digest(bytes(32)))
        assert ask("blob.Included", *name[:2], ask("blob.GetProof", *name), name[2]) is True


def _shown(ask: Caller, height: int, namespace: bytes, header: ExtendedHeader) -> set[Blob]:
    if is_absent(namespace, header.availability):
        return set()
    data = NamespaceData.from_json(ask("share.GetNamespaceData", height, text(namespace)))
    return {each.blob for each in verify_namespace(data, namespace, header.availability)}
