"""What keys and proofs cost, told before anything starts."""

from circuits.proving.backend import Cost
from circuits.spec import Circuit


def estimate(circuit: Circuit, threads: int = 1) -> Cost:
    """Return the cost of a circuit's proofs, before anything is started."""
    rows = 2**circuit.logrows
    cells = rows * circuit.columns
    return Cost(
        rows=rows,
        keys_bytes=60_000_000 + 7_000 * cells,
        memory_bytes=60_000_000 + 7_000 * cells,
        disk_bytes=4_000 * cells,
        keys_seconds=round(3.5 + (4.2e-4 * rows + 1.2e-4 * cells) / threads, 1),
        proof_seconds=round(1.5 + 1.0e-4 * cells / threads, 1),
    )
