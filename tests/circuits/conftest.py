"""Keys of membership-22.v2 under a local INSECURE SRS, made once for all tests that prove."""

from pathlib import Path

import pytest

from circuits.proving.artifacts import Keys, keys, local_srs, object_path
from circuits.proving.prover import ProvingFiles
from circuits.registry import circuit
from tests.circuits.sample import NAME


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder that holds the keys."""
    home = tmp_path_factory.mktemp("home")
    keys(circuit(NAME), local_srs(home, 13), home)
    return home


@pytest.fixture(scope="session")
def made(home: Path) -> Keys:
    """Return the digests of those keys."""
    return keys(circuit(NAME), local_srs(home, 13), home)


@pytest.fixture(scope="session")
def files(home: Path, made: Keys) -> ProvingFiles:
    """Return where those keys lie."""
    return ProvingFiles(
        object_path(home, made.compiled),
        object_path(home, made.proving_key),
        local_srs(home, 13).path,
    )
