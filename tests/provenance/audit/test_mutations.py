"""Every field of every member of a valid bundle is flipped, dropped, doubled and swapped.

The attacker is the exporter: he signs the list of members anew, but cannot sign what others signed.
No mutation may be accepted as `holds`, and nothing but the project's own errors may come out.
"""

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.errors import MalformedError
from provenance.findings import Level, Outcome
from provenance.policy import Policy, Requirement
from tests.provenance.world import World

Path = tuple[str | int, ...]
Mutation = tuple[str, str, bytes | None]
SEED: Final = 20261124
RAW: Final = 1_800
SIGNED: Final = 300


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
    """Yield (kind, member, bytes) for every way to change one member."""
    yield "drop member", name, None
    if not name.endswith(".json"):
        for place in range(0, len(data), max(1, len(data) // 24)):
            yield "flip byte", name, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        yield "cut", name, data[:-1]
        yield "double", name, data + data
        return
    document = json.loads(data)
    for at in paths(document):
        yield from field_mutations(name, document, at)


def field_mutations(name: str, document: Any, at: Path) -> Iterator[Mutation]:
    for kind in ("flip", "drop", "double", "swap"):
        changed = json.loads(json.dumps(document))
        holder, key = inside(changed, at)
        if kind == "flip":
            holder[key] = flipped(holder[key])
        elif kind == "drop":
            del holder[key]
        elif kind == "double" and isinstance(holder, list):
            holder.insert(int(key), holder[key])
        elif kind == "double":
            text = json.dumps(holder[key])
            yield "double", name, canonical.encode(document)[:-1] + f',"{key}":{text}}}'.encode()
            continue
        else:
            names = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            other = names[(names.index(key) + 1) % len(names)]
            holder[key], holder[other] = holder[other], holder[key]
        yield kind, name, canonical.encode(changed)


def payload_mutations(name: str, data: bytes) -> Iterator[Mutation]:
    """Yield changes of what an envelope holds, under the signature that it had."""
    sealed = json.loads(data)
    document = json.loads(base64.b64decode(sealed["payload"]))
    for at in paths(document):
        for kind, _, changed in field_mutations(name, document, at):
            payload = base64.b64encode(changed or b"").decode()
            yield f"{kind} in payload", name, canonical.encode({**sealed, "payload": payload})


def everything(world: World) -> list[Mutation]:
    """Return all changes of a world's members that really change them."""
    found: list[Mutation] = []
    for name, data in sorted(world.members.items()):
        found += mutations(name, data)
        if name.startswith(("attestations/", "log/", "checkpoints/")):
            found += payload_mutations(name, data)
    return [item for item in found if item[2] != world.members[item[1]]]


def demanding(world: World) -> Policy:
    """Return the world's policy, requiring every single finding: else an exporter may leave out."""
    held = [f for f in world.audit().findings if f.outcome is Outcome.HOLDS]
    required = tuple(Requirement(f.claim, f.subject, f.level or Level.L0) for f in held)
    return replace(world.policy, require=required)


def accepted(world: World, chosen: list[Mutation]) -> list[str]:
    """Return the mutations under which the bundle still holds."""
    bad, policy = [], demanding(world)
    assert world.audit(policy).outcome is Outcome.HOLDS
    for kind, name, data in chosen:
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
    chosen = [chance.choice(items) for items in by_kind.values()]
    chosen += chance.sample(found, SIGNED - len(chosen))
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
