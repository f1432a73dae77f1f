"""What it costs to read a log: a namespace with 1,000 batches, from the file and over RPC.

    .venv/bin/python -m benchmarks.scanning [--batches 1000] [--rpc]

Beside it stands the bare work that nobody can leave out: one signature check for each block and
one for each header and each statement in it, and the reading of the rows. CPU seconds of this
process, wall seconds beside them; over RPC the node runs in a process of its own and its CPU time
does not count, its share of the wall time does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pipelines.flow.monitoring import scan
from pipelines.flow.reading import Place, read_at
from pipelines.flow.workspace import namespace_of
from provenance.anchor import Anchor
from provenance.attestation import attest
from provenance.audit.scanned import audit_scanned
from provenance.envelope import parse, pre_authentication_encoding
from provenance.findings import Level
from provenance.log import Genesis, append, full_entry, open_log
from provenance.policy import Issuer, Policy, Requirement, Span
from storage.celestia.block import chain_id
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.extended import ExtendedHeader
from storage.celestia.serving.tokens import Role, token_file
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from tests.provenance.documents import DATASET
from tests.provenance.world import ISSUER, Key

OPERATOR = Key("operator")
NAMESPACE = namespace_of(ISSUER.public_key)
KEYS = (ISSUER.public_key,)


def filled(path: Path, batches: int) -> EmbeddedLedger:
    """Return a ledger with a log of so many batches, one dataset commitment in each."""
    ledger = EmbeddedLedger(path, OPERATOR, chain_id(OPERATOR.public_key), time.time_ns)
    batch = open_log(Genesis(ledger.kind, ledger.chain, NAMESPACE, ISSUER.public_key), ISSUER)
    log = batch.header.digest
    ledger.submit([Blob(NAMESPACE, batch.envelope)])
    previous = None
    for number in range(1, batches):
        item = replace(
            DATASET, issuer=ISSUER.key_id, log=log, version=f"v{number}", previous=previous
        )
        entry = full_entry(attest(item, ISSUER).encoded)
        batch = append(batch.header, [entry], None, ISSUER)
        ledger.submit([Blob(NAMESPACE, batch.envelope), Blob(NAMESPACE, batch.entries)])
        previous = item.digest
    return ledger


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU and wall seconds of a piece of work, of two runs the quicker."""
    figures = []
    for _ in range(2):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        figures.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(figures)


def bare(ledger: EmbeddedLedger) -> None:
    """Do what cannot be left out: read every block, check every signature."""
    for height in range(1, ledger.head() + 1):
        ExtendedHeader.from_json(ledger.header(height)).verify()
        for blob in ledger.blobs(height, NAMESPACE):
            data = blob.data if blob.data.startswith(b"{") else blob.data[5:]
            sealed = parse(data)
            signed = pre_authentication_encoding(sealed.payload_type, sealed.payload)
            ISSUER.public_key.verify(signed, sealed.signature)


def policy_of(ledger: EmbeddedLedger) -> Policy:
    """Return the policy of an auditor who knows the newest block."""
    head = ledger.head()
    block = CelestiaVerifier().signed_block(ledger.header(head))
    first = scan(ledger, NAMESPACE, KEYS, 2).headers[0].sealed
    return Policy(
        name="benchmark",
        issuers=(Issuer(ISSUER.public_key, "issuer", (Span(ledger.chain, 1, None),)),),
        logs=(first.digest,),
        anchors=(Anchor(ledger.kind, ledger.chain, head, block.hash),),
        trusting_seconds=86_400,
        operators=(),
        monitors=(),
        require=(Requirement("unique", "*", Level.L1),),
        licences=None,
        models=None,
        samples=0,
        srs=(),
        circuits=(),
    )


SERVED = """
import sys, time
from pathlib import Path
from benchmarks import scanning
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.server import listen, run, url_of
from storage.celestia.serving.tokens import Tokens
folder = Path(sys.argv[1])
ledger = EmbeddedLedger(folder / "ledger.sqlite", scanning.OPERATOR,
    scanning.chain_id(scanning.OPERATOR.public_key), time.time_ns)
with listen("127.0.0.1", 0) as listening, ledger.kept_open():
    tokens = Tokens.kept(folder)
    print(url_of(listening), flush=True)
    run(NodeApp(ledger, tokens, pace=1.0), listening)
"""


def over_rpc(folder: Path, policy: Policy) -> tuple[float, float]:
    """Return what an audit takes that reads the ledger through a node."""
    command = [sys.executable, "-c", SERVED, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as node:  # noqa: S603  # ours
        try:
            assert node.stdout is not None
            url = node.stdout.readline().strip()
            token = token_file(folder, Role.READ).read_text().strip()
            place = Place(url, token)

            def work() -> None:
                audit_scanned(read_at(place, policy, CelestiaVerifier()), policy, time.time_ns())

            return timed(work)
        finally:
            node.kill()


def show(name: str, took: tuple[float, float], least: tuple[float, float]) -> None:
    """Print one line of figures, and how many times the bare work it took."""
    print(f"{name:<28} {took[0]:6.2f} {took[1]:6.2f} {took[0] / least[0]:5.2f}x")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--rpc", action="store_true", help="read through a node, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = filled(folder / "ledger.sqlite", options.batches)
        with ledger.kept_open():
            least = timed(lambda: bare(ledger))
        whole = timed(lambda: scan(ledger, NAMESPACE, KEYS, ledger.head()))
        print(f"{options.batches} batches, {ledger.head()} blocks (CPU s, wall s)")
        show("bare reading and signatures", least, least)
        show("scan of the file", whole, least)
        if options.rpc:
            show("audit over RPC", over_rpc(folder, policy_of(ledger)), least)


if __name__ == "__main__":
    main()
