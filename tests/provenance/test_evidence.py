"""A bundle: known paths, a signed list, and nothing that is not in it."""

from contextlib import nullcontext
from typing import Any

import pytest

from provenance import archive, envelope
from provenance.canonical import digest
from provenance.errors import MalformedError, SignatureError, VerificationError
from provenance.evidence import (
    MANIFEST,
    PAYLOAD_TYPE,
    Bundle,
    Manifest,
    read,
    seal,
    verify_manifest,
)
from tests.provenance.documents import ISSUER, STRANGER, vectors, word

VECTORS = vectors("evidence")
KEYS = (ISSUER.public_key,)
MEMBERS = {
    "blocks.json": b"{}",
    "log/0000000000.json": b"first",
    "log/0000000001.json": b"second",
    f"circuits/{word('vk').hex()}.bin": b"\0\1",
}
LOG = word("log")


@pytest.mark.parametrize("case", VECTORS["bundles"], ids=lambda case: case["name"])
def test_bundle_vectors(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["bundle"])
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        bundle = read(data)
        assert {path: body.hex() for path, body in bundle.members.items()} == case["members"]
        manifest = verify_manifest(bundle, KEYS)
        assert manifest.payload.decode() == case["manifest"]
        assert seal(bundle.members, manifest.log, ISSUER) == data


@pytest.mark.parametrize("case", VECTORS["manifests"], ids=lambda case: case["name"])
def test_manifest_vectors(case: dict[str, Any]) -> None:
    payload = case["payload"].encode()
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        assert Manifest.parse(payload).payload == payload


def test_members_come_back_by_folder() -> None:
    bundle = read(seal(MEMBERS, LOG, ISSUER))
    assert bundle.members == MEMBERS
    assert bundle.under("log") == {"0000000000": b"first", "0000000001": b"second"}
    assert bundle.under("circuits") == {word("vk").hex(): b"\0\1"}
    assert bundle.under("steps") == {}
    manifest = verify_manifest(bundle, KEYS)
    assert (manifest.issuer, manifest.log) == (ISSUER.public_key.key_id, LOG)


def test_an_empty_bundle_is_one_too() -> None:
    assert verify_manifest(read(seal({}, LOG, ISSUER)), KEYS).members == {}


@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "other.json",
        "../blocks.json",
        "/blocks.json",
        "log/../blocks.json",
        "C:\\blocks.json",
        "log/1.json",
        "log/0000000000.bin",
        "entries/0000000000.json",
        f"circuits/{'0' * 63}.bin",
        f"circuits/{'A' * 64}.bin",
        f"functions/{'0' * 64}.json",
        f"functions/{'0' * 63}.onnx",
        f"claims/{'0' * 64}.onnx",
        f"values/{'0' * 64}.bin",
        "blocks.json\n",
    ],
)
def test_a_path_that_no_bundle_has_is_refused(path: str) -> None:
    with pytest.raises(MalformedError, match="which no bundle has"):
        seal({path: b""}, LOG, ISSUER)
    if path != MANIFEST:
        with pytest.raises(MalformedError, match="which no bundle has"):
            read(archive.write({MANIFEST: b"", path: b""}))


def test_a_bundle_without_a_manifest_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"no manifest\.json"):
        read(archive.write(MEMBERS))


def test_a_list_by_somebody_else_is_refused() -> None:
    bundle = read(seal(MEMBERS, LOG, STRANGER))
    with pytest.raises(SignatureError):
        verify_manifest(bundle, KEYS)
    assert verify_manifest(bundle, (STRANGER.public_key,)).members.keys() == MEMBERS.keys()


def test_a_list_in_anothers_name_is_refused() -> None:
    payload = verify_manifest(read(seal(MEMBERS, LOG, ISSUER)), KEYS).payload
    stolen = envelope.seal(PAYLOAD_TYPE, payload, STRANGER).encoded
    with pytest.raises(VerificationError, match="names another issuer"):
        verify_manifest(Bundle(stolen, MEMBERS), (*KEYS, STRANGER.public_key))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blocks.json": None}, "blocks.json is missing"),
        ({"steps/" + word("run").hex() + ".json": b"{}"}, "is not in the signed list"),
        ({"blocks.json": b"[]"}, "is not the one that was signed"),
        ({"blocks.json": b"{} "}, "is not the one that was signed"),
    ],
)
def test_members_that_are_not_as_listed_are_refused(
    change: dict[str, bytes | None], words: str
) -> None:
    honest = read(seal(MEMBERS, LOG, ISSUER))
    changed = {path: body for path, body in (MEMBERS | change).items() if body is not None}
    with pytest.raises(VerificationError, match=words):
        verify_manifest(Bundle(honest.manifest, changed), KEYS)


def test_swapped_members_are_refused() -> None:
    honest = read(seal(MEMBERS, LOG, ISSUER))
    one, other = "log/0000000000.json", "log/0000000001.json"
    swapped = MEMBERS | {one: MEMBERS[other], other: MEMBERS[one]}
    with pytest.raises(VerificationError, match="is not the one that was signed"):
        verify_manifest(Bundle(honest.manifest, swapped), KEYS)


def test_a_size_that_is_not_the_members_is_refused() -> None:
    listed = {path: (len(data) + 1, digest(data)) for path, data in MEMBERS.items()}
    payload = Manifest(ISSUER.public_key.key_id, LOG, listed).payload
    sealed = envelope.seal(PAYLOAD_TYPE, payload, ISSUER).encoded
    with pytest.raises(VerificationError, match="is not the one that was signed"):
        verify_manifest(Bundle(sealed, MEMBERS), KEYS)
