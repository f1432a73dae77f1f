"""From published batches to certificates in a bundle: resumable, kill-safe, and never above L0."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli.copying import copy
from pipelines.cli.program import Program
from pipelines.flow.auditing import policy_for, verifiers
from pipelines.flow.copying import Copied, copies, copy_log
from pipelines.flow.exporting import Bundle
from pipelines.flow.publishing import log_id, outbox, publish
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance.audit import audit
from provenance.certificate import Certificate
from provenance.errors import UnavailableError, VerificationError
from provenance.findings import Level, Outcome
from provenance.policy import Requirement
from storage.eigenda.proxy import EigenDA
from storage.home import Home
from tests.pipelines.flow.conftest import table
from tests.storage.eigenda.proxy_server import (
    FakeProxy,
    Handler,
    half,
    running,
    status,
    teapot,
)

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeProxy]:
    with running() as made:
        yield made


@pytest.fixture
def proxy(server: FakeProxy) -> FakeProxy:
    for each in (server.held, server.asked, server.faults):
        each.clear()
    return server


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose log has a first header, and a batch with entries: three blobs."""
    space = Workspace.create(tmp_path_factory.mktemp("published") / ".rootline")
    register(space, table(20), Request("rows", "v1"))
    publish(space)
    return space.home.path


@pytest.fixture
def published(original: Path, tmp_path: Path) -> Workspace:
    """A copy of that home."""
    return Workspace(Home(Path(shutil.copytree(original, tmp_path / ".rootline"))))


def run(space: Workspace, proxy: FakeProxy, network: str = "sepolia_testnet") -> Copied:
    return copy_log(space, EigenDA(proxy.address, network, sleep=lambda _: None))


def blobs(space: Workspace) -> list[bytes]:
    found = []
    for entry in outbox(space).batches(log_id(space)):
        found += [entry.header, entry.entries] if entry.entries else [entry.header]
    return found


def stored(space: Workspace) -> list[Certificate]:
    return list(copies(space).of(log_id(space)))


def test_every_published_blob_is_put_read_back_and_remembered(
    published: Workspace, proxy: FakeProxy
) -> None:
    done = run(published, proxy)
    assert [(made.sequence, made.part) for made in done.made] == [
        (0, "header"),
        (1, "header"),
        (1, "entries"),
    ]
    assert (done.had, done.refused) == (0, ())
    assert list(proxy.held.values()) == blobs(published)
    assert [asked[:4] for asked in proxy.asked] == ["POST", "GET "] * 3
    assert set(stored(published)) == set(done.made)


def test_a_second_run_has_nothing_to_do(published: Workspace, proxy: FakeProxy) -> None:
    first = run(published, proxy)
    asked = len(proxy.asked)
    again = run(published, proxy)
    assert (again.made, again.had) == ((), len(first.made))
    assert len(proxy.asked) == asked


def test_another_network_is_another_copy(published: Workspace, proxy: FakeProxy) -> None:
    first, second = run(published, proxy), run(published, proxy, "mainnet")
    assert len(second.made) == len(first.made)
    assert len(stored(published)) == 2 * len(first.made)


def test_what_is_not_published_is_not_copied(published: Workspace, proxy: FakeProxy) -> None:
    assert len(run(published, proxy).made) == 3
    register(published, table(25), Request("rows", "v2"))
    assert run(published, proxy) == Copied((), 3, ())
    publish(published)
    later = run(published, proxy)
    assert ([made.sequence for made in later.made], later.had) == ([2, 2], 3)


def test_a_layer_that_is_down_leaves_what_was_copied(
    published: Workspace, proxy: FakeProxy
) -> None:
    proxy.faults.extend([None, None, status(503)])
    with pytest.raises(UnavailableError, match=r"fail over.*stays published"):
        run(published, proxy)
    assert len(stored(published)) == 1
    done = run(published, proxy)
    assert (len(done.made), done.had) == (2, 1)
    assert proxy.puts() == 4


@pytest.mark.parametrize("fault", [half, status(503), status(500)], ids=["half", "503", "500"])
def test_what_was_put_and_not_read_back_is_not_put_again(
    published: Workspace, proxy: FakeProxy, fault: Any
) -> None:
    proxy.faults.extend([None, fault])
    with pytest.raises(UnavailableError):
        run(published, proxy)
    assert stored(published) == []
    [pending] = copies(published).folder.rglob("*.put")
    assert pending.name == "00000000000000000000.header.put"
    assert len(run(published, proxy).made) == 3
    assert proxy.puts() == 3
    assert list(copies(published).folder.rglob("*.put")) == []


@pytest.mark.parametrize(
    "fault", [status(418, teapot(3)), status(200, b"other bytes")], ids=["418", "other bytes"]
)
def test_a_certificate_that_gives_nothing_back_is_dropped_and_told(
    published: Workspace, proxy: FakeProxy, fault: Any
) -> None:
    proxy.faults.extend([None, fault])
    with pytest.raises(VerificationError):
        run(published, proxy)
    assert list(copies(published).folder.rglob("*.*ut")) == []
    assert len(run(published, proxy).made) == 3
    assert proxy.puts() == 4


def test_a_blob_that_the_layer_refuses_does_not_keep_the_others(
    published: Workspace, proxy: FakeProxy
) -> None:
    proxy.faults.append(status(400, b"encoded blob is larger than max blob size"))
    done = run(published, proxy)
    assert len(done.made) == 2
    [words] = done.refused
    assert words.startswith("batch 0, header: ")
    assert "larger than max blob size" in words


def test_two_runs_do_not_copy_at_once(published: Workspace, proxy: FakeProxy) -> None:
    proxy.faults.append(_during(lambda: copies(published).locked(wait=0)))
    assert len(run(published, proxy).made) == 3


def _during(lock: Callable[[], Any]) -> Callable[[Handler], None]:
    """While one run waits for its answer, another finds the door closed; then it is answered."""

    def fault(handler: Handler) -> None:
        with pytest.raises(UnavailableError, match="is locked by process"), lock():
            pass
        handler.answer(429)

    return fault


# Into evidence, and what an auditor makes of it.


def judged(space: Workspace, members: dict[str, bytes], level: Level = Level.L0) -> Any:
    made = Bundle(space)
    made.members.update(members)
    policy = policy_for(
        space,
        name="auditor",
        require=(Requirement("dataset", "rows@v1", Level.L1), Requirement("copy", "*", level)),
    )
    return audit(made.seal(), policy, verifiers(), space.clock())


def members(space: Workspace) -> dict[str, bytes]:
    made = Bundle(space)
    made.add_log()
    made.add_blocks()
    return made.members


def test_certificates_go_into_a_bundle_and_are_worth_l0(
    published: Workspace, proxy: FakeProxy
) -> None:
    before = members(published)
    done = run(published, proxy)
    after = members(published)
    added = {path: data for path, data in after.items() if path not in before}
    assert sorted(added.values()) == sorted(made.encoded for made in done.made)
    assert all(path.startswith("certificates/") for path in added)
    verdict = judged(published, after)
    [found] = [f for f in verdict.findings if f.claim == "copy"]
    assert (found.outcome, found.level) == (Outcome.HOLDS, Level.L0)
    assert "certificates for 3 of the log's 3 blobs" in found.reason
    assert "carried, not verified" in found.reason
    assert [f.outcome for f in judged(published, after, Level.L1).required] == [
        Outcome.HOLDS,
        Outcome.UNKNOWN,
    ]


def test_a_certificate_changed_in_the_home_is_not_exported(
    published: Workspace, proxy: FakeProxy
) -> None:
    run(published, proxy)
    path = min(copies(published).folder.rglob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"bytes":', b'"bytes": '))
    with pytest.raises(Exception, match="canonical form"):
        members(published)


def test_a_bundle_without_copies_says_nothing_of_them(published: Workspace) -> None:
    verdict = judged(published, members(published))
    assert [f for f in verdict.findings if f.claim == "copy"] == []
    assert not (published.home.path / "certificates").exists()


# Killed at any point.

KILLED: Final = """
import itertools, os, shutil, signal, sys
from pathlib import Path
from pipelines.flow.copying import copies, copy_log
from pipelines.flow.publishing import log_id
from pipelines.flow.workspace import Workspace
from storage.home import Home
from tests.storage.test_data_layer import FileLayer

WATCHED = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "fcntl.flock")
home, folder, stride = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def die_at(last):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in WATCHED and "certificates" in str(arguments[0]):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

puts = set()
for k in itertools.count(1, stride):
    path, kept = folder / "home", folder / "layer"
    shutil.copytree(home, path)
    child = os.fork()
    if child == 0:
        die_at(k)
        copy_log(Workspace(Home(path)), FileLayer(kept))
        os._exit(0)
    _, code = os.waitpid(child, 0)
    space = Workspace(Home(path))
    done = copy_log(space, FileLayer(kept))
    found = list(copies(space).of(log_id(space)))
    assert len(found) == len(done.made) + done.had == 3, (k, found)
    left = [each for each in path.rglob("*") if each.suffix in (".put", ".tmp")]
    assert not [each for each in left if "certificates" in str(each)], (k, left)
    puts.add(len(kept.read_bytes().splitlines()))
    shutil.rmtree(path)
    kept.unlink()
    if code == 0:
        break
print(k, *sorted(puts))
"""


def killed(space: Workspace, folder: Path, stride: int) -> tuple[int, list[str]]:
    """Return at how many operations a run was killed, and how many puts it then took in all."""
    command = [sys.executable, "-c", KILLED, str(space.home.path), str(folder), str(stride)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    last, *puts = done.stdout.split()
    return int(last), puts


def test_killed_at_many_points_the_next_run_copies_what_is_missing(
    published: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    last, puts = killed(published, tmp_path / "killed", 3)
    assert last > 20
    assert puts in (["3"], ["3", "4"])  # once more at most, where no certificate was stored yet


@pytest.mark.slow
def test_killed_at_any_point_the_next_run_copies_what_is_missing(
    published: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    last, puts = killed(published, tmp_path / "killed", 1)
    assert last > 20
    assert puts == ["3", "4"]


# The command.


@pytest.fixture
def ledger(published: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    app = typer.Typer(cls=Program, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command()(copy)
    monkeypatch.setenv("ROOTLINE_HOME", str(published.home.path))
    return lambda *words: CliRunner().invoke(app, ["copy", *words])


def test_the_command_says_what_a_copy_is_worth(
    ledger: Callable[..., Any], proxy: FakeProxy
) -> None:
    done = ledger("--eigenda", proxy.address, "--network", "sepolia_testnet")
    assert done.exit_code == 0, done.output
    assert "L0, carried and not verified: the proxy says" in done.stdout
    assert "about 14 days by EigenDA's own words" in done.stdout
    again = ledger("--eigenda", proxy.address, "--network", "sepolia_testnet", "--json")
    assert '"blobs copied now": 0' in again.stdout
    assert '"blobs copied before": 3' in again.stdout


@pytest.mark.parametrize(
    ("fault", "code"), [(status(503), 3), (status(400), 2), (status(307, Location="/"), 3)]
)
def test_the_command_ends_as_its_error_is(
    ledger: Callable[..., Any], proxy: FakeProxy, fault: Any, code: int
) -> None:
    proxy.faults.append(fault)
    done = ledger("--eigenda", proxy.address)
    assert done.exit_code == code, done.output
    assert done.stderr.startswith("rootline: ")
    assert done.stderr.count("\n") == 1


def test_an_address_with_a_password_is_refused_without_repeating_it(
    ledger: Callable[..., Any], proxy: FakeProxy
) -> None:
    done = ledger("--eigenda", "http://user:hunter2@127.0.0.1:1")
    assert done.exit_code == 2
    assert "hunter2" not in done.output
    assert proxy.asked == []
