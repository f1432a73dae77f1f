"""The demo's whole way against a real node."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.devnet.conftest import Devnet

pytestmark = pytest.mark.devnet
ROOT: Final = Path(__file__).parents[2]


def test_the_demo_posts_to_a_real_node_and_its_verdict_names_it(
    devnet: Devnet, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pipelines.cli", "demo", "--ledger", devnet.bridge.url]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "home")],
        cwd=ROOT,
        env={**os.environ, "ROOTLINE_LEDGER_TOKEN": devnet.bridge.token("write")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    words = " ".join((done.stderr + done.stdout).split())
    assert "Verdict under policy 'demo auditor': HOLDS" in words
    assert "whoever holds most of the voting power of self-hosted chain private" in words
    assert "of private)" in words  # the anchor's block
    assert "What this does not prove" in words
    assert devnet.bridge.token("write") not in words
