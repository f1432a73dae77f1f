"""Signing keys on the disk: made once, private, never shown."""

import json
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import envelope
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from storage.keys import ISSUER, MONITOR, KeyRing, SigningKey
from storage.sealed import MIN_COST, Sealed

if TYPE_CHECKING:
    from provenance.envelope import Signer

VECTORS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys.json").read_text()
)
SEED: Final = bytes(range(1, 33))
GOOD: Final = "open sesame"
BAD: Final = "open barley"
BROKEN: Final = "open \ud800 sesame"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path, MIN_COST)


@pytest.mark.parametrize("case", VECTORS["rfc8032"], ids=["1", "2", "3"])
def test_signatures_are_those_of_rfc_8032(case: dict[str, str]) -> None:
    key = SigningKey.from_seed(bytes.fromhex(case["seed"]))
    assert key.public_key.hex() == case["public"]
    assert key.sign(bytes.fromhex(case["message"])).hex() == case["signature"]


def test_the_pem_is_that_of_rfc_8410() -> None:
    key = SigningKey.from_pem(VECTORS["pem"]["file"].encode())
    assert key.public_key.hex() == VECTORS["pem"]["public"]
    assert key.pem.decode() == VECTORS["pem"]["file"]


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_a_stored_key_signs_what_verifies(message: bytes) -> None:
    signer: Signer = SigningKey.generate()
    signer.public_key.verify(message, signer.sign(message))
    sealed = envelope.seal("text/plain", message, signer)
    found = envelope.verified_payload(sealed, "text/plain", [signer.public_key])
    assert found == (message, signer.public_key)


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_key_comes_back_as_it_was_stored(ring: KeyRing, passphrase: str | None) -> None:
    made = ring.create(ISSUER, passphrase)
    assert ring.load(ISSUER, passphrase).seed == made.seed
    path = ring.folder / "issuer.1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN" if passphrase is None else b"rootline-sealed")


def test_a_sealed_key_needs_its_passphrase(ring: KeyRing) -> None:
    ring.create(ISSUER, "open sesame")
    with pytest.raises(UnavailableError, match=r"issuer\.1\.key is sealed: give its passphrase"):
        ring.load(ISSUER)
    with pytest.raises(VerificationError, match="wrong passphrase"):
        ring.load(ISSUER, "open barley")


def test_rotation_keeps_the_old_key_and_uses_the_new_one(ring: KeyRing) -> None:
    old = ring.create(ISSUER)
    new = ring.rotate(ISSUER, "p")
    ring.create(MONITOR)
    assert ring.load(ISSUER, "p").seed == new.seed
    assert ring.load(ISSUER, generation=1).seed == old.seed
    listed = [(key.name, key.generation, key.is_sealed) for key in ring.stored()]
    assert listed == [("issuer", 1, False), ("issuer", 2, True), ("monitor", 1, False)]
    assert [key.public_key for key in ring.stored()][:2] == [old.public_key, new.public_key]


def test_the_tenth_generation_follows_the_ninth(ring: KeyRing) -> None:
    ring.add(ISSUER, 9, SigningKey.generate(), None)
    last = ring.rotate(ISSUER)
    assert ring.load(ISSUER).seed == last.seed
    assert ring.stored()[-1].generation == 10


def test_a_key_is_never_overwritten(ring: KeyRing) -> None:
    made = ring.create(ISSUER)
    with pytest.raises(MalformedError, match="never overwritten"):
        ring.create(ISSUER)
    assert ring.load(ISSUER).seed == made.seed


def test_there_must_be_a_key_to_rotate(ring: KeyRing) -> None:
    with pytest.raises(UnavailableError, match="no key 'issuer'"):
        ring.rotate(ISSUER)


@pytest.mark.parametrize("name", ["", "../issuer", "Issuer", "a/b", "x" * 129])
def test_a_key_has_a_plain_name(ring: KeyRing, name: str) -> None:
    with pytest.raises(MalformedError, match="no key's name"):
        ring.create(name)


def test_a_name_with_dots_and_digits_is_told_from_a_generation(ring: KeyRing) -> None:
    other = ring.create("issuer.1")
    mine = ring.create("issuer")
    assert ring.load("issuer.1").seed == other.seed
    assert ring.load("issuer").seed == mine.seed
    assert [(key.name, key.generation) for key in ring.stored()] == [("issuer", 1), ("issuer.1", 1)]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_can_read_is_refused(ring: KeyRing, mode: int) -> None:
    ring.create(ISSUER)
    (ring.folder / "issuer.1.key").chmod(mode)
    for look in (lambda: ring.load(ISSUER), ring.stored):
        with pytest.raises(MalformedError, match="may be read by others: run `chmod 600`"):
            look()


def test_a_missing_key_says_how_to_get_it(ring: KeyRing) -> None:
    ring.create(ISSUER)
    with pytest.raises(UnavailableError, match="rootline keys restore"):
        ring.load(ISSUER, generation=2)


def test_files_of_another_kind_are_not_keys(ring: KeyRing) -> None:
    for name in ("issuer.01.key", "issuer.key", "Issuer.1.key", ".x.tmp"):
        (ring.folder / name).write_text("")
    assert ring.stored() == ()


def put(ring: KeyRing, data: bytes) -> None:
    path = ring.folder / "issuer.1.key"
    path.write_bytes(data)
    path.chmod(0o600)


def x25519_pem() -> bytes:
    return X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_what_is_no_ed25519_key_is_refused(ring: KeyRing) -> None:
    for data in (b"", b"nonsense", x25519_pem(), SigningKey.from_seed(SEED).pem[:60]):
        put(ring, data)
        with pytest.raises(MalformedError, match=r"issuer\.1\.key: "):
            ring.load(ISSUER)
    put(ring, bytes(5000))
    with pytest.raises(MalformedError, match="more than 4096 bytes"):
        ring.load(ISSUER)


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        SigningKey.from_seed(SEED[:31])


def test_a_sealed_key_in_anothers_place_is_refused(ring: KeyRing) -> None:
    ring.create(MONITOR, "p")
    (ring.folder / "monitor.1.key").rename(ring.folder / "issuer.1.key")
    for look in (lambda: ring.load(ISSUER, "p"), ring.stored):
        with pytest.raises(MalformedError, match="it belongs elsewhere"):
            look()


def test_a_sealed_key_under_anothers_public_key_is_refused(ring: KeyRing) -> None:
    public = SigningKey.generate().public_key.hex()
    put(ring, Sealed.seal(SEED, "p", f"signing-key issuer 1 {public}", cost=MIN_COST).encoded)
    with pytest.raises(MalformedError, match="another public key than its own"):
        ring.load(ISSUER, "p")


def failures(ring: KeyRing) -> list[Callable[[], object]]:
    """Return calls that fail while a secret is at hand."""
    key = SigningKey.from_seed(SEED)
    ring.add(ISSUER, 1, key, GOOD)
    ring.add(MONITOR, 1, key, None)
    sealed = ring.folder / "issuer.1.key"
    data = sealed.read_bytes()
    return [
        lambda: ring.load(ISSUER),
        lambda: ring.load(ISSUER, BAD),
        lambda: ring.load(ISSUER, BROKEN),
        lambda: ring.add(MONITOR, 1, key, GOOD),
        lambda: SigningKey.from_seed(SEED + b"x"),
        lambda: SigningKey.from_pem(key.pem.replace(b"E K", b"E L")),
        lambda: Sealed.parse(data[:-1]).open(GOOD),
    ]


def test_no_secret_is_shown_in_a_repr_or_an_error(ring: KeyRing) -> None:
    key = SigningKey.from_seed(SEED)
    shown = [repr(key), str(key), repr(ring), repr(Sealed.parse(sealed_example()))]
    for call in failures(ring):
        with pytest.raises(ProvenanceError) as caught:
            call()
        shown += traceback.format_exception(caught.value)
    body = key.pem.decode().splitlines()[1]
    for secret in (SEED.hex(), repr(SEED)[2:-1], body, GOOD, BAD):
        assert not [text for text in shown if secret in text]


def sealed_example() -> bytes:
    return Sealed.seal(SEED, GOOD, "example", cost=MIN_COST).encoded
