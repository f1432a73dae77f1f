"""Looks for secret values in any spelling."""

from collections.abc import Iterator


def spellings(secret: int) -> Iterator[bytes]:
    """Yield the ways in which a value is written by Python, ezkl or JSON."""
    for order in ("little", "big"):
        raw = secret.to_bytes(32, order)
        yield raw
        yield raw.hex().encode()
    yield str(secret).encode()
    yield f"{secret:x}".encode()
    yield ", ".join(map(str, secret.to_bytes(32, "little"))).encode()


def found_in(data: bytes, secrets: tuple[int, ...]) -> list[int]:
    return [s for s in secrets if any(text in data.lower() for text in spellings(s))]
