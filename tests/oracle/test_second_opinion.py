"""The stored second opinion is still what the other implementation says; `pytest -m oracle`."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "make_second_opinion.py"


@pytest.mark.oracle
def test_the_stored_second_opinion_is_what_the_other_implementation_computes() -> None:
    run = subprocess.run([sys.executable, SCRIPT], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
