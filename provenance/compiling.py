"""Compiling with numba: without the interpreter's lock, kept on disk where the application allows.

numba keeps compiled code where `NUMBA_CACHE_DIR` says, but asks only the file of the kept function
whether it is stale. So it is kept in a folder that is named by the sources of all modules that the
function draws from; without the variable nothing is ever written.

It imports numba, so only modules that are loaded when there is enough work import it.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from types import ModuleType
from typing import TypeVar, cast

import numba
from numba.core import codegen

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return `function`, compiled when it is first called, or into what calls it."""
    return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))


def kept(*modules: ModuleType) -> Callable[[Function], Function]:
    """Return a decorator that compiles a function and keeps the result from process to process.

    Args:
        modules: All that the compiled code comes from, the function's own module included.
    """
    folder = str(getattr(numba.config, "CACHE_DIR", ""))
    sources = "".join(inspect.getsource(module) for module in modules)
    inside = f"{folder}/{sha256(sources.encode()).hexdigest()[:16]}"

    def decorate(function: Function) -> Function:
        if not folder:
            return compiled(function)
        numba.config.CACHE_DIR = inside  # type: ignore[attr-defined]  # numba sets it at import
        try:
            found = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
        except RuntimeError:  # numba found no folder that it may write to
            return compiled(function)
        finally:
            numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]
        if not str(found.stats.cache_path).startswith(inside):  # numba fell back to another place
            return compiled(function)
        return cast("Function", found)

    return decorate


def features() -> frozenset[str]:
    """Return the features of the processor that numba compiles for.

    An instruction that they lack must not even be emitted: LLVM then ends the process.
    """
    chosen = getattr(numba.config, "CPU_FEATURES", None)
    listed = _host() if chosen is None else str(chosen)
    return frozenset(name[1:] for name in listed.split(",") if name.startswith("+"))


def _host() -> str:
    return str(codegen.get_host_cpu_features())  # type: ignore[no-untyped-call]
