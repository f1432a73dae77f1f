"""Compiling with numba: without the interpreter's lock, kept on disk where the application allows.

numba keeps compiled code where `NUMBA_CACHE_DIR` says, but asks only the file of the kept function
whether it is stale. So it is kept in a folder that is named by the sources of all modules that the
function draws from; without the variable nothing is ever written.

It imports numba, so only modules that are loaded when there is enough work import it.
"""

import inspect
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from threading import Lock
from types import ModuleType
from typing import Any, Final, TypeVar, cast

import numba
from numba.core import codegen
from numba.core.caching import FunctionCache

Function = TypeVar("Function", bound=Callable[..., object])
Code = Any
"""numba's description of what is compiled."""

_folder_is_set: Final = Lock()


def compiled(function: Function) -> Function:
    """Return `function`, compiled when it is first called, or into what calls it."""
    return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))


def inlined(function: Function) -> Function:
    """Return `function`, compiled only into what calls it."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made = numba.njit(nogil=True, error_model="numpy", forceinline=True, **options)
    return cast("Function", made(function))


def kept(*modules: ModuleType) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function and keeps the result from process to process.

    Args:
        modules: All that the compiled code comes from, the function's own module included.
    """
    sources = "".join(inspect.getsource(module) for module in modules)

    def decorate(function: Function) -> Function:
        found: Code = compiled(function)
        with _folder_is_set:
            cache = _cache(function, sha256(sources.encode()).hexdigest()[:16])
        if cache:
            found._cache = cache  # noqa: SLF001  # as numba's own `enable_caching` does
        return cast("Function", found)

    return decorate


class _Cache(FunctionCache):
    """numba's, but a fault costs time and no result: a full disk, a file that is cut or garbled."""

    # Python 3.11 has no `override`, and no other package is to be needed for it.
    def load_overload(  # type: ignore[explicit-override]
        self, sig: Code, target_context: Code
    ) -> Code:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001  # reading damaged bytes raises anything
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Code, data: Code) -> None:  # type: ignore[explicit-override]
        with suppress(OSError):
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


def _cache(function: Function, name: str) -> _Cache | None:
    """Return a cache below the application's folder, or None if it cannot be there."""
    config: Code = numba.config
    folder = str(getattr(config, "CACHE_DIR", ""))
    if not folder:
        return None
    config.CACHE_DIR = inside = f"{folder}/{name}"
    try:
        cache = _Cache(function)  # type: ignore[no-untyped-call]
    except RuntimeError:  # numba found no folder that it may write to
        return None
    finally:
        config.CACHE_DIR = folder
    # numba may have fallen back to another place, even beside the source
    return cache if str(cache.cache_path).startswith(inside) else None


def features() -> frozenset[str]:
    """Return the features of the processor that numba compiles for.

    An instruction that they lack must not even be emitted: LLVM then ends the process.
    """
    chosen = getattr(numba.config, "CPU_FEATURES", None)
    listed = _host() if chosen is None else str(chosen)
    return frozenset(name[1:] for name in listed.split(",") if name.startswith("+"))


def _host() -> str:
    return str(codegen.get_host_cpu_features())  # type: ignore[no-untyped-call]
