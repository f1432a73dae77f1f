"""The ezkl backend whole: keys from the cache, the witness checked, a proof made and verified.

    EzklProver(home).prove(circuit(name), solve(graph, chosen, most))

Its SRS is its own matter: `ceremony_srs` gives a good one, and without one the home's local
INSECURE one is used, which is for demo and tests.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from circuits.evaluate import outputs, public_values
from circuits.proving import artifacts, prover
from circuits.proving.artifacts import Keys, Srs
from circuits.proving.backend import Cost
from circuits.proving.costs import expected, observe
from circuits.proving.machine import require_memory
from circuits.proving.prover import ProvingFiles
from circuits.proving.worker import LIMITS, Limits, Progress, scratch, silent
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.errors import MalformedError, VerificationError
from provenance.field import ORDER, Digest
from provenance.proof import Proof


@dataclass(frozen=True, slots=True)
class EzklProver:
    """Proves with ezkl in child processes; keys are cached in a home folder.

    Attributes:
        home: Keys, finished proofs and scratch folders lie in its folder `circuits`.
        srs: From `ceremony_srs`, else the home's own INSECURE one.
        limits: Time, memory and threads of each child.
        cancel: Once it is set every child is killed.
    """

    home: Path
    srs: Srs | None = None
    limits: Limits = LIMITS
    cancel: Event | None = None

    @property
    def name(self) -> str:
        """The backend: ezkl."""
        return prover.BACKEND

    @property
    def version(self) -> str:
        """The installed version."""
        return prover.version()

    def cost(self, circuit: Circuit) -> Cost:
        """Return what a proof will take."""
        return expected(circuit, self.limits.threads, self.home / artifacts.FOLDER)

    def prepare(self, circuit: Circuit, progress: Progress = silent) -> Mapping[str, Digest]:
        """Return verifying key, settings and SRS by digest, made unless they are there."""
        keys = self._keys(circuit, progress)
        return {"verifying_key": keys.verifying_key, "settings": keys.settings, "srs": keys.srs}

    def prove(self, circuit: Circuit, solved: Solved, progress: Progress = silent) -> Proof:
        """Return a proof that was verified once; see `Prover.prove`."""
        checked = check(circuit, solved)
        keys = self._keys(circuit, progress)
        needed = self.cost(circuit).memory_bytes
        require_memory(needed, self.limits.memory_bytes, f"proving {circuit.name}")
        started = time.monotonic()
        with scratch(self.home / artifacts.FOLDER) as folder:
            made = prover.prove(
                self._files(circuit, keys, progress),
                checked.witness,
                checked.outputs,
                folder,
                self.limits,
                progress,
                hashed=circuit.hashed,
                cancel=self.cancel,
            )
            self._observe(circuit, "proof_seconds", started)
        return Proof(
            circuit=circuit.name,
            backend=self.name,
            backend_version=self.version,
            public=public_values(checked.outputs, hashed=circuit.hashed),
            proof=made,
            verifying_key=keys.verifying_key,
            settings=keys.settings,
            srs=keys.srs,
        )

    def whole_srs(self, circuit: Circuit, progress: Progress = silent) -> Srs:
        """Return the SRS that a circuit's keys are made under."""
        if self.srs:
            return self.srs
        return artifacts.local_srs(
            self.home, circuit.logrows, limits=self.limits, progress=progress, cancel=self.cancel
        )

    def _keys(self, circuit: Circuit, progress: Progress) -> Keys:
        srs = self.whole_srs(circuit, progress)
        stages: list[str] = []

        def told(stage: str) -> None:
            stages.append(stage)
            progress(stage)

        started = time.monotonic()
        keys = artifacts.keys(
            circuit, srs, self.home, limits=self.limits, progress=told, cancel=self.cancel
        )
        if stages[:1] == ["settings"]:
            self._observe(circuit, "keys_seconds", started)
        return keys

    def _observe(self, circuit: Circuit, field: str, started: float) -> None:
        seconds = time.monotonic() - started
        observe(circuit, self.limits.threads, self.home / artifacts.FOLDER, field, seconds)

    def _files(self, circuit: Circuit, keys: Keys, progress: Progress) -> ProvingFiles:
        settings, key, cut = (
            artifacts.object_path(self.home, digest)
            for digest in (keys.settings, keys.verifying_key, keys.srs)
        )
        return ProvingFiles(
            compiled=artifacts.object_path(self.home, keys.compiled),
            proving_key=artifacts.object_path(self.home, keys.proving_key),
            srs=self.whole_srs(circuit, progress).path,
            verifying=(settings, key, cut),
        )


def check(circuit: Circuit, solved: Solved) -> Solved:
    """Return the witness in the circuit's order, after computing its outputs anew.

    Raises:
        MalformedError: A private value is missing, too many, or has another size.
        VerificationError: The witness leads to other outputs than it came with.
    """
    graph = circuit.graph()
    names = [tensor.name for tensor in graph.inputs]
    if set(names) != set(solved.witness):
        raise MalformedError(f"{circuit.name}: the witness has other private values than the graph")
    witness = {name: tuple(int(v) % ORDER for v in solved.witness[name]) for name in names}
    found = outputs(graph.onnx(), witness, circuit.most)
    if found != solved.outputs:
        raise VerificationError(f"{circuit.name}: the witness leads to other outputs than told")
    return Solved(witness, found)
