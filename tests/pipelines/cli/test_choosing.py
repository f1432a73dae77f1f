"""`rootline init --ledger`: the node is asked first, and nothing is left of a choice that fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.flow.workspace import Workspace
from tests.pipelines.cli.conftest import Program
from tests.storage.celestia.serving.test_command import Served, serving

HIDDEN = "/v1/SECRETKEY123"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Somebody's embedded ledger, served by the program in a process of its own."""
    theirs = tmp_path_factory.mktemp("theirs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.flow.workspace.use", lambda _: None)
        home = Workspace.create(theirs / "home").home
        patch.setenv("ROOTLINE_HOME", str(home.path))
        with serving(home) as node:
            patch.delenv("ROOTLINE_HOME")
            yield node


@pytest.fixture
def token(served: Served, tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(served.token)
    return path


@pytest.fixture
def anchor(served: Served) -> str:
    return f"1:{served.said['block 1']}"


def test_a_home_is_made_that_posts_to_a_node(
    rootline: Program, served: Served, token: Path, anchor: str, tmp_path: Path
) -> None:
    home, url = tmp_path / "ours", served.said["url"]
    words = ("init", "--home", home, "--ledger", url + HIDDEN, "--token-file", token)
    made = rootline.json(*words, "--anchor", anchor)
    assert (made["ledger"], made["node"], made["anchor"]) == ("embedded", url, anchor)
    assert (home / "keys" / "ledger.token").stat().st_mode & 0o777 == 0o600
    assert not (home / "ledger.sqlite").exists()
    assert rootline.json(*words, "--anchor", anchor)["log"] == made["log"]
    other = tmp_path / "other-token"
    other.write_text("another")
    wrong = f"1:{'ab' * 32}"
    assert "SECRET" not in rootline.fails(*words, "--anchor", wrong, code=1)
    rootline.fails(*words[:-1], other, "--anchor", wrong, code=3)
    assert (home / "keys" / "ledger.token").read_text().strip() == served.token


@pytest.mark.parametrize("case", ["no node", "wrong block", "no token", "no block"])
def test_a_choice_that_fails_makes_no_home(
    rootline: Program, served: Served, token: Path, anchor: str, tmp_path: Path, case: str
) -> None:
    url = "http://127.0.0.1:9" if case == "no node" else served.said["url"]
    known = {"wrong block": f"1:{'ab' * 32}", "no block": "1"}.get(case, anchor)
    given = () if case == "no token" else ("--token-file", token)
    code = {"no node": 3, "wrong block": 1, "no token": 3, "no block": 2}[case]
    words = ("init", "--home", tmp_path / "ours", "--ledger", url, "--anchor", known)
    rootline.fails(*words, *given, code=code)
    assert not (tmp_path / "ours").exists()


def test_a_home_with_a_ledger_of_its_own_keeps_it(
    rootline: Program, served: Served, token: Path, tmp_path: Path
) -> None:
    home = tmp_path / "ours"
    rootline("init", "--home", home)
    words = ("init", "--home", home, "--ledger", served.said["url"], "--token-file", token)
    assert "stays on its ledger" in rootline.fails(*words, code=2)
    assert not (home / "ledger.json").exists()
    assert not (home / "keys" / "ledger.token").exists()
