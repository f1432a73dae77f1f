"""What a training script hands over, as what can be committed: states, values, a model."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any

from provenance.canonical import Json, digest
from provenance.errors import MalformedError
from provenance.field import Digest


def state_bytes(state: object) -> bytes:
    """Return a state's canonical bytes: bytes as they are, arrays with their type and shape.

    Raises:
        MalformedError: Neither bytes, an array, nor a mapping or sequence of arrays.
    """
    if isinstance(state, bytes):
        return state
    if isinstance(state, Mapping):
        return b"".join(_framed(str(k).encode(), state_bytes(state[k])) for k in sorted(state))
    if hasattr(state, "__array__"):
        import numpy as np

        array = np.ascontiguousarray(state)
        if array.dtype.hasobject:
            raise MalformedError("a state is made of numbers, not of Python objects")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return _framed(f"{array.dtype.str} {array.shape}".encode(), array.tobytes())
    if isinstance(state, Sequence) and not isinstance(state, str):
        return b"".join(_framed(b"", state_bytes(item)) for item in state)
    raise MalformedError(f"a state is bytes or arrays, not {type(state).__name__}")


def _framed(label: bytes, data: bytes) -> bytes:
    return len(label).to_bytes(4, "big") + label + len(data).to_bytes(8, "big") + data


def integers(state: object) -> tuple[int, ...]:
    """Return a state of form fixed14/1, or raise MalformedError."""
    if not isinstance(state, Iterable):
        raise MalformedError("a state of form fixed14/1 is a sequence of integers")
    values: list[Any] = list(state)
    if any(int(value) != value for value in values):
        raise MalformedError("a state of form fixed14/1 is a sequence of integers")
    return tuple(int(value) for value in values)


def plain_object(members: Mapping[str, object]) -> dict[str, Json]:
    """Return declared values as JSON holds them, numpy's numbers and arrays too.

    Raises:
        MalformedError: A value is neither a number, nor text, nor a list or mapping of these.
    """
    return {str(name): _plain(value) for name, value in members.items()}


def _plain(value: Any) -> Json:  # noqa: ANN401  # numpy's numbers and arrays are taken too
    """Return a declared value as JSON holds it."""
    if isinstance(value, Mapping):
        return plain_object(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise MalformedError(f"a declared value is a number, text or a list, not {value!r:.80}")


def model_digest(model: bytes | Path | None) -> Digest | None:
    """Return SHA-256 of a model's bytes or of its file, or None where there is no model.

    Raises:
        MalformedError: The file is missing or cannot be read.
    """
    if not isinstance(model, Path):
        return None if model is None else digest(model)
    try:
        with model.open("rb") as file:
            return Digest(file_digest(file, "sha256").digest())
    except OSError as error:
        raise MalformedError(f"{model}: {error.strerror}: name the model's file") from error
