"""Settings that no circuit has never reach ezkl."""

import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from circuits.proving.settings import MAX_BYTES, check_settings
from circuits.table import Table
from provenance import canonical
from provenance.errors import MalformedError, VerificationError
from provenance.field import ZERO
from provenance.proof import Proof
from tests.provenance.documents import vectors

RECORDED = vectors("proof")
PROOF = Proof.parse(canonical.encode(RECORDED["document"]))
SETTINGS: dict[str, Any] = json.loads(b64decode(RECORDED["artifacts"][PROOF.settings.hex()]))
HASHED: dict[str, Any] = {
    **SETTINGS,
    "run_args": {
        **SETTINGS["run_args"],
        "output_visibility": {"Hashed": {"hash_is_public": True, "outlets": []}},
        "logrows": 14,
        "lookup_range": [3, Table.of(14).most],
    },
    "model_instance_shapes": [],
    "module_sizes": {"polycommit": [], "poseidon": [8459, [2]]},
    "required_lookups": [{"HardSwish": {"scale": 1.0}}],
}
SHORT = replace(PROOF, public=(ZERO, ZERO))


def changed(settings: dict[str, Any], path: str, value: Any) -> bytes:
    *groups, name = path.split(".")
    copy = json.loads(json.dumps(settings))
    inner = copy
    for group in groups:
        inner = inner[group]
    inner[name] = value
    return canonical.encode(copy)


def test_true_settings_pass() -> None:
    check_settings(canonical.encode(SETTINGS), PROOF)
    check_settings(canonical.encode(HASHED), SHORT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("run_args.input_scale", 7),
        ("run_args.param_scale", 1),
        ("run_args.rebase_scale", 3),
        ("run_args.scale_rebase_multiplier", 2),
        ("run_args.input_visibility", "Public"),
        ("run_args.param_visibility", "Private"),
        ("run_args.ignore_range_check_inputs_outputs", False),
        ("run_args.disable_freivalds", False),
        ("run_args.decomp_base", 16384),
        ("run_args.decomp_legs", 2),
        ("run_args.check_mode", "SAFE"),
        ("run_args.bounded_log_lookup", True),
        ("run_args.num_inner_cols", 9),
        ("run_args.num_inner_cols", 0),
        ("run_args.num_inner_cols", True),
        ("run_args.num_inner_cols", 2_000_000),
        ("run_args.logrows", 21),
        ("run_args.logrows", 0),
        ("run_args.logrows", 13.5),
        ("run_args.lookup_range", [0, 7]),
        ("required_lookups", [{"Tanh": {"scale": 1.0}}]),
        ("required_range_checks", [[0, 1023]]),
        ("num_dynamic_lookups", 1),
        ("num_shuffles", 1),
        ("version", "22.0.0"),
        ("num_blinding_factors", 6),
        ("timestamp", 1),
        ("model_input_scales", [0, 7]),
        ("model_output_scales", [1]),
    ],
)
@pytest.mark.parametrize(("settings", "proof"), [(SETTINGS, PROOF), (HASHED, SHORT)])
def test_what_no_circuit_says_is_refused(
    settings: dict[str, Any], proof: Proof, path: str, value: Any
) -> None:
    with pytest.raises(VerificationError, match=path.rpartition(".")[2]):
        check_settings(changed(settings, path, value), proof)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("num_rows", 2**24),
        ("total_assignments", 2**40),
        ("total_const_size", -(2**20)),
        ("run_args.lookup_range", [3, 2**30]),
        ("module_sizes.poseidon", [2**33, [2]]),
        ("model_instance_shapes", [[2**50, 2]]),
        ("num_rows", "2"),
        ("run_args.output_visibility", "Private"),
        ("run_args.output_visibility", {"Hashed": {"hash_is_public": False, "outlets": []}}),
        ("module_sizes.polycommit", [1]),
        ("module_sizes.poseidon", [0]),
        ("run_args", 3),
        ("model_instance_shapes", [["x", 2]]),
    ],
)
def test_absurd_sizes_are_malformed(path: str, value: Any) -> None:
    for settings, proof in ((SETTINGS, PROOF), (HASHED, SHORT)):
        with pytest.raises((MalformedError, VerificationError)):
            check_settings(changed(settings, path, value), proof)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_no_member_may_be_missing(name: str) -> None:
    rest = {key: value for key, value in SETTINGS.items() if key != name}
    with pytest.raises(MalformedError, match=name):
        check_settings(canonical.encode(rest), PROOF)


@pytest.mark.parametrize("path", ["more", "run_args.more"])
def test_no_member_may_be_added(path: str) -> None:
    with pytest.raises(MalformedError, match="more"):
        check_settings(changed(SETTINGS, path, 0), PROOF)


@pytest.mark.parametrize("spoil", [lambda d: d + b" ", lambda d: d[:-1], lambda d: b"[" + d + b"]"])
def test_another_spelling_is_malformed(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedError):
        check_settings(spoil(canonical.encode(SETTINGS)), PROOF)


def test_too_long_settings_are_not_read() -> None:
    long = changed(SETTINGS, "output_types", ["F32"] * MAX_BYTES)
    with pytest.raises(MalformedError, match="at most"):
        check_settings(long, PROOF)


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_public_values_is_the_settings(count: int) -> None:
    for settings in (SETTINGS, HASHED):
        with pytest.raises(VerificationError, match="public values"):
            check_settings(canonical.encode(settings), replace(PROOF, public=(ZERO,) * count))
