"""Record anew what a real node answers, for tests that run without one.

    python -m tests.devnet.record

writes the members below into tests/vectors/celestia_devnet.json and leaves the others as they are.
Values differ each time (keys, times, hashes); the shape does not.

    validators   21 headers in a row of a chain with four validators, absent votes, later rounds
    range        header.GetRangeByHeight: the header it starts from, `to`, and the answer
    namespaces   blobs, the header of their block, and what is answered about their namespace
    pruned       calls about a block that the node has deleted, and its answers
    refused      calls that a node refuses, and its answers

A blob whose `data` are null is the first `size` bytes of SHAKE-256(size as 4 bytes, big-endian).
"""

import base64
import json
import tempfile
from hashlib import shake_256
from pathlib import Path
from typing import Any, Final

from storage.celestia.share import Blob, count_shares
from tests.devnet import raw
from tests.devnet.building import found
from tests.devnet.nodes import Bridge, Chain, Shape
from tests.devnet.test_blobs import bytes_of_address

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "celestia_devnet.json"
HEADERS: Final = range(2, 23)
POWERS: Final = (4, 3, 2, 1)
SMALL: Final = 100
NOTHING: Final = base64.b64encode(bytes(32)).decode()


def main() -> None:
    """Record, and write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = Shape(powers=POWERS, absent=3, late=4)
        with (
            Chain(folder / "four", found(), shape) as chain,
            chain.bridge(authentication=False) as bridge,
        ):
            recorded = {
                "validators": _validators(chain, bridge),
                "range": _range(bridge),
                "namespaces": _namespaces(bridge),
                "refused": _refused(bridge),
            }
        with (
            Chain(folder / "one", found(), Shape()) as chain,
            chain.bridge(authentication=False, archival=False) as bridge,
        ):
            recorded["pruned"] = _pruned(chain, bridge)
    known = json.loads(VECTORS.read_text())
    _write({**known, **recorded})


def _write(members: dict[str, Any]) -> None:
    """Write a line for each element of a list, so that a change shows where it is."""
    parts = []
    for name, value in members.items():
        if isinstance(value, list) and len(json.dumps(value)) > SMALL:
            lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in value)
            parts.append(f"{json.dumps(name)}:[\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}")
    VECTORS.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def _validators(chain: Chain, bridge: Bridge) -> list[Any]:
    chain.wait_for(HEADERS[-1] + 1)
    return [raw.ask(bridge.url, "header.WaitForHeight", height) for height in HEADERS]


def _range(bridge: Bridge) -> dict[str, Any]:
    first = raw.ask(bridge.url, "header.GetByHeight", 4)
    answer = raw.ask(bridge.url, "header.GetRangeByHeight", first, 8)
    return {"from": first, "to": 8, "answer": answer}


def _namespaces(bridge: Bridge) -> list[Any]:
    """Return the cases: what was posted together, and what is answered of one namespace."""
    signer = base64.b64encode(bytes_of_address(bridge.account)).decode()
    one, two, three = (_namespace(last) for last in (1, 2, 3))
    cases = [
        ("one blob in one row", one, [_blob(one, 300)]),
        ("the same namespace several times", one, [_blob(one, size) for size in (1, 478, 479)]),
        ("several blobs in several rows", one, [_blob(one, n) for n in (1, 5000, 9000, 479, 4000)]),
        ("between two others", two, [_blob(one, 700), _blob(two, 6000), _blob(three, 900)]),
        ("a blob of share version 1", one, [{**_blob(one, 1200), **_signed(signer)}]),
        ("absent from a row that covers it", two, [_blob(one, 3), _blob(three, 1200)]),
        ("absent from all rows", three, [_blob(one, 300)]),
    ]
    return [_case(bridge, name, namespace, blobs) for name, namespace, blobs in cases] + [
        _asked(bridge, "an empty block", one, [], 2)
    ]


def _case(bridge: Bridge, name: str, namespace: str, blobs: list[Any]) -> dict[str, Any]:
    sent = [{**blob, "data": _data(blob)} for blob in blobs]
    sent = [{key: value for key, value in blob.items() if key != "size"} for blob in sent]
    height = raw.ask(bridge.url, "blob.Submit", sent, {})
    return _asked(bridge, name, namespace, blobs, height)


def _asked(
    bridge: Bridge, name: str, namespace: str, blobs: list[Any], height: int
) -> dict[str, Any]:
    header = raw.ask(bridge.url, "header.WaitForHeight", height)
    told = raw.ask(bridge.url, "blob.GetAll", height, [namespace]) or []
    places = [(height, namespace, blob["commitment"]) for blob in told]
    return {
        "name": name,
        "namespace": namespace,
        "blobs": [{**blob, "data": None} for blob in blobs],
        "header": header,
        "get_all": [{**blob, "data": None} for blob in told],
        "namespace_data": raw.ask(bridge.url, "share.GetNamespaceData", height, namespace),
        "get_range": _shares(bridge, height, header, told),
        "get_proof": [raw.ask(bridge.url, "blob.GetProof", *place) for place in places],
        "commitment_proof": [
            raw.ask(bridge.url, "blob.GetCommitmentProof", *place) for place in places
        ],
    }


def _shares(bridge: Bridge, height: int, header: Any, told: list[Any]) -> dict[str, Any] | None:
    """Return the first blob's shares; a node never answers for more than one namespace."""
    if not told:
        return None
    first = told[0]
    signer = base64.b64decode(first.get("signer", ""))
    space, data = (base64.b64decode(first[name]) for name in ("namespace", "data"))
    width = len(header["dah"]["row_roots"])
    start = first["index"] // width * (width // 2) + first["index"] % width
    end = start + count_shares(Blob(space, data, first["share_version"], signer))
    answer = raw.ask(bridge.url, "share.GetRange", height, start, end)
    return {"start": start, "end": end, "answer": answer}


def _refused(bridge: Bridge) -> list[Any]:
    space, height = _namespace(9), 2
    blob = {"namespace": space, "data": "AAAA", "share_version": 0, "index": -1}
    cheap = {"gas_price": 0.000001, "is_gas_price_set": True}
    calls: list[tuple[str, list[Any]]] = [
        ("blob.Submit", [[blob], cheap]),
        ("blob.Submit", [[blob], {"max_gas_price": 0.000001}]),
        ("blob.Submit", [[blob], {"gas_price": 0.02, "is_gas_price_set": True, "gas": 1000}]),
        ("blob.Submit", [[blob], {"key_name": "nobody"}]),
        ("blob.Submit", [[blob], {"signer_address": "celestia1nobody"}]),
        ("blob.Submit", [[], {}]),
        ("blob.Submit", [[{**blob, "signer": ""}], {}]),
        ("blob.Submit", [[{**blob, "data": ""}], {}]),
        ("blob.Submit", [[{**blob, "namespace": base64.b64encode(bytes(29)).decode()}], {}]),
        ("blob.Get", [height, space, NOTHING]),
        ("blob.GetCommitmentProof", [height, space, NOTHING]),
        ("blob.GetAll", [10**6, [space]]),
        ("blob.GetAll", [0, [space]]),
        ("header.GetByHeight", [10**6]),
        ("header.GetByHash", ["0" * 64]),
        ("share.GetNamespaceData", [10**6, space]),
        ("share.GetRange", [height, 5000, 5001]),
        ("blob.Nothing", []),
        ("blob.Get", ["no height"]),
    ]
    return [_exchanged(bridge, *call) for call in calls]


def _pruned(chain: Chain, bridge: Bridge) -> list[Any]:
    space = _namespace(1)
    sent = {"namespace": space, "data": "AAAA", "share_version": 0, "index": -1}
    height = raw.ask(bridge.url, "blob.Submit", [sent], {})
    commitment = raw.ask(bridge.url, "blob.GetAll", height, [space])[0]["commitment"]
    header = raw.ask(bridge.url, "header.GetByHeight", height)
    chain.wait_for(height + 8)
    raw.ask(bridge.url, "header.WaitForHeight", height + 8)
    bridge.stop()
    bridge.forget(height + 5)
    place = [height, space, commitment]
    calls: list[tuple[str, list[Any]]] = [
        ("header.GetByHeight", [height]),
        ("header.GetByHash", [header["commit"]["block_id"]["hash"]]),
        ("header.WaitForHeight", [height]),
        ("header.GetRangeByHeight", [header, height + 3]),
        ("blob.Get", place),
        ("blob.GetAll", [height, [space]]),
        ("blob.GetProof", place),
        ("blob.GetCommitmentProof", place),
        ("share.GetNamespaceData", [height, space]),
        ("share.GetRange", [height, 0, 1]),
        ("share.GetRow", [height, 0]),
        ("share.GetShare", [height, 0, 0]),
        ("share.GetEDS", [height]),
        ("share.SharesAvailable", [height]),
    ]
    return [_exchanged(bridge, *call) for call in calls]


def _exchanged(bridge: Bridge, method: str, params: list[Any]) -> dict[str, Any]:
    status, body = raw.exchange(bridge.url, method, params)
    return {"method": method, "params": params, "status": status, "body": body}


def _namespace(last: int) -> str:
    return base64.b64encode(bytes(19) + b"recorded-" + bytes([last])).decode()


def _blob(namespace: str, size: int) -> dict[str, Any]:
    return {"namespace": namespace, "size": size, "share_version": 0, "index": -1}


def _signed(signer: str) -> dict[str, Any]:
    return {"share_version": 1, "signer": signer}


def _data(blob: dict[str, Any]) -> str:
    size: int = blob["size"]
    return base64.b64encode(shake_256(size.to_bytes(4, "big")).digest(size)).decode()


if __name__ == "__main__":
    main()
