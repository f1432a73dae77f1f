"""Files that are there whole or not at all, whatever goes wrong while they are written."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from provenance.errors import MalformedError, UnavailableError
from storage.atomic import (
    create_atomic,
    new_folder,
    pending,
    read_bounded,
    replacing,
    sweep,
    told,
    write_atomic,
)

ROOT = Path(__file__).parents[2]


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fail_after(path: Path) -> None:
    path.write_bytes(b"half")
    raise ValueError("the source ran dry")


def test_a_file_gets_its_bytes_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"one")
    write_atomic(path, b"two", 0o600)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a"]


def test_a_writer_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, b"old")
    with pytest.raises(ValueError, match="ran dry"), replacing(path) as file:
        fail_after(Path(f"/dev/fd/{file.fileno()}"))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert create_atomic(path, b"first", 0o600)
    assert not create_atomic(path, b"second")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["a"]


def test_of_many_processes_one_creates_the_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from storage.atomic import create_atomic\n"
        "sys.stdin.read(); print(create_atomic(Path(sys.argv[1]), sys.argv[2].encode()))"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "a"), str(n)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    said = [racer.communicate("")[0].strip() for racer in racers]
    assert sorted(said) == ["False", "False", "False", "True"]
    assert (tmp_path / "a").read_text() == str(said.index("True"))


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as folder:
        (folder / "inside").write_text("x")
        assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="ran dry"), new_folder(tmp_path / "b") as folder:
        fail_after(folder / "inside")
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_folder_does_not_take_anothers_place(tmp_path: Path, kind: str) -> None:
    taken = tmp_path / "a"
    if kind == "file":
        taken.write_text("old")
    else:
        taken.mkdir()
        (taken / "old").write_text("old")
    with pytest.raises(FileExistsError), new_folder(taken) as folder:
        (folder / "new").write_text("new")
    assert names(tmp_path) == ["a"]
    assert taken.is_file() or names(taken) == ["old"]


FULL = """
import resource, sys
from pathlib import Path
from provenance.errors import UnavailableError
from storage.atomic import create_atomic, new_folder, write_atomic
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
path = Path(sys.argv[1])
try:
    if sys.argv[2] == "folder":
        with new_folder(path) as folder:
            (folder / "inside").write_bytes(bytes(5000))
    else:
        {"write": write_atomic, "create": create_atomic}[sys.argv[2]](path, bytes(5000))
except UnavailableError as error:
    print(error)
"""


@pytest.mark.parametrize("way", ["write", "create", "folder"])
def test_a_full_disk_is_said_in_a_line_and_leaves_nothing(tmp_path: Path, way: str) -> None:
    if way == "write":
        (tmp_path / "a").write_text("old")
    done = run(FULL, tmp_path / "a", way)
    assert done.stderr == ""
    assert f"cannot write {tmp_path / 'a'}: the disk, quota or size limit is full" in done.stdout
    assert names(tmp_path) == (["a"] if way == "write" else [])
    assert way != "write" or (tmp_path / "a").read_text() == "old"


KILLED = """
import os, signal, sys
from pathlib import Path
from storage.atomic import new_folder, replacing
path = Path(sys.argv[1])
with new_folder(path / "folder") as folder, replacing(path / "file") as file:
    (folder / "inside").write_bytes(b"half")
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_swept_and_no_more(tmp_path: Path) -> None:
    assert run(KILLED, tmp_path).returncode == -9
    assert len(names(tmp_path)) == 2
    with pending(tmp_path) as (_, mine), new_folder(tmp_path / "also") as other:
        assert sweep(tmp_path) == 2
        assert names(tmp_path) == sorted([mine.name, other.name])
    assert sweep(tmp_path) == 0
    assert names(tmp_path) == ["also"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"cannot write .*gone/a: its folder is missing"):
        write_atomic(tmp_path / "gone" / "a", b"")


def test_a_refused_write_is_told_by_its_cause(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no permission"), told(tmp_path / "a", "write"):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(UnavailableError, match="Input/output error"), told(tmp_path / "a", "read"):
        raise OSError(5, "Input/output error")


def test_an_error_about_a_file_elsewhere_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a") as file:
        file.write(Path("/nonexistent/source").read_bytes())
    assert names(tmp_path) == []


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(10))
    assert read_bounded(path, 10) == bytes(10)
    with pytest.raises(MalformedError, match="more than 9 bytes"):
        read_bounded(path, 9)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MalformedError, match="is missing"):
        read_bounded(tmp_path / "gone", 10)
    with pytest.raises(MalformedError, match="no regular file"):
        read_bounded(tmp_path, 10)
    with pytest.raises(MalformedError, match="no regular file"):
        read_bounded(tmp_path / "pipe", 10)
    with pytest.raises(UnavailableError, match="File name too long"):
        read_bounded(tmp_path / ("x" * 300), 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(0o000)
    with pytest.raises(MalformedError, match="may not be read by you"):
        read_bounded(path, 10)
