"""Which of ezkl's settings a verifier hands to ezkl at all.

ezkl's proofs bind their settings hardly: changed scales and visibilities still verify, and absurd
column counts make it work for ever. The digest is what counts (pinned, or named by a policy); this
file refuses, before ezkl reads a byte, whatever no circuit of this project has: the form is
`Circuit.run_arguments` as ezkl writes it down, sizes are bounded, and the number of public values
is the proof's.
"""

from typing import Any, Final

from circuits.table import LEAST, Table
from provenance import canonical
from provenance.errors import MalformedError, VerificationError
from provenance.proof import Proof

MAX_BYTES: Final = 2**18
MAX_LOGROWS: Final = 20
MAX_COLUMNS: Final = 8
MAX_SIZE: Final = MAX_COLUMNS << MAX_LOGROWS
"""No count in settings is larger: the cells of the largest circuit."""
_HASHED: Final = {"Hashed": {"hash_is_public": True, "outlets": []}}
_ARGUMENTS: Final[dict[str, Any]] = {
    "input_scale": 0,
    "param_scale": 0,
    "rebase_scale": None,
    "scale_rebase_multiplier": 1,
    "variables": [["batch_size", 1]],
    "input_visibility": "Private",
    "param_visibility": "Fixed",
    "rebase_frac_zero_constants": False,
    "check_mode": "UNSAFE",
    "decomp_base": 2,
    "decomp_legs": 1,
    "bounded_log_lookup": False,
    "ignore_range_check_inputs_outputs": True,
    "epsilon": 2.220446049250313e-16,
    "disable_freivalds": True,
}
"""The same in every circuit; ezkl's names, and its own values where nothing was said."""
_NOTHING: Final[dict[str, Any]] = {
    "total_dynamic_col_size": 0,
    "max_dynamic_input_len": 0,
    "num_dynamic_lookups": 0,
    "num_shuffles": 0,
    "total_shuffle_col_size": 0,
    "required_range_checks": [],
    "check_mode": "UNSAFE",
    "num_blinding_factors": None,
    "timestamp": 0,
}
_FREE: Final = frozenset(
    {
        "run_args",
        "num_rows",
        "total_assignments",
        "total_const_size",
        "einsum_params",
        "model_instance_shapes",
        "model_output_scales",
        "model_input_scales",
        "module_sizes",
        "required_lookups",
        "version",
        "input_types",
        "output_types",
    }
)
"""Members that differ from circuit to circuit."""
_FREE_ARGUMENTS: Final = frozenset(
    {"lookup_range", "logrows", "num_inner_cols", "output_visibility"}
)
_NO_TABLE: Final = [-32768, 32768]
"""What ezkl writes down as lookup range when nothing is looked up."""
_COUNTS: Final = ("num_rows", "total_assignments", "total_const_size")
_SCALES: Final = ("model_input_scales", "model_output_scales")
_LOOKUP: Final = [{"HardSwish": {"scale": 1.0}}]


def check_settings(data: bytes, proof: Proof) -> None:
    """Check that settings are of a circuit of this project, for as many values as `proof` shows.

    Raises:
        MalformedError: Not canonical JSON, or out of all bounds.
        VerificationError: Other arguments than circuits have, or another number of public values.
    """
    settings: dict[str, Any] = canonical.decode(data, limit=MAX_BYTES)
    _check_sizes(settings)
    try:
        arguments = settings["run_args"]
        odd = sorted(settings.keys() ^ (_FREE | _NOTHING.keys()))
        odd += sorted(arguments.keys() ^ (_FREE_ARGUMENTS | _ARGUMENTS.keys()))
        if odd:
            raise MalformedError(f"settings cannot be read: {', '.join(odd)}"[:200])
        odd += [name for name, value in _ARGUMENTS.items() if arguments[name] != value]
        odd += [name for name, value in _NOTHING.items() if settings[name] != value]
        odd += [] if settings["version"] == proof.backend_version else ["version"]
        odd += _odd_table(arguments, settings["required_lookups"])
        odd += [name for name in _SCALES if any(settings[name])]
        odd += [name for name in _COUNTS if type(settings[name]) is not int]
        shown = _shown(settings)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise MalformedError(f"settings cannot be read: {error!r:.80}") from error
    if odd:
        raise VerificationError(f"settings that no circuit has: {', '.join(odd)}")
    if shown != len(proof.public):
        raise VerificationError(
            f"settings for {shown} public values; the proof has {len(proof.public)}"
        )


def _check_sizes(value: Any) -> None:  # noqa: ANN401  # any JSON
    """Refuse absurd numbers and lists anywhere, or raise MalformedError."""
    if isinstance(value, dict):
        for inner in value.values():
            _check_sizes(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_sizes(inner)
    elif isinstance(value, int | float) and not -(2**15) <= value <= MAX_SIZE:
        raise MalformedError(f"settings cannot be read: no circuit has a size of {value}")


def _odd_table(arguments: dict[str, Any], lookups: list[Any]) -> list[str]:
    """Return which of rows, columns and table are not as circuits have them."""
    logrows, columns, odd = arguments["logrows"], arguments["num_inner_cols"], []
    if not (type(logrows) is int and 1 <= logrows <= MAX_LOGROWS):
        return ["logrows"]
    if not (type(columns) is int and 1 <= columns <= MAX_COLUMNS):
        odd.append("num_inner_cols")
    if lookups not in ([], _LOOKUP):
        odd.append("required_lookups")
    known = [[LEAST, Table(logrows, width).most] for width in range(1, MAX_COLUMNS + 1)]
    if arguments["lookup_range"] not in (known if lookups else [*known, _NO_TABLE]):
        odd.append("lookup_range")
    return odd


def _shown(settings: dict[str, Any]) -> int:
    """Return how many public values a proof under these settings has."""
    visibility, sizes = settings["run_args"]["output_visibility"], settings["module_sizes"]
    if sizes["polycommit"] != []:
        raise ValueError("polycommit")
    if visibility == _HASHED:
        (hashes,) = sizes["poseidon"][1]
        return int(hashes) if settings["model_instance_shapes"] == [] else -1
    if visibility != "Public" or sizes["poseidon"] != [0, [0]]:
        raise ValueError("output_visibility")
    return sum(rows * lanes for rows, lanes in settings["model_instance_shapes"])
