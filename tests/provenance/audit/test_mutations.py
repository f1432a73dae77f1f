"""Every field of every member of a valid bundle is flipped, dropped, doubled and swapped.

The attacker is the exporter: he signs the list of members anew, but cannot sign what others signed.
No mutation may be accepted as `holds`, and nothing but the project's own errors may come out.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.errors import MalformedError
from provenance.findings import Level, Outcome
from provenance.policy import Policy, Requirement
from tests.provenance.world import World

Path = tuple[str | int, ...]
Mutation = tuple[str, str, Callable[[], bytes | None]]
SEED: Final = 20261124
RAW: Final = 1_800
SIGNED: Final = 200


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the way to every field inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        yield (*at, name)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*at, name))


def inside(value: Any, at: Path) -> tuple[Any, Any]:
    """Return what holds the field at the end of a way, and the field's own name or number."""
    for name in at[:-1]:
        value = value[name]
    return value, at[-1]


def flipped(value: Any) -> Any:
    """Return another value of the same type, as like as can be."""
    match value:
        case bool():
            return not value
        case None:
            return "00" * 32
        case int() | float():
            return value + 1
        case str():
            last = "1" if value[-1:] != "1" else "2"
            return value[:-1] + last
        case dict():
            return {**value, "surplus": 1}
        case list():
            return [*value, 1]
        case _:
            raise TypeError(value)


def mutations(name: str, data: bytes) -> Iterator[Mutation]:
    """Yield (kind, member, what makes its bytes) for every way to change one member."""
    yield "drop member", name, lambda: None
    if not name.endswith(".json"):
        for place in range(0, len(data), max(1, len(data) // 24)):
            yield "flip byte", name, partial(flipped_byte, data, place)
        yield "cut", name, lambda: data[:-1]
        yield "double", name, lambda: data + data
        return
    for kind, at in field_mutations(json.loads(data)):
        yield kind, name, partial(mutated, kind, data, at)


def flipped_byte(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def field_mutations(document: Any) -> Iterator[tuple[str, Path]]:
    for at in paths(document):
        for kind in ("flip", "drop", "double", "swap"):
            yield kind, at


def mutated(kind: str, data: bytes, at: Path) -> bytes:
    """Return a document with one field changed."""
    changed = json.loads(data)
    holder, key = inside(changed, at)
    if kind == "flip":
        holder[key] = flipped(holder[key])
    elif kind == "drop":
        del holder[key]
    elif kind == "double" and isinstance(holder, list):
        holder.insert(int(key), holder[key])
    elif kind == "double":
        return canonical.encode(changed)[:-1] + f',"{key}":{json.dumps(holder[key])}}}'.encode()
    else:
        names = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        other = names[(names.index(key) + 1) % len(names)]
        holder[key], holder[other] = holder[other], holder[key]
    return canonical.encode(changed)


def payload_mutations(name: str, data: bytes) -> Iterator[Mutation]:
    """Yield changes of what an envelope holds, under the signature that it had."""
    sealed = json.loads(data)
    payload = base64.b64decode(sealed["payload"])
    for kind, at in field_mutations(json.loads(payload)):
        yield f"{kind} in payload", name, partial(resealed, sealed, kind, payload, at)


def resealed(sealed: dict[str, Any], kind: str, payload: bytes, at: Path) -> bytes:
    changed = base64.b64encode(mutated(kind, payload, at)).decode()
    return canonical.encode({**sealed, "payload": changed})


def everything(world: World) -> list[Mutation]:
    """Return all changes of a world's members; a few change nothing, as a swap of equals."""
    found: list[Mutation] = []
    for name, data in sorted(world.members.items()):
        found += mutations(name, data)
        if name.startswith(("attestations/", "log/", "checkpoints/")):
            found += payload_mutations(name, data)
    return found


def is_change(world: World, item: Mutation) -> bool:
    return item[2]() != world.members[item[1]]


def demanding(world: World) -> Policy:
    """Return the world's policy, requiring every single finding: else an exporter may leave out."""
    held = [f for f in world.audit().findings if f.outcome is Outcome.HOLDS]
    required = tuple(Requirement(f.claim, f.subject, f.level or Level.L0) for f in held)
    return replace(world.policy, require=required)


def accepted(world: World, chosen: list[Mutation]) -> list[str]:
    """Return the mutations under which the bundle still holds."""
    bad, policy = [], demanding(world)
    assert world.audit(policy).outcome is Outcome.HOLDS
    for kind, name, make in chosen:
        data = make()
        if world.members[name] == data:
            continue
        members = {path: body for path, body in world.members.items() if path != name}
        if data is not None:
            members[name] = data
        try:
            outcome = world.audit(policy, members).outcome
        except MalformedError:
            continue
        if outcome is Outcome.HOLDS:
            bad.append(f"{kind} {name}")
    return bad


def test_no_changed_field_is_accepted(honest: World) -> None:
    found = everything(honest)
    by_kind: dict[str, list[Mutation]] = {}
    for item in found:
        by_kind.setdefault(f"{item[0]} {item[1].partition('/')[0]}", []).append(item)
    chance = random.Random(SEED)  # noqa: S311  # a sample that repeats, not a secret
    chance.shuffle(found)
    chosen = []
    for items in by_kind.values():
        chance.shuffle(items)
        chosen.append(next(item for item in items if is_change(honest, item)))
    others = (item for item in found if is_change(honest, item))
    chosen += islice(others, SIGNED - len(chosen))
    assert len(chosen) == SIGNED
    assert accepted(honest, chosen) == []


@pytest.mark.slow
def test_no_changed_field_at_all_is_accepted(honest: World) -> None:
    assert accepted(honest, everything(honest)) == []


def test_no_changed_byte_is_accepted(honest: World) -> None:
    data = honest.seal()
    chance = random.Random(SEED)  # noqa: S311  # a sample that repeats, not a secret
    for _ in range(RAW):
        place = chance.randrange(len(data))
        kind = chance.choice(("flip", "drop", "double", "swap"))
        byte = data[place : place + 1]
        other = data[place + 1 : place + 2]
        changed = {
            "flip": bytes([byte[0] ^ (1 << chance.randrange(8))]) + other,
            "drop": other,
            "double": byte + byte + other,
            "swap": other + byte,
        }[kind]
        mutated = data[:place] + changed + data[place + 2 :]
        if mutated == data:
            continue
        try:
            assert honest.audit(data=mutated).outcome is not Outcome.HOLDS
        except MalformedError:
            continue
