"""What keys and proofs cost, told before anything starts.

Measured 24 November 2026 with ezkl 23.0.5 on 2 cores (x86-64 with AVX-512, shared with other work):
CPU seconds and peak resident memory of child processes (os.wait4) with one thread each, keys of
setup alone, on circuits that fill their rows: products of private values without a table; packed
digits, looked up and committed to, with one. By a row of 2**k, for k, columns, and columns of the
table (0 for none):

    k, columns, table    setup µs, kB    prove µs, kB    proving key kB
    12   2   0             186   0.0       251   0.8       3.3
    12   4   0             366   6.9       454   9.2       7.5
    12   3   4             532  12.0       994  27.9      12.0
    13   3   0             199   3.7       244   4.6       3.8
    13   3   2             461  14.3       646  23.4      11.7
    14   2   0             140   3.2       191   4.4       2.9
    14   3   0             178   4.4       236   5.6       3.5
    14   4   0             286  10.2       375  12.4       6.9
    14   3   1             442  15.2       494  20.5      11.0
    14   4   1             484  17.8       615  24.6      12.6
    15   3   0             189   5.7       229   6.7       3.8
    15   4   0             334  11.9       378  13.8       7.5
    15   4   1             481  18.4       600  25.2      12.6
    16   2   0             145   4.8       181   5.9       3.3

The formulas below are within a third of these for time from k = 13 on, and not below them by more
than a tenth for memory. A busy machine, or a slower one, takes longer: each home therefore keeps
the seconds that its own keys and proofs took, and tells those instead once it has any.
"""

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from circuits.proving.backend import Cost
from circuits.proving.files import write_whole
from circuits.spec import Circuit

UNUSABLE: Final = 8
"""Rows at a column's end that ezkl needs for itself."""
BASE_BYTES: Final = 60_000_000
"""Python and ezkl in a child."""
BASE_SECONDS: Final = 0.5
GRAPH_SECONDS: Final = 2.5
"""Settings and compiling; more only for graphs of tens of thousands of operations."""
SPEED_UP: Final = 0.85
"""n threads are n to this power as fast; 2 threads measured 1.8 times as fast."""
_OBSERVED: Final = "observed.json"
_MAX_OBSERVED: Final = 2**20


def estimate(circuit: Circuit, threads: int = 1) -> Cost:
    """Return the cost of a circuit's keys and proofs by the measured model.

    Args:
        circuit: Of any family.
        threads: Of each child process.
    """
    rows, wide = 2**circuit.logrows, _columns(circuit)
    if circuit.hashed:
        looked_up = wide * (circuit.table.columns if circuit.table else 0)
        setup, prove = 260.0 + 42 * wide + 12 * looked_up, 220.0 + 45 * wide + 55 * looked_up
        keys_bytes = 8_000 + 2_700 * wide
        proof_bytes = 7_500 + 3_400 * wide + 900 * looked_up
        disk_bytes = 7_500 + 1_700 * wide
    else:
        more = 1.65 if wide > 3 else 1.0
        setup, prove = (60 + 42 * wide) * more, (105 + 45 * wide) * more
        keys_bytes = int((1_200 + 1_750 * wide) * more)
        proof_bytes = int((2_400 + 1_650 * wide) * more)
        disk_bytes = int((1_700 + 750 * wide) * more)
    speed = float(threads**SPEED_UP) * 1e6
    return Cost(
        rows=rows,
        keys_bytes=BASE_BYTES + keys_bytes * rows,
        memory_bytes=BASE_BYTES + proof_bytes * rows,
        disk_bytes=disk_bytes * rows,
        keys_seconds=round(GRAPH_SECONDS + setup * rows / speed, 1),
        proof_seconds=round(BASE_SECONDS + prove * rows / speed, 1),
    )


def _columns(circuit: Circuit) -> int:
    """Return the columns that ezkl makes: whole sets of them, as many as hold all cells."""
    held = circuit.columns * (2**circuit.logrows - UNUSABLE)
    sets: int = max(1, -(-(circuit.cells or 0) // held))
    return circuit.columns * sets


def expected(circuit: Circuit, threads: int, folder: Path) -> Cost:
    """Return the cost by the model, with the seconds that this home has seen where it has.

    Args:
        circuit: Of any family.
        threads: Of each child process.
        folder: A home's folder `circuits`.
    """
    cost = estimate(circuit, threads)
    found = _read(folder / _OBSERVED).get(_name(circuit, threads), {})
    return replace(
        cost,
        keys_seconds=found.get("keys_seconds", cost.keys_seconds),
        proof_seconds=found.get("proof_seconds", cost.proof_seconds),
    )


def observe(circuit: Circuit, threads: int, folder: Path, field: str, seconds: float) -> None:
    """Remember what keys or a proof took; of several, the later ones weigh more.

    Args:
        circuit: Whose keys or proof.
        threads: Of the child process.
        folder: A home's folder `circuits`.
        field: `keys_seconds` or `proof_seconds`.
        seconds: Wall-clock time.
    """
    known = _read(folder / _OBSERVED)
    mine = known.setdefault(_name(circuit, threads), {})
    mine[field] = round((mine.get(field, seconds) + seconds) / 2, 1)
    write_whole(folder / _OBSERVED, json.dumps(known, sort_keys=True).encode())


def _name(circuit: Circuit, threads: int) -> str:
    return f"{circuit.name} {threads}"


def _read(path: Path) -> dict[str, dict[str, float]]:
    """Return what was observed; a file that cannot be read is as good as none."""
    found: dict[str, dict[str, float]] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        if path.stat().st_size <= _MAX_OBSERVED:
            for name, seconds in json.loads(path.read_bytes()).items():
                known = {"keys_seconds", "proof_seconds"} & seconds.keys()
                found[name] = {each: float(seconds[each]) for each in known}
    return found
