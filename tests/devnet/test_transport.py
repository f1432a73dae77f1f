"""A node over TLS, and one that limits how often it is asked."""

import datetime as dt
import ipaddress
from collections import Counter
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from tests.devnet.conftest import Devnet

pytestmark = pytest.mark.devnet


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the PEM files of a new certificate for 127.0.0.1 that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "devnet")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


def test_a_node_over_tls_is_believed_by_its_authority_alone(devnet: Devnet, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with devnet.chain.bridge(1, certificate=certificate) as bridge:
        token = bridge.token("read")
        with Node(AsyncNode(bridge.url, token, authorities=certificate[0])) as node:
            assert node.ask(calls.node_ready())
        with Node(AsyncNode(bridge.url, token)) as node, pytest.raises(NodeError) as refused:
            node.ask(calls.node_ready())
        assert refused.value.kind == "unreachable"
        plain = bridge.url.replace("https", "http")
        with Node(AsyncNode(plain, token)) as node, pytest.raises(NodeError):
            node.ask(calls.node_ready())


def test_a_node_that_is_asked_too_often_says_so(devnet: Devnet) -> None:
    kinds: Counter[str] = Counter()

    async def ask(node: AsyncNode) -> None:
        try:
            await node.ask(calls.header_tail())
            kinds["answered"] += 1
        except NodeError as error:
            kinds[error.kind] += 1

    async def ask_all(url: str, token: str) -> None:
        async with AsyncNode(url, token) as node, anyio.create_task_group() as group:
            for _ in range(80):
                group.start_soon(ask, node)

    with devnet.chain.bridge(1, limits=(1, 20)) as bridge:
        anyio.run(ask_all, bridge.url, bridge.token("read"))
    assert kinds["busy"] > 0
    assert kinds["answered"] >= 20
    assert sum(kinds.values()) == kinds["busy"] + kinds["answered"] == 80
