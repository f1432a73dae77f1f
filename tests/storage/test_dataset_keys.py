"""Dataset keys on the disk: one for each dataset, for good."""

import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.leaf import DatasetKey
from storage.dataset_keys import DatasetKeys
from storage.sealed import MIN_COST

ROOT = Path(__file__).parents[2]


@pytest.fixture
def keys(tmp_path: Path) -> DatasetKeys:
    return DatasetKeys(tmp_path, MIN_COST)


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_dataset_keeps_the_key_it_got_first(keys: DatasetKeys, passphrase: str | None) -> None:
    made = keys.create("flights", passphrase)
    assert keys.create("flights", passphrase) == made
    assert keys.load("flights", passphrase) == made
    assert not keys.add("flights", DatasetKey(bytes(32)), None)
    assert keys.load("flights", passphrase) == made
    assert stat.S_IMODE((keys.folder / "flights.key").stat().st_mode) == 0o600


def test_two_datasets_have_two_keys(keys: DatasetKeys) -> None:
    assert keys.create("flights") != keys.create("cells.v2")
    assert keys.names() == ("cells.v2", "flights")


def test_processes_that_race_get_the_same_key(keys: DatasetKeys) -> None:
    code = (
        "import sys; from pathlib import Path; from storage.dataset_keys import DatasetKeys\n"
        "sys.stdin.read(); print(DatasetKeys(Path(sys.argv[1])).create('flights').hex())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(keys.folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert {racer.communicate("")[0] for racer in racers} == {keys.load("flights").hex() + "\n"}


def test_a_missing_key_says_how_to_get_it(keys: DatasetKeys) -> None:
    with pytest.raises(UnavailableError, match=r"no key at .*flights\.key: restore it"):
        keys.load("flights")


def test_a_sealed_key_needs_its_passphrase(keys: DatasetKeys) -> None:
    keys.create("flights", "open sesame")
    with pytest.raises(UnavailableError, match="is sealed"):
        keys.load("flights")
    with pytest.raises(VerificationError, match="wrong passphrase"):
        keys.load("flights", "open barley")


def test_a_sealed_key_in_anothers_place_is_refused(keys: DatasetKeys) -> None:
    keys.create("flights", "p")
    (keys.folder / "flights.key").rename(keys.folder / "flight.key")
    with pytest.raises(MalformedError, match="it belongs elsewhere"):
        keys.load("flight", "p")


def test_a_key_that_others_can_read_is_refused(keys: DatasetKeys) -> None:
    keys.create("flights")
    (keys.folder / "flights.key").chmod(0o644)
    with pytest.raises(MalformedError, match="may be read by others"):
        keys.load("flights")


@pytest.mark.parametrize("name", ["", "..", "a/b", "Flights"])
def test_a_dataset_has_a_plain_name(keys: DatasetKeys, name: str) -> None:
    with pytest.raises(MalformedError, match="no dataset's name"):
        keys.create(name)


@pytest.mark.parametrize("change", ["upper", "short", "no newline", "trailing"])
def test_another_spelling_is_refused_and_not_shown(keys: DatasetKeys, change: str) -> None:
    secret = keys.create("flights").hex()
    path = keys.folder / "flights.key"
    text = path.read_text()
    path.write_text(
        {
            "upper": text.upper(),
            "short": text[:-2] + "\n",
            "no newline": text.rstrip(),
            "trailing": text + "\n",
        }[change]
    )
    with pytest.raises(MalformedError, match="holds no dataset key") as caught:
        keys.load("flights")
    assert secret[:16] not in "".join(traceback.format_exception(caught.value)).lower()
