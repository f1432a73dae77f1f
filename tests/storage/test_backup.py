"""All keys in one sealed file, and back."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.leaf import DatasetKey
from storage.backup import KIND, LABEL, LOSS, Backup
from storage.dataset_keys import DatasetKeys
from storage.keys import KeyRing, SigningKey
from storage.sealed import MIN_COST, Sealed

CASE: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys.json").read_text()
)["backup"]
Stores = tuple[KeyRing, DatasetKeys]


def stores(folder: Path) -> Stores:
    for name in ("keys", "secrets"):
        (folder / name).mkdir(parents=True)
    return KeyRing(folder / "keys", MIN_COST), DatasetKeys(folder / "secrets", MIN_COST)


def filled(folder: Path, passphrase: str | None = None) -> Stores:
    ring, datasets = stores(folder)
    ring.create("issuer", passphrase)
    ring.rotate("issuer")
    ring.create("monitor")
    datasets.create("flights", passphrase)
    datasets.create("cells")
    return ring, datasets


def seeds(backup: Backup) -> list[tuple[str, int, bytes]]:
    return [(name, generation, key.seed) for name, generation, key in backup.signing]


@pytest.mark.parametrize("passphrase", [None, "at rest"])
def test_an_empty_home_gets_all_keys_back(tmp_path: Path, passphrase: str | None) -> None:
    made = Backup.collect(*filled(tmp_path / "a", passphrase), passphrase)
    data = made.seal("away", cost=MIN_COST)
    other = stores(tmp_path / "b")
    assert Backup.open(data, "away").restore(*other, "new") == 5
    again = Backup.collect(*other, "new")
    assert seeds(again) == seeds(made)
    assert again.datasets == made.datasets
    assert all(key.is_sealed for key in other[0].stored())


def test_restoring_twice_changes_nothing(tmp_path: Path) -> None:
    ring, datasets = filled(tmp_path / "a")
    backup = Backup.collect(ring, datasets)
    assert backup.restore(ring, datasets) == 0
    (ring.folder / "monitor.1.key").unlink()
    assert backup.restore(ring, datasets) == 1
    assert seeds(Backup.collect(ring, datasets)) == seeds(backup)


def test_another_key_in_the_way_stops_everything(tmp_path: Path) -> None:
    backup = Backup.collect(*filled(tmp_path / "a"))
    ring, datasets = stores(tmp_path / "b")
    datasets.create("flights")
    with pytest.raises(MalformedError, match="another key of dataset flights is here"):
        backup.restore(ring, datasets)
    ring.create("monitor")
    with pytest.raises(MalformedError, match=r"another key monitor\.1 is here"):
        backup.restore(ring, datasets)
    assert [key.name for key in ring.stored()] == ["monitor"]
    assert datasets.names() == ("flights",)


def test_sealed_keys_are_not_backed_up_unopened(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="is sealed"):
        Backup.collect(*filled(tmp_path, "at rest"))


def test_the_vector_opens() -> None:
    backup = Backup.open(bytes.fromhex(CASE["file"]), CASE["passphrase"])
    assert [
        {"name": name, "generation": n, "seed": seed.hex()} for name, n, seed in seeds(backup)
    ] == CASE["signing"]
    assert [{"name": name, "key": key.hex()} for name, key in backup.datasets] == CASE["datasets"]


def test_a_wrong_passphrase_and_a_changed_file_look_the_same() -> None:
    data = bytearray.fromhex(CASE["file"])
    with pytest.raises(VerificationError, match="wrong passphrase, or a damaged file"):
        Backup.open(bytes(data), "correct")
    data[-1] ^= 1
    with pytest.raises(VerificationError, match="wrong passphrase, or a damaged file"):
        Backup.open(bytes(data), CASE["passphrase"])


def test_another_sealed_file_is_no_backup() -> None:
    data = Sealed.seal(b"", "p", "dataset-key flights", cost=MIN_COST).encoded
    with pytest.raises(MalformedError, match="not as a backup"):
        Backup.open(data, "p")


KEY: Final = {"name": "issuer", "generation": 1, "seed": "ab" * 32}
DATASET: Final = {"name": "flights", "key": "cd" * 32}


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "rootline/backup/v2", "signing": [], "datasets": []},
        {"kind": KIND, "signing": []},
        {"kind": KIND, "signing": [], "datasets": [], "more": 1},
        {"kind": KIND, "signing": [KEY | {"generation": 0}], "datasets": []},
        {"kind": KIND, "signing": [KEY | {"seed": "ab" * 31}], "datasets": []},
        {"kind": KIND, "signing": [KEY | {"more": 1}], "datasets": []},
        {"kind": KIND, "signing": [KEY | {"name": "../x"}], "datasets": []},
        {"kind": KIND, "signing": [], "datasets": [DATASET | {"key": "CD" * 32}]},
        {"kind": KIND, "signing": [], "datasets": [DATASET | {"more": 1}]},
    ],
)
def test_another_content_is_refused_and_not_shown(document: dict[str, Any]) -> None:
    sealed = Sealed.seal(canonical.encode(document), "p", LABEL, cost=MIN_COST)
    with pytest.raises(MalformedError) as caught:
        Backup.open(sealed.encoded, "p")
    assert "abab" not in str(caught.value).lower()
    assert "cdcd" not in str(caught.value).lower()


def test_a_backup_shows_nothing() -> None:
    key, secret = SigningKey.from_seed(b"s" * 32), DatasetKey(b"d" * 32)
    assert repr(Backup((("issuer", 1, key),), (("flights", secret),))) == "Backup()"


def test_what_is_lost_without_keys_is_said_plainly() -> None:
    assert "nobody can sign as you" in LOSS
    assert "no proof about that dataset" in LOSS
    assert "still verifies" in LOSS
