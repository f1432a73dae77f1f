"""Make tests/vectors/functions.json anew: `python -m tests.circuits.statements.record_functions`.

Public values come from solving the circuits, not from what the verifier expects.
"""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from circuits.evaluate import public_values
from circuits.functions.values import function_values
from tests.circuits.statements import judged as models
from tests.circuits.statements import questions
from tests.circuits.statements.judged import EVALUATIONS, INFERENCES, Judged
from tests.circuits.statements.questions import EXAMPLES, question

PATH = Path(__file__).parents[2] / "vectors" / "functions.json"


def main() -> None:
    """Write the file."""
    content = {
        "source": "this project's own format; tests/circuits/statements/record_functions.py",
        "pages": [f"docs/spec/circuits/{n}.md" for n in ("property", "inference", "evaluation")],
        "properties": [_property(name) for name in EXAMPLES],
        "inferences": [_judged(Judged(name)) for name in INFERENCES],
        "evaluations": [
            _judged(Judged(name, 1, count)) for name in EVALUATIONS for count in (None, 4)
        ],
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")


def _property(name: str) -> dict[str, Any]:
    asked = question(name)
    return {
        "name": name,
        "circuit": asked.shape.name,
        "onnx": b64encode(EXAMPLES[name]).decode(),
        "rows": [list(row) for row in asked.rows],
        "salts": [salt.hex for salt in asked.salts],
        "context": questions.CONTEXT.hex,
        "value": list(function_values(asked.function, asked.rows)),
        "public": [v.hex for v in public_values(asked.solved().outputs, hashed=True)],
    }


def _judged(judged: Judged) -> dict[str, Any]:
    shown = {"outputs": judged.outputs} if judged.shape.inputs else {"value": judged.value}
    return {
        "circuit": judged.name,
        "state": judged.state,
        "state_salt": models.SALT.hex,
        "rows": judged.rows,
        "salts": [salt.hex for salt in judged.salts],
        "centre": judged.centre,
        "context": models.CONTEXT.hex,
        **shown,
        "public": [v.hex for v in public_values(judged.solved().outputs, hashed=True)],
    }


if __name__ == "__main__":
    main()
