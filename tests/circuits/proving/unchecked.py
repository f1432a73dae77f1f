"""A prover that skips `mock` (`python -m tests.circuits.proving.unchecked`), as a liar's would."""

from typing import Any

import ezkl

from circuits.proving import child


def satisfied(*_: Any) -> bool:
    return True


if __name__ == "__main__":
    vars(ezkl)["mock"] = satisfied
    child.main()
