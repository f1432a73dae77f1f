"""A proof made on another machine, and believed only when it verifies here.

The executor is anybody's: whatever calls a function elsewhere and returns a future of its result.
The witness goes with the call, in pieces so small that Ray sends them with the task itself and
keeps them out of its object store, whose files on disk others may read. The other machine makes
the keys anew, once, in a folder of the same path as here; they are the same everywhere. What was
cancelled is no longer waited for; its child over there ends at its limit of time.
"""

import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from circuits.evaluate import public_values
from circuits.proving.artifacts import adopt_srs, verifier_artifacts
from circuits.proving.backend import Cost
from circuits.proving.ezkl_prover import EzklProver, check
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import Progress, silent
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.proof import Proof

Submit = Callable[..., Future[Any]]
"""As `concurrent.futures.Executor.submit`: a function and its arguments."""
ATTEMPTS: Final = 2
"""How often a proof is asked for that could not be made, perhaps for want of a machine."""
PIECE: Final = 2**16
"""Bytes; Ray keeps arguments below 100 kB with the task, up to 10 MB of them."""
WAIT_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class FarProver:
    """Proves wherever an executor has room.

    Attributes:
        near: Makes the keys here, by which the proofs of others are verified.
        submit: Of the executor.
    """

    near: EzklProver
    submit: Submit

    @property
    def name(self) -> str:
        """The backend: ezkl."""
        return self.near.name

    @property
    def version(self) -> str:
        """The version installed here; the other machine's must be the same."""
        return self.near.version

    def cost(self, circuit: Circuit) -> Cost:
        """Return what a proof will take over there."""
        return self.near.cost(circuit)

    def prepare(self, circuit: Circuit, progress: Progress = silent) -> Mapping[str, Digest]:
        """Return verifying key, settings and SRS by digest, made here unless they are there."""
        return self.near.prepare(circuit, progress)

    def prove(self, circuit: Circuit, solved: Solved, progress: Progress = silent) -> Proof:
        """Return a proof made elsewhere and verified here; see `Prover.prove`."""
        checked = check(circuit, solved)
        named = self.prepare(circuit, progress)
        srs = self.near.whole_srs(circuit).path.read_bytes()
        sealed = pickle.dumps((circuit, checked, self.near.limits))
        pieces = [sealed[at : at + PIECE] for at in range(0, len(sealed), PIECE)]
        progress("prove elsewhere")
        proof = self._asked(str(self.near.home), srs, pieces)
        made = {name: getattr(proof, name) for name in named}
        public = public_values(checked.outputs, hashed=circuit.hashed)
        if (made, proof.circuit, proof.public) != (dict(named), circuit.name, public):
            raise VerificationError(f"another machine proved something else than {circuit.name}")
        progress("verify")
        EzklVerifier(self.near.home).verify(proof, verifier_artifacts(proof, self.near.home))
        return proof

    def _asked(self, home: str, srs: bytes, pieces: list[bytes]) -> Proof:
        for left in reversed(range(ATTEMPTS)):
            try:
                return Proof.parse(self._answer(self.submit(prove_here, home, srs, *pieces)))
            except UnavailableError:
                if not left or self._is_cancelled():
                    raise
        raise UnavailableError("nobody was asked for a proof")

    def _answer(self, future: Future[Any]) -> bytes:
        while True:
            try:
                return bytes(future.result(WAIT_SECONDS))
            except TimeoutError:
                if future.done():
                    raise UnavailableError("another machine ran out of time") from None
                if self._is_cancelled():
                    future.cancel()
                    raise UnavailableError("prove: cancelled") from None

    def _is_cancelled(self) -> bool:
        return self.near.cancel is not None and self.near.cancel.is_set()


def prove_here(home: str, srs: bytes, *pieces: bytes) -> bytes:
    """Return the document of a proof made on this machine for another one.

    Args:
        home: Keys are made in its folder `circuits`.
        srs: A whole one, INSECURE or of the ceremony.
        pieces: Of circuit, witness and limits, pickled by `FarProver`.
    """
    circuit, solved, limits = pickle.loads(b"".join(pieces))  # noqa: S301  # from this user's own process, as the call itself
    used = adopt_srs(Path(home), srs)
    return EzklProver(Path(home), used, limits).prove(circuit, solved).encoded
