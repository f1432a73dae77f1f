"""Keys, settings and SRS in a folder, found by digest and made anew when missing or corrupt.

    HOME/circuits/objects/<SHA-256>               settings, verifying key, cut SRS, proving key, …
    HOME/circuits/keys/<circuit>-<source>.json    which objects belong to a circuit under an SRS
    HOME/circuits/srs/insecure-13-<SHA-256>       a whole SRS made on this machine: INSECURE
    HOME/circuits/srs/lent-<SHA-256>              one that came with a request of another machine
    HOME/circuits/srs/ceremony                    digests of the cuts of ceremony files seen here

Whoever makes an SRS can forge every proof under it. A local one serves demo and tests; the public
ceremony's files are given by path and recognised by the SHA-256 values below. Nothing is ever
fetched.

An SRS file holds k (4 bytes, little-endian), 2**k points of G1 in monomial form, as many in
Lagrange form (64 bytes each), and two points of G2 (128 bytes each). A verifier needs the first
point of G1 and the two of G2. The *cut* that evidence carries and proofs name is therefore

    01000000 ‖ G1[0] ‖ G1[1] ‖ G1[0] ‖ G1[1] ‖ the two points of G2        516 bytes

and the same for every k: one digest stands for a whole ceremony. (The points that would be in
Lagrange form are not read by a verifier; these keep the file's form.)
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import file_digest
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

from circuits.proving import prover
from circuits.proving.costs import estimate
from circuits.proving.files import write_whole
from circuits.proving.lock import locked
from circuits.proving.machine import require_disk, require_memory
from circuits.proving.worker import LIMITS, Limits, Progress, scratch, silent
from circuits.spec import Circuit
from provenance import canonical
from provenance.canonical import Fields
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.proof import Proof

CEREMONY: Final[Mapping[int, str]] = {
    10: "9705d450e5dfd06adb673705f7bc34418ec86339203198beceb2ae7f1ffefedb",
    11: "257fa566ed9bc0767d3e63e92b5e966829fa3347d320a32055dc31ee7d33f8a4",
    12: "28b151069f41abc121baa6d2eaa8f9e4c4d8326ddbefee2bd9c0776b80ac6fad",
    13: "d5d94bb25bdc024f649213593027d861042ee807cafd94b49b54f1663f8f267d",
    14: "c09129f064c08ecb07ea3689a2247dcc177de6837e7d2f5f946e30453abbccef",
    15: "90807800a1c3b248a452e1732c45ee5099f38b737356f5542c0584ec9c3ebb45",
    16: "2a1a494630e71bc026dd5c0eab4c1b9a5dbc656228c1f0d48f5dbd3909b161d3",
    17: "41509f380362a8d14401c5ae92073154922fe23e45459ce6f696f58607655db7",
    18: "d0148475717a2ba269784a178cb0ab617bc77f16c58d4a3cbdfe785b591c7034",
    19: "d1a1655b4366a766d1578beb257849a92bf91cb1358c1a2c37ab180c5d3a204d",
    20: "54ef75911da76d7a6b7ea341998aaf66cb06c679c53e0a88a4fe070dd3add963",
}
"""SHA-256 of the perpetual powers of tau as ezkl distributes them, by k (src/srs_sha.rs)."""

FOLDER: Final = "circuits"
G1_BYTES: Final = 64
G2_BYTES: Final = 128
_KIND: Final = "rootline/circuit-keys/v1"


@dataclass(frozen=True, slots=True)
class Srs:
    """A structured reference string on disk.

    Attributes:
        path: The whole file.
        logrows: It serves circuits of up to 2**logrows rows.
        cut: What a verifier needs of it.
        insecure: Made on this machine: whoever made it can forge proofs.
    """

    path: Path
    logrows: int
    cut: bytes
    insecure: bool

    @property
    def digest(self) -> Digest:
        """SHA-256 of the cut: the name under which proofs and policies know this SRS."""
        return canonical.digest(self.cut)


@dataclass(frozen=True, slots=True)
class Keys:
    """A circuit's artifacts under one SRS, as digests of objects."""

    settings: Digest
    verifying_key: Digest
    proving_key: Digest
    compiled: Digest
    srs: Digest


@dataclass(frozen=True, slots=True)
class Derived:
    """A circuit as a policy names it: digests of its artifacts, and the size of every proof."""

    circuit: str
    settings: Digest
    verifying_key: Digest
    srs: Digest
    proof_bytes: int

    @property
    def json(self) -> dict[str, str | int]:
        """The entry of a policy's `circuits`."""
        return {
            "circuit": self.circuit,
            "settings": self.settings.hex(),
            "verifying_key": self.verifying_key.hex(),
            "srs": self.srs.hex(),
            "proof_bytes": self.proof_bytes,
        }


def local_srs(
    home: Path,
    logrows: int,
    *,
    limits: Limits = LIMITS,
    progress: Progress = silent,
    cancel: Event | None = None,
) -> Srs:
    """Return the INSECURE SRS of this home folder, made now if there is none of this size.

    Raises:
        UnavailableError: ezkl is not installed or failed, or it was cancelled.
    """
    if found := _local_srs(home, logrows):
        return found
    with locked(home / FOLDER / "srs" / f"{logrows}.lock", progress, cancel):
        if found := _local_srs(home, logrows):
            return found
        with scratch(home / FOLDER) as folder:
            made = prover.generate_srs(logrows, folder, limits, progress, cancel).read_bytes()
        path = home / FOLDER / "srs" / f"insecure-{logrows}-{canonical.digest(made).hex()}"
        write_whole(path, made)
        return _read_srs(path, insecure=True)


def adopt_srs(home: Path, whole: bytes) -> Srs:
    """Return an SRS that another of this user's machines sent, kept in this home.

    Raises:
        MalformedError: Not an SRS file.
        UnavailableError: It cannot be written.
    """
    path = home / FOLDER / "srs" / f"lent-{canonical.digest(whole).hex()}"
    if not path.exists():
        write_whole(path, whole)
    return _read_srs(path, insecure=True)


def ceremony_srs(home: Path, path: Path) -> Srs:
    """Return the SRS in a file of the public ceremony, and remember its digest as such.

    Raises:
        MalformedError: Not an SRS file.
        VerificationError: None of the ceremony's files.
        UnavailableError: It cannot be read.
    """
    try:
        with path.open("rb") as file:  # once: another file may take its place meanwhile
            srs = _srs_in(file, path, insecure=False)
            file.seek(0)
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}") from error
    if CEREMONY.get(srs.logrows) != found:
        raise VerificationError(f"{path}: SHA-256 {found} is none of the ceremony's files")
    known = home / FOLDER / "srs" / "ceremony"
    write_whole(known, json.dumps(sorted({*_ceremony_cuts(home), srs.digest.hex()})).encode())
    return srs


def is_insecure(srs: Digest, home: Path) -> bool:
    """Return whether an SRS, named by the digest of its cut, is anything but the ceremony's.

    Only cuts of ceremony files that `ceremony_srs` saw in this home are known to be secure.
    """
    return srs.hex() not in _ceremony_cuts(home)


def keys(
    circuit: Circuit,
    srs: Srs,
    home: Path,
    *,
    limits: Limits = LIMITS,
    progress: Progress = silent,
    cancel: Event | None = None,
) -> Keys:
    """Return a circuit's keys under an SRS, from the cache or made anew.

    Raises:
        VerificationError: Graph or settings differ from the circuit's pinned ones.
        UnavailableError: ezkl is not installed or failed, or time, memory or disk do not suffice.
    """
    onnx = _check_graph(circuit, circuit.onnx())
    source = {"onnx": onnx.hex(), "arguments": circuit.run_arguments, "cells": circuit.cells}
    made_of = canonical.digest(canonical.encode({**source, "srs": srs.digest.hex()}))
    index = home / FOLDER / "keys" / f"{circuit.name}-{made_of.hex()}.json"
    if found := _cached_keys(index, circuit, srs, home):
        return found
    if srs.logrows < circuit.logrows:
        raise UnavailableError(f"{circuit.name} needs an SRS with k >= {circuit.logrows}")
    with locked(index.with_suffix(".lock"), progress, cancel):
        if found := _cached_keys(index, circuit, srs, home):
            return found
        made = _made_keys(circuit, srs, home, limits, progress, cancel)
        write_whole(index, _encode_keys(made))
    return made


def _cached_keys(index: Path, circuit: Circuit, srs: Srs, home: Path) -> Keys | None:
    """Return the keys that the cache holds whole, or None."""
    with contextlib.suppress(FileNotFoundError, MalformedError, UnavailableError):
        found = _parse_keys(index.read_bytes())
        for name in fields(found):
            object_path(home, getattr(found, name.name))
        if found.srs == srs.digest and _is_pinned(found.settings, circuit):
            return found
    return None


def _made_keys(
    circuit: Circuit,
    srs: Srs,
    home: Path,
    limits: Limits,
    progress: Progress,
    cancel: Event | None,
) -> Keys:
    _require(circuit, home, limits)
    with scratch(home / FOLDER) as folder:
        files = prover.derive(circuit, srs.path, folder, limits, progress, cancel)
        settings = canonical.digest(files["settings"].read_bytes())
        if not _is_pinned(settings, circuit):
            raise VerificationError(f"{circuit.name}: settings {settings.hex()} are not the pinned")
        _store(home, srs.cut)
        return Keys(
            **{name: _store(home, path.read_bytes()) for name, path in files.items()},
            srs=srs.digest,
        )


def derive_anew(
    circuit: Circuit,
    srs: Srs,
    home: Path,
    *,
    limits: Limits = LIMITS,
    progress: Progress = silent,
) -> Derived:
    """Return what a circuit is to a verifier, made anew from source, whatever the cache holds.

    An auditor compares it with what a proof names, or puts it into a policy. It is the same on
    every machine for one circuit and one SRS.

    Raises:
        VerificationError: Graph or settings differ from the circuit's pinned ones.
        UnavailableError: As `keys`.
    """
    _check_graph(circuit, circuit.onnx())
    _require(circuit, home, limits)
    with scratch(home / FOLDER) as folder:
        files = prover.derive(circuit, srs.path, folder, limits, progress)
        settings = canonical.digest(files["settings"].read_bytes())
        key = canonical.digest(files["verifying_key"].read_bytes())
    if not _is_pinned(settings, circuit):
        raise VerificationError(f"{circuit.name}: settings {settings.hex()} are not the pinned")
    size = circuit.proof_bytes
    if size is None:
        with scratch(home / FOLDER) as folder:
            size = prover.proof_size(circuit, srs.path, folder, limits, progress)
    return Derived(circuit.name, settings, key, srs.digest, size)


def verifier_artifacts(proof: Proof, home: Path) -> dict[Digest, bytes]:
    """Return verifying key, settings and cut SRS of a proof made in this home, by digest.

    Raises:
        UnavailableError: They are not there.
    """
    return {digest: object_path(home, digest).read_bytes() for digest in proof.artifacts}


def object_path(home: Path, digest: Digest) -> Path:
    """Return where the object with this digest lies, or raise UnavailableError."""
    path = home / FOLDER / "objects" / digest.hex()
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        if file_digest(file, "sha256").digest() == digest:
            return path
        path.unlink()
    raise UnavailableError(f"the artifact {digest.hex()} is missing or corrupt; make it anew")


def _check_graph(circuit: Circuit, onnx: bytes) -> Digest:
    """Return the digest of a circuit's graph, or raise VerificationError if it is not as pinned."""
    found = canonical.digest(onnx)
    if circuit.onnx_digest not in (None, found):
        raise VerificationError(f"{circuit.name}: graph {found.hex()} is not the pinned one")
    return found


def _require(circuit: Circuit, home: Path, limits: Limits) -> None:
    """Refuse to make keys where memory or disk will not suffice, or raise UnavailableError."""
    cost, what = estimate(circuit, limits.threads), f"making the keys of {circuit.name}"
    home.mkdir(parents=True, exist_ok=True)
    require_memory(cost.keys_bytes, limits.memory_bytes, what)
    require_disk(2 * cost.disk_bytes, home, what)


def _is_pinned(settings: Digest, circuit: Circuit) -> bool:
    return circuit.settings_digest in (None, settings)


def _store(home: Path, data: bytes) -> Digest:
    digest = canonical.digest(data)
    write_whole(home / FOLDER / "objects" / digest.hex(), data)
    return digest


def _local_srs(home: Path, logrows: int) -> Srs | None:
    """Return the local SRS of this size, or None; a corrupt one is removed."""
    for path in sorted((home / FOLDER / "srs").glob(f"insecure-{logrows}-*")):
        if canonical.digest(path.read_bytes()).hex() == path.name.rpartition("-")[2]:
            return _read_srs(path, insecure=True)
        path.unlink()
    return None


def _read_srs(path: Path, *, insecure: bool) -> Srs:
    try:
        with path.open("rb") as file:
            return _srs_in(file, path, insecure=insecure)
    except OSError as error:
        raise UnavailableError(f"{path}: cannot be read: {error.strerror}") from error


def _srs_in(file: BinaryIO, path: Path, *, insecure: bool) -> Srs:
    logrows = int.from_bytes(file.read(4), "little")
    first = file.read(2 * G1_BYTES)
    size = 4 + 2 * 2 ** min(logrows, 40) * G1_BYTES + 2 * G2_BYTES
    if file.seek(0, os.SEEK_END) != size:
        raise MalformedError(f"{path}: not an SRS file, or cut short")
    file.seek(size - 2 * G2_BYTES)
    cut = (1).to_bytes(4, "little") + first + first + file.read()
    return Srs(path, logrows, cut, insecure)


def _ceremony_cuts(home: Path) -> list[str]:
    try:
        return [str(text) for text in json.loads((home / FOLDER / "srs" / "ceremony").read_bytes())]
    except (FileNotFoundError, ValueError):
        return []


def _encode_keys(keys: Keys) -> bytes:
    return canonical.encode(
        {
            "kind": _KIND,
            "settings": keys.settings.hex(),
            "verifying_key": keys.verifying_key.hex(),
            "proving_key": keys.proving_key.hex(),
            "compiled": keys.compiled.hex(),
            "srs": keys.srs.hex(),
        }
    )


def _parse_keys(data: bytes) -> Keys:
    document = Fields.parse(data, _KIND)
    found = Keys(**{each.name: document.digest(each.name) for each in fields(Keys)})
    document.done()
    return found
