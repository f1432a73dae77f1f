"""`rootline keys …`: shown, rotated, backed up and restored."""

import shutil
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program


def keys(rootline: Program) -> dict[str, str]:
    return {row["key"]: row["public key"] for row in rootline.json("keys", "show")}


def test_keys_are_shown_without_their_secrets(rootline: Program, people: Any) -> None:  # noqa: ARG001
    shown = rootline.json("keys", "show")
    assert [row["key"] for row in shown] == [
        "issuer.1",
        "monitor.1",
        "operator.1",
        "dataset people",
    ]
    secret = (rootline.folder / ".rootline" / "secrets" / "people.key").read_text().split()[1]
    assert secret not in str(shown)


def test_the_issuer_goes_on_under_a_new_key(rootline: Program, people: Any) -> None:
    log = rootline.json("ledger", "status")["log"]
    made = rootline.json("keys", "rotate", "issuer")
    assert keys(rootline)["issuer.2"] == made["public key"]
    rootline.write("table.csv", "id,name\n1,Ann\n")
    words = ("--name", "people", "--version", "v2", "--schema", "schema.json")
    later = rootline.json("dataset", "register", "table.csv", *words)
    assert later["previous"] == people["commitment"]
    assert rootline.json("ledger", "status")["log"] == log
    monitor = keys(rootline)["monitor.1"]
    rootline("ledger", "checkpoint", "-o", "checkpoint.json")
    rootline("export", "-o", "evidence", "--checkpoint", "checkpoint.json")
    policy = rootline.json("policy", "init", "-o", "policy.json", "--monitor", monitor)
    assert policy["issuer key"] == made["public key"]
    assert rootline.json("audit", "evidence", "--policy", "policy.json")["outcome"] == "holds"
    assert [row["version"] for row in rootline.json("dataset", "list")] == ["v2"]


def test_what_the_old_key_signed_is_posted_before_it_retires(rootline: Program) -> None:
    words = ("--name", "people", "--version", "v1", "--schema", "schema.json", "--no-publish")
    rootline("dataset", "register", "table.csv", *words)
    rootline("keys", "rotate", "issuer")
    assert rootline.json("ledger", "status")["statements that wait"] == 0


def test_the_monitor_changes_his_key(rootline: Program) -> None:
    before = keys(rootline)["monitor.1"]
    assert rootline.json("keys", "rotate", "monitor")["public key"] != before


@pytest.mark.parametrize("name", ["operator", "nobody", "../issuer"])
def test_no_other_key_is_rotated(rootline: Program, name: str) -> None:
    before = keys(rootline)
    rootline.fails("keys", "rotate", name, code=2)
    assert keys(rootline) == before


def test_a_backup_brings_back_what_was_lost(
    rootline: Program, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOTLINE_BACKUP_PASSPHRASE", "battery staple")
    made = rootline.json("keys", "backup", "keys.backup")
    assert (made["signing keys"], made["dataset keys"]) == (3, 1)
    assert (rootline.folder / "keys.backup").stat().st_mode & 0o077 in (0, 0o044)
    before = keys(rootline)
    for folder in ("keys", "secrets"):
        shutil.rmtree(rootline.folder / ".rootline" / folder)
        (rootline.folder / ".rootline" / folder).mkdir(mode=0o700)
    assert rootline.json("keys", "restore", "keys.backup")["restored"] == 4
    assert keys(rootline) == before
    assert rootline.json("dataset", "show", "people")["root"] == people["root"]
    assert "is there already" in rootline.fails("keys", "backup", "keys.backup", code=2)
    monkeypatch.setenv("ROOTLINE_BACKUP_PASSPHRASE", "wrong")
    rootline.fails("keys", "restore", "keys.backup", code=1)


def test_a_backup_needs_a_passphrase(rootline: Program) -> None:
    assert "--passphrase-file" in rootline.fails("keys", "backup", "keys.backup", code=2)
    assert not (rootline.folder / "keys.backup").exists()


@pytest.mark.parametrize("content", ["", "not a backup"])
def test_what_is_no_backup_is_refused(rootline: Program, content: str) -> None:
    rootline.write("secret.txt", "battery staple\n")
    rootline.write("keys.backup", content)
    words = ("keys", "restore", "keys.backup", "--passphrase-file", "secret.txt")
    rootline.fails(*words, code=2)
    rootline.fails("keys", "restore", "missing", "--passphrase-file", "secret.txt", code=2)


def test_a_backup_is_restored_where_there_is_no_home_or_one_without_its_keys(
    rootline: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOTLINE_BACKUP_PASSPHRASE", "a long enough passphrase")
    made = rootline.json("keys", "backup", "keys.backup")
    old = rootline.folder / "old"
    shutil.copytree(rootline.folder / ".rootline", old)
    for name in ("keys", "secrets"):
        shutil.rmtree(old / name)
    for home in (old, rootline.folder / "new"):
        monkeypatch.setenv("ROOTLINE_HOME", str(home))
        restored = rootline.json("keys", "restore", "keys.backup")["restored"]
        assert restored == made["signing keys"] + made["dataset keys"]
    monkeypatch.setenv("ROOTLINE_HOME", str(old))
    assert rootline.json("ledger", "status")["head"] >= 1


def test_init_makes_no_new_keys_beside_an_old_ledger(
    rootline: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    rootline.json("ledger", "status")
    old = rootline.folder / "old"
    shutil.copytree(rootline.folder / ".rootline", old)
    shutil.rmtree(old / "keys")
    monkeypatch.setenv("ROOTLINE_HOME", str(old))
    assert "rootline keys restore" in rootline.fails("init", code=3)
    assert not list((old / "keys").glob("*.key"))
