"""Poseidon by PyPI's poseidon-hash 0.1.4, which shares no code with this project.

Runs in the environment that make_second_opinion.py makes, and prints the vectors as JSON. The
package's own instance differs from circomlib's in three ways, each undone here with its own parts:

- it tells its shift register S-box 1 for x**5; circomlib says 0, which the package says for x**3
- its matrix is 1 / (i + j); circomlib goes on drawing numbers from the register
- it returns the second element of the state, circomlib the first

Its search for a primitive element takes two minutes, so galois is told one: 5.
"""

import contextlib
import functools
import hashlib
import io
import json
import operator
import sys
from collections.abc import Iterator
from typing import Any, Final

# Only the other environment has these packages.
import galois  # type: ignore[import-not-found]
import poseidon  # type: ignore[import-not-found]
from poseidon import round_constants

ORDER: Final = 21888242871839275222246405745257275088548364400416034343698204186575808495617
FULL_ROUNDS: Final = 8
PARTIAL_ROUNDS: Final = {3: 57, 4: 56, 5: 60}
BITS: Final = 254
CASES: Final = 24
TAPS: Final = (62, 51, 38, 23, 13, 0)
ALPHA: Final = 5
ALPHA_OF_THE_REGISTER: Final = 3


def numbers(width: int) -> Iterator[int]:
    """Yield what the package's shift register gives after its first 160 bits."""
    state = round_constants.init_state_for_grain(
        ALPHA_OF_THE_REGISTER, ORDER, BITS, width, FULL_ROUNDS, PARTIAL_ROUNDS[width]
    )
    for _ in range(160):
        state = [*state[1:], functools.reduce(operator.xor, (state[tap] for tap in TAPS))]
    while True:
        state, bits = round_constants.calc_next_bits(state, BITS)
        yield int("".join(map(str, bits)), 2)


def instance(width: int) -> Any:
    """Return the package's Poseidon with circomlib's constants and matrix."""
    drawn = numbers(width)
    below = (number for number in drawn if number < ORDER)
    constants = [next(below) for _ in range(width * (FULL_ROUNDS + PARTIAL_ROUNDS[width]))]
    points = [next(drawn) % ORDER for _ in range(2 * width)]
    matrix = [[hex(pow(x + y, -1, ORDER)) for y in points[width:]] for x in points[:width]]
    return poseidon.Poseidon(
        ORDER,
        128,
        ALPHA,
        width - 1,
        width,
        full_round=FULL_ROUNDS,
        partial_round=PARTIAL_ROUNDS[width],
        mds_matrix=matrix,
        rc_list=list(map(hex, constants)),
        prime_bit_len=BITS,
    )


def inputs_of(width: int, case: int) -> list[int]:
    """Return edges in the first cases, then numbers spread over the field by SHA-256."""
    edges = ([0], [1], [ORDER - 1], [0, ORDER - 1], [1, 2, 3, 4], [2**64, 2**128, 2**192, 2**253])
    if case < len(edges):
        return [edges[case][i % len(edges[case])] for i in range(width - 1)]
    names = (f"second opinion {width} {case} {i}".encode() for i in range(width - 1))
    return [int.from_bytes(hashlib.sha256(name).digest(), "big") % ORDER for name in names]


def cases() -> Iterator[dict[str, Any]]:
    """Yield the cases of all widths."""
    for width in PARTIAL_ROUNDS:
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress
            hasher = instance(width)
        for case in range(CASES):
            inputs = inputs_of(width, case)
            hasher.run_hash([0, *inputs])
            yield {"inputs": list(map(str, inputs)), "output": str(int(hasher.state[0]))}


def main() -> None:
    """Print the file."""
    galois.GF = functools.partial(galois.GF, primitive_element=5, verify=False)
    lines = ",\n".join("    " + json.dumps(case) for case in cases())
    source = (
        "computed by the PyPI package poseidon-hash 0.1.4 with constants and matrix drawn from its "
        "own shift register as circomlib draws them; made by tests/oracle/make_second_opinion.py"
    )
    sys.stdout.write(f'{{\n  "source": {json.dumps(source)},\n  "cases": [\n{lines}\n  ]\n}}\n')


if __name__ == "__main__":
    main()
