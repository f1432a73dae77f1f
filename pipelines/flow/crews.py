"""Who does the work of a commit: threads, processes, or the machines of a Ray cluster.

    threads      one a core of this machine; the batches are read by the caller
    processes    one a core of this machine; each reads its own ranges of the files
    ray          a task a range, wherever the cluster has room; ray:ADDRESS names the cluster

What is worked out is the same, to the byte. Tasks of a machine that dies are done again elsewhere.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Final, TypeVar

from provenance.errors import MalformedError, ProvenanceError, UnavailableError

T = TypeVar("T")
KINDS: Final = ("threads", "processes", "ray")
RETRIES: Final = 5
"""How often a task is done again whose machine died."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Workers at hand.

    Attributes:
        pool: Takes tasks.
        ahead: How many tasks may be handed out beyond the one that is waited for.
        is_far: Whether the workers have a memory of their own, so that tasks must be small.
    """

    pool: Executor
    ahead: int
    is_far: bool


@dataclass(frozen=True, slots=True)
class Crew:
    """Which workers to take on, and how many; None for one a core."""

    kind: str = "threads"
    address: str | None = None
    count: int | None = None

    @classmethod
    def of(cls, text: str) -> "Crew":
        """Return the crew that `threads:4`, `processes`, `ray` or `ray:10.0.0.1:6379` names.

        Raises:
            MalformedError: Another kind, or no number.
        """
        kind, _, rest = text.partition(":")
        if kind not in KINDS or (kind != "ray" and rest and not rest.isdecimal()) or rest == "0":
            raise MalformedError(
                f"no workers {text!r:.60}: threads[:N], processes[:N], ray[:ADDRESS]"
            )
        if kind == "ray":
            return cls(kind, address=rest or None)
        return cls(kind, count=int(rest) if rest else None)

    @contextmanager
    def hired(self) -> Iterator[Hands]:
        """Give the workers until the block ends; what is still waiting then is dropped.

        Raises:
            UnavailableError: Ray is not installed, or there is no such cluster.
        """
        count = self.count or len(os.sched_getaffinity(0))
        pool: Executor
        if self.kind == "ray":
            pool = RayPool(self.address)
            count = pool.cores
        elif self.kind == "processes":
            pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
        else:
            pool = ThreadPoolExecutor(count, thread_name_prefix="commit")
        try:
            yield Hands(pool, 2 * count, self.kind != "threads")
        except BrokenProcessPool as error:
            words = (
                "a worker process was killed, perhaps for want of memory: run it again, it goes on"
            )
            raise UnavailableError(words) from error
        finally:
            pool.shutdown(cancel_futures=True)


class RayPool(Executor):
    """A Ray cluster as an executor; it stays up when the pool is shut down."""

    def __init__(self, address: str | None) -> None:
        try:
            import ray
        except ImportError as error:
            raise UnavailableError("Ray is not installed: install the extra `ray`") from error
        try:
            ray.init(address, ignore_reinit_error=True, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0][:200]
            raise UnavailableError(f"no Ray cluster at {address}: {reason}") from error
        self._call = ray.remote(max_retries=RETRIES)(_called)
        found = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's own lapse
        self.cores = max(1, int(found.get("CPU", 1)))

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":  # type: ignore[explicit-override]  # noqa: ANN401  # Executor's own types; Python 3.11 has no override
        """Have `fn` called somewhere in the cluster."""
        outer: Future[T] = Future()
        outer.set_running_or_notify_cancel()
        inner: Future[T | ProvenanceError] = self._call.remote(fn, *args, **kwargs).future()
        inner.add_done_callback(lambda done: _settle(outer, done))
        return outer


def _called(fn: Callable[..., T], *args: object, **kwargs: object) -> T | ProvenanceError:
    """Call a task where it was sent; Ray would wrap the project's errors in its own."""
    try:
        return fn(*args, **kwargs)
    except ProvenanceError as error:
        return error


def _settle(outer: "Future[T]", inner: "Future[T | ProvenanceError]") -> None:
    lost = inner.exception()
    if lost is not None:
        reason = str(lost).strip().splitlines()[-1][:200]
        words = f"a task was lost on the Ray cluster: {reason}; run it again, it goes on"
        outer.set_exception(UnavailableError(words))
        return
    found = inner.result()
    if isinstance(found, ProvenanceError):
        outer.set_exception(found)
    else:
        outer.set_result(found)
