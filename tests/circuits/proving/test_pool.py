"""Many proofs at once: in order, each kept, one failure alone, as memory allows, or far off."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from circuits.proving import far
from circuits.proving.artifacts import local_srs, verifier_artifacts
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.far import FarProver, prove_here
from circuits.proving.pool import Request, Room, prove_all
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import LIMITS
from circuits.solve import Solved
from provenance.errors import ProvenanceError, UnavailableError, VerificationError
from provenance.proof import Proof
from tests.circuits.proving.kin import children
from tests.circuits.proving.searching import found_in
from tests.circuits.small import HASHED, OPEN, SALT, hashed_solved, open_solved


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with the keys of the open circuit."""
    home = tmp_path_factory.mktemp("pool")
    EzklProver(home).prepare(OPEN)
    return home


def requests(*pairs: tuple[int, int]) -> list[Request]:
    return [Request(OPEN, open_solved(*pair)) for pair in pairs]


def lying() -> Request:
    solved = open_solved(2, 3)
    return Request(OPEN, Solved(solved.witness, open_solved(2, 4).outputs))


def test_proofs_come_in_order_and_one_failure_stands_alone(home: Path) -> None:
    asked = [*requests((2, 3), (3, 3)), lying(), *requests((4, 3))]
    first, second, third, fourth = prove_all(asked, home, workers=2)
    assert isinstance(third, VerificationError)
    made = [proof for proof in (first, second, fourth) if isinstance(proof, Proof)]
    assert [proof.public[0] for proof in made] == [6, 9, 12]
    found = EzklVerifier().verify_many(made, verifier_artifacts(made[0], home))
    assert found == (None, None, None)


def test_what_was_finished_before_an_interrupt_is_not_done_again(home: Path) -> None:
    asked = requests((5, 3), (6, 3), (7, 3))
    stages: list[tuple[int, str]] = []

    def told(number: int, stage: str) -> None:
        stages.append((number, stage))
        if (number, stage) == (1, "mock"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prove_all(asked, home, workers=1, told=told)
    assert not children()
    stages.clear()
    made = prove_all(asked, home, workers=1, told=lambda *each: stages.append(each))
    assert [proof.public[0] for proof in made if isinstance(proof, Proof)] == [15, 18, 21]
    assert [number for number, stage in stages if stage == "prove"][:1] == [1]


def test_cancelling_ends_all_and_tells_so(home: Path) -> None:
    cancel = threading.Event()

    def told(_: int, stage: str) -> None:
        if stage == "mock":
            cancel.set()
            for child in children():
                os.kill(child, signal.SIGSTOP)

    made = prove_all(requests((8, 3), (9, 3), (10, 3)), home, told=told, cancel=cancel)
    assert [type(each) for each in made] == [UnavailableError] * 3
    assert all("cancelled" in str(each) for each in made)
    assert not children()


def test_a_child_that_is_killed_is_tried_again(home: Path) -> None:
    killed: list[int] = []

    def told(_: int, stage: str) -> None:
        if stage == "mock" and not killed:
            (child,) = children()
            killed.append(child)
            os.kill(child, signal.SIGKILL)

    (made,) = prove_all(requests((11, 3)), home, told=told)
    assert isinstance(made, Proof)
    assert killed


def test_a_refused_witness_is_never_tried_again(home: Path) -> None:
    stages: list[str] = []
    (made,) = prove_all([lying()], home, told=lambda _, stage: stages.append(stage))
    assert isinstance(made, VerificationError)
    assert stages == []


def test_keys_that_cannot_be_made_fail_their_own_circuit_only(home: Path) -> None:
    impossible = replace(OPEN, name="product-large.v1", logrows=30)
    good, bad = requests((12, 3))[0], Request(impossible, open_solved())
    limits = replace(LIMITS, seconds=20)
    srs = local_srs(home, OPEN.logrows)
    made = prove_all([bad, good, bad], home, srs, limits=limits)
    assert isinstance(made[1], Proof)
    assert all(isinstance(made[at], UnavailableError) for at in (0, 2))
    assert "needs an SRS with k >= 30" in str(made[0])


def test_memory_is_shared_and_what_is_too_large_comes_alone() -> None:
    room = Room(10)
    order: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def small() -> None:
        with room.taken(6):
            inside.set()
            go.wait()
            order.append("small")

    def large() -> None:
        with room.taken(99):
            order.append("large")

    with ThreadPoolExecutor(3) as pool:
        pool.submit(small)
        inside.wait()
        waiting = pool.submit(large)
        with room.taken(4):
            assert not order
        go.set()
        waiting.result()
    assert order == ["small", "large"]
    with Room(None).taken(10**15), Room(0).taken(1):
        pass


@pytest.fixture
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def test_a_proof_made_elsewhere_is_verified_here(
    home: Path, elsewhere: ProcessPoolExecutor
) -> None:
    stages: list[str] = []
    asked = requests((13, 3))
    (made,) = prove_all(
        asked, home, submit=elsewhere.submit, told=lambda _, stage: stages.append(stage)
    )
    assert isinstance(made, Proof)
    assert made.public[0] == 39
    assert stages == ["prove elsewhere", "verify"]
    assert prove_all(asked, home) == (made,)


def settled(answer: Callable[[], bytes]) -> Callable[..., "Future[Any]"]:
    """Return a `submit` of an executor that answers at once."""

    def submit(*_: object) -> "Future[Any]":
        future: Future[bytes] = Future()
        try:
            future.set_result(answer())
        except ProvenanceError as error:
            future.set_exception(error)
        return future

    return submit


def test_other_machines_are_not_believed(home: Path) -> None:
    (other,) = prove_all(requests((3, 3)), home)
    assert isinstance(other, Proof)
    wanted = open_solved(14, 3)
    claimed = replace(other, public=(wanted.outputs[0][0], other.public[1]))
    near = EzklProver(home)
    for lie, error in ((other, "something else"), (claimed, "does not verify")):
        with pytest.raises(VerificationError, match=error):
            FarProver(near, settled(lambda lie=lie: lie.encoded)).prove(OPEN, wanted)  # type: ignore[misc]


def test_a_lost_task_is_asked_for_again_and_then_given_up(home: Path) -> None:
    asked: list[int] = []

    def lost() -> bytes:
        asked.append(1)
        raise UnavailableError("a machine died")

    with pytest.raises(UnavailableError, match="a machine died"):
        FarProver(EzklProver(home), settled(lost)).prove(OPEN, open_solved(15, 3))
    assert len(asked) == far.ATTEMPTS


def test_waiting_for_another_machine_ends_when_cancelled(home: Path) -> None:
    cancel = threading.Event()
    near = EzklProver(home, cancel=cancel)

    def submit(*_: object) -> "Future[Any]":
        cancel.set()
        return Future()

    with pytest.raises(UnavailableError, match="cancelled"):
        FarProver(near, submit).prove(OPEN, open_solved(16, 3))


def test_pieces_of_a_witness_are_too_small_for_rays_store(home: Path) -> None:
    sent: list[bytes] = []

    def submit(function: object, folder: str, srs: bytes, *pieces: bytes) -> "Future[Any]":
        assert function is prove_here
        sent.extend(pieces)
        return settled(lambda: prove_here(folder, srs, *pieces))()

    FarProver(EzklProver(home), submit).prove(OPEN, open_solved(17, 3))
    assert sent
    assert all(len(piece) <= far.PIECE < 100_000 for piece in sent)


@pytest.fixture
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield found
    finally:
        ray.shutdown()
        found.shutdown()  # type: ignore[no-untyped-call]  # Ray has lapses


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_proves_and_its_files_hold_no_witness(tmp_path: Path, cluster: Any) -> None:
    from pipelines.flow.crews import RayPool

    asked = [Request(HASHED, hashed_solved(number)) for number in range(3)]
    pool = RayPool(cluster.address)
    made = prove_all(asked, tmp_path, workers=2, submit=pool.submit)
    proofs = [proof for proof in made if isinstance(proof, Proof)]
    assert len(proofs) == 3
    found = EzklVerifier().verify_many(proofs, verifier_artifacts(proofs[0], tmp_path))
    assert found == (None,) * 3
    folder = Path(cluster.head_node.get_session_dir_path())
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if found_in(path.read_bytes(), (SALT,))]
