"""Make tests/vectors/poseidon_second_opinion.json anew and compare it with the stored one.

    python tests/oracle/make_second_opinion.py            exits 1 if they differ
    python tests/oracle/make_second_opinion.py --write    stores it

The other implementation needs old numpy and numba, which this project's environment cannot hold. So
it gets one of its own, in a scratch folder that is deleted: packages pinned with their hashes, and
a Python from 3.9 to 3.12, this one or one on the path.
"""

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
STORED: Final = HERE.parent / "vectors" / "poseidon_second_opinion.json"
NAMES: Final = ("python3.12", "python3.11", "python3.10", "python3.9")


def suitable_python() -> str:
    """Return a Python that the pinned packages support, or exit with what is missing."""
    if int(platform.python_version_tuple()[1]) < 13:
        return sys.executable
    for found in filter(None, map(shutil.which, NAMES)):
        if subprocess.run([found, "-c", "import venv"], check=False).returncode == 0:
            return found
    sys.exit(f"the second opinion needs one of {', '.join(NAMES)} on the path")


def second_opinion() -> str:
    """Return the file that poseidon-hash makes."""
    with tempfile.TemporaryDirectory(prefix="second-opinion-") as scratch:
        subprocess.run([suitable_python(), "-m", "venv", scratch], check=True)
        python = Path(scratch, "Scripts" if sys.platform == "win32" else "bin", "python")
        install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        options = ["--disable-pip-version-check", "--requirement", str(HERE / "requirements.txt")]
        subprocess.run([python, *install, *options], check=True)
        made = subprocess.run(
            [python, "-I", HERE / "second_opinion.py"], check=True, stdout=subprocess.PIPE
        )
    return made.stdout.decode()


def main() -> None:
    """Compare, or store."""
    made = second_opinion()
    if "--write" in sys.argv[1:]:
        STORED.write_text(made)
    elif made != STORED.read_text():
        sys.exit(f"{STORED.name} is not what poseidon-hash computes now")


if __name__ == "__main__":
    main()
