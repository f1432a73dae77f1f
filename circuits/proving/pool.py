"""Many proofs at once: over the cores of this machine, or wherever an executor has room.

    prove_all(requests, home)                                # a process a core
    prove_all(requests, home, submit=RayPool(None).submit)   # over a Ray cluster

One process a core with one thread each proves as many in an hour as all threads on one proof, in
steadier memory; not more run at once than fit into memory. Each proof is stored as soon as it is
made, so that what was done is not done again, whatever becomes of the others.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from circuits.proving.artifacts import Srs
from circuits.proving.backend import Prover
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.far import FarProver, Submit
from circuits.proving.machine import cores, free_memory
from circuits.proving.requests import prove_once
from circuits.proving.worker import LIMITS, Limits
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.errors import ProvenanceError
from provenance.proof import Proof

Outcome = Proof | ProvenanceError
Told = Callable[[int, str], None]
"""Told the number of a request and each stage as it begins."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be proved; the witness is in no text that is made of it."""

    circuit: Circuit
    solved: Solved = field(repr=False)


def unheard(number: int, stage: str) -> None:
    """Ignore a stage."""


def prove_all(
    requests: Sequence[Request],
    home: Path,
    srs: Srs | None = None,
    *,
    workers: int | None = None,
    limits: Limits = LIMITS,
    submit: Submit | None = None,
    told: Told = unheard,
    cancel: threading.Event | None = None,
) -> tuple[Outcome, ...]:
    """Return a proof for each request, in order, or the error that stands in its place.

    Keys are made first, one circuit after the other and with all threads. An interrupt ends all
    children; proofs that were finished are found by the next call.

    Args:
        requests: What is to be proved.
        home: As in `circuits.proving.requests.prove`; so too `srs`.
        srs: From `ceremony_srs`, else the local INSECURE one.
        workers: How many at once; as many as there are cores, unless told.
        limits: Of each child; its threads are for the making of keys.
        submit: Of an executor, to prove elsewhere; `workers` are then those waiting.
        told: Told each request's stages, from several threads.
        cancel: Once it is set, all children are killed.
    """
    stop = cancel or threading.Event()
    count = workers or min(len(requests), cores()) or 1
    near = EzklProver(home, srs, limits, stop)
    one = replace(near, limits=replace(limits, threads=max(1, cores() // count)))
    prover: Prover = FarProver(one, submit) if submit else one
    room = Room(None if submit else free_memory())
    keyless = _prepared(near, requests, told)

    def work(number: int) -> Outcome:
        request = requests[number]
        if request.circuit.name in keyless:
            return keyless[request.circuit.name]
        try:
            with room.taken(prover.cost(request.circuit).memory_bytes):
                return prove_once(
                    prover,
                    request.circuit,
                    request.solved,
                    home,
                    partial(told, number),
                    stop,
                )
        except ProvenanceError as error:
            return error

    with ThreadPoolExecutor(count, thread_name_prefix="prove") as pool:
        waiting: list[Future[Outcome]] = [pool.submit(work, n) for n in range(len(requests))]
        try:
            return tuple(each.result() for each in waiting)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _prepared(
    prover: Prover, requests: Sequence[Request], told: Told
) -> dict[str, ProvenanceError]:
    """Make the keys of all circuits; return why those of some could not be made, by name."""
    failed: dict[str, ProvenanceError] = {}
    first: dict[str, int] = {}
    for number, request in enumerate(requests):
        first.setdefault(request.circuit.name, number)
    for name, number in first.items():
        try:
            prover.prepare(requests[number].circuit, partial(told, number))
        except ProvenanceError as error:
            failed[name] = error
    return failed


class Room:
    """Memory that proofs share: each takes what it needs, or waits for others to end."""

    def __init__(self, size: int | None) -> None:
        """Share `size` bytes, or any number of them."""
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, needed: int) -> Iterator[None]:
        """Hold `needed` bytes; what needs more than there is comes alone, and is refused then."""
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._fits(needed))
            self._used += needed
        try:
            yield
        finally:
            with self._changed:
                self._used -= needed
                self._changed.notify_all()

    def _fits(self, needed: int) -> bool:
        return self._size is None or self._used + needed <= self._size
