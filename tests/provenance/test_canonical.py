"""Canonical JSON: RFC 8785's own vectors, one spelling, strict members."""

import json
import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical
from provenance.canonical import MAX_DEPTH, SAFE, Fields, Json, decode, decode_loose, encode
from provenance.errors import MalformedError
from provenance.field import ORDER
from tests.provenance.documents import other_spellings, shared, vectors

VECTORS = vectors("canonical")
NUMBERS = st.one_of(
    st.integers(-SAFE, SAFE),
    st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: abs(x) <= SAFE or abs(x) >= 1e21
    ),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)


@pytest.mark.parametrize("case", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_rfc_8785_vectors(case: str) -> None:
    folder = shared("rfc8785")
    value = json.loads((folder / f"input/{case}.json").read_text("utf-8"))
    expected = bytes.fromhex((folder / f"outhex/{case}.txt").read_text())
    assert encode({"in": value}) == b'{"in":' + expected + b"}"
    if isinstance(value, dict):
        assert encode(value) == expected
        assert encode(decode(expected)) == expected


@pytest.mark.parametrize("case", VECTORS["valid"], ids=lambda case: case["name"])
def test_valid_vectors_are_read_and_written_alike(case: dict[str, Any]) -> None:
    data = case["text"].encode()
    assert encode(decode(data)) == data
    assert canonical.digest(data).hex() == case["sha256"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refused_vectors_are_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        decode(bytes.fromhex(case["hex"]))


@given(OBJECTS)
@settings(deadline=None)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    data = encode(value)
    assert decode(data) == value
    assert encode(decode(data)) == data
    assert json.loads(data) == value


ASCII = st.text(st.characters(max_codepoint=127), max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXT | ASCII,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(ASCII | TEXT, PLAIN | VALUES, max_size=5))
@settings(deadline=None)
def test_what_is_written_fast_is_what_the_library_writes(value: dict[str, Any]) -> None:
    assert encode(value) == rfc8785.dumps(value)


def test_every_character_below_space_and_the_rest_is_escaped_as_the_library_does() -> None:
    text = "".join(map(chr, [*range(0x250), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x10000, 0x10FFFF]))
    value: dict[str, Json] = {text[n : n + 7]: text[n:] for n in range(0, len(text), 7)}
    assert encode(value) == rfc8785.dumps(value)
    assert encode({"a": text}) == rfc8785.dumps({"a": text})


class _Text(str):
    __slots__ = ()


class _Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize("value", [_Text("x"), _Number.ONE, (1, 2), {1: 2}, {_Text("k"): 1}])
def test_what_is_no_plain_json_is_left_to_the_library(value: Any) -> None:
    try:
        expected = rfc8785.dumps({"a": value})
    except ValueError:
        with pytest.raises(MalformedError):
            encode({"a": value})
        return
    assert encode({"a": value}) == expected


@given(OBJECTS, st.data())
@settings(deadline=None)
def test_a_flipped_bit_is_refused_or_is_another_value(value: dict[str, Any], data: Any) -> None:
    written = bytearray(encode(value))
    place = data.draw(st.integers(0, 8 * len(written) - 1))
    written[place // 8] ^= 1 << place % 8
    try:
        found = decode(bytes(written))
    except MalformedError:
        return
    assert encode(found) == written


def test_another_spelling_is_refused_strictly_and_read_loosely() -> None:
    data = encode({"kind": "x", "b": [1, 2], "a": {"c": None}})
    for spelling in other_spellings(data):
        with pytest.raises(MalformedError):
            decode(spelling)
    assert decode_loose(b' {"kind": "x", "b": [1, 2],\n"a": {"c": null}}\n') == decode(data)


@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":1}', b'{"a":1,"\\u0061":1}', b'{"a":{"b":1,"b":2}}'],
)
@pytest.mark.parametrize("read", [decode, decode_loose])
def test_a_member_named_twice_is_refused_however_it_is_spelled(
    data: bytes, read: Callable[[bytes], Any]
) -> None:
    with pytest.raises(MalformedError, match="twice"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":9007199254740992}',
        b'{"a":1' + b"0" * 4000 + b"}",
        b'{"a":1' + b"0" * 5000 + b"}",
        b'{"a":"\xff"}',
        b"[]",
        b"1",
        b"null",
        b"",
        b'{"a":1}{',
    ],
)
@pytest.mark.parametrize("read", [decode, decode_loose])
def test_what_canonical_json_cannot_hold_is_refused_in_any_spelling(
    data: bytes, read: Callable[[bytes], Any]
) -> None:
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["-0", "1.0", "1e0", "0.10", "1E21", "-0.0", "01", "+1", ".5"])
def test_a_number_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedError):
        decode(b'{"a":%b}' % text.encode())


@pytest.mark.parametrize("value", [2.0**53, -(2.0**53), 1e20, -1e17, math.nextafter(1e21, 0)])
def test_a_float_that_would_be_read_as_a_huge_integer_is_not_written(value: float) -> None:
    with pytest.raises(MalformedError, match="decimal string"):
        encode({"a": [value]})


@pytest.mark.parametrize("value", [1e21, -1e300, float(SAFE), 5e-324, 0.1])
def test_other_floats_come_back(value: float) -> None:
    assert decode(encode({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        SAFE + 1,
        -SAFE - 1,
        pytest.param(10**5000, id="huge"),
        "\ud800",
        b"bytes",
        {1: 2},
        {1, 2},
        object(),
    ],
)
def test_what_cannot_be_written_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedError, match="canonical JSON"):
        encode({"a": value})


def nested(depth: int) -> Json:
    value: Json = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_is_bounded_by_the_format_and_not_by_a_stack() -> None:
    assert decode(encode({"a": nested(MAX_DEPTH - 1)}))
    with pytest.raises(MalformedError, match="nested deeper"):
        encode({"a": nested(MAX_DEPTH)})
    text = b'{"a":' + b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH + b"}"
    for read in (decode, decode_loose):
        with pytest.raises(MalformedError, match="nested deeper"):
            read(text)
        with pytest.raises(MalformedError):
            read(b'{"a":' + b"[" * 10**5)


def test_a_value_inside_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(MalformedError, match="nested deeper"):
        encode({"a": value})


def test_length_is_checked_before_anything_is_read() -> None:
    assert decode(b"{}", limit=2) == {}
    with pytest.raises(MalformedError, match="at most 2"):
        decode(b"\xff\xff\xff", limit=2)


@pytest.mark.parametrize("name", ["a", "0", "a.b_c-d", "x" * 128])
def test_names(name: str) -> None:
    assert canonical.is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".a",
        "_a",
        "-a",
        "A",
        "a b",
        "a\n",
        "ä",
        "a/b",
        "x" * 129,
        "\N{CYRILLIC SMALL LETTER A}",
        "a@b",
    ],
)
def test_other_texts_are_no_names(name: str) -> None:
    assert not canonical.is_name(name)


@given(st.integers(-(2**64), 2**64))
@settings(deadline=None)
def test_integers_come_back_whatever_their_size(value: int) -> None:
    data = encode({"kind": "k", "n": canonical.integer(value)})
    assert Fields.parse(data, "k").integer("n", -(2**64), 2**64) == value


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, 1.0, 1.5, "1", "0", "-0", "007", str(SAFE), str(-SAFE), SAFE + 1,
        "9" * 21,
        "+9007199254740992", " 9007199254740992", "9007199254740992\n",
        "\N{ARABIC-INDIC DIGIT NINE}" * 17,
        "9_007_199_254_740_992", "0x20000000000000", [], {}, "", 2**70, "-09007199254740992",
    ],
)  # fmt: skip
def test_an_integer_has_one_spelling(value: Any) -> None:
    with pytest.raises(MalformedError, match="'n' must be"):
        Fields("w", {"n": value}).integer("n", -(2**70), 2**70)


@pytest.mark.parametrize("value", [4, 9, str(2**60), -5])
def test_an_integer_outside_its_bounds_is_refused(value: Any) -> None:
    with pytest.raises(MalformedError, match="an integer from 5 to 8"):
        Fields("w", {"n": value}).integer("n", 5, 8)


READERS: dict[str, tuple[Callable[[Fields], Any], Json, tuple[Json, ...]]] = {
    "text": (lambda f: f.text("m", most=3), "abc", ("abcd", 1, None, [], True)),
    "name": (lambda f: f.name("m"), "a-1", ("A", "", 1, None, ["a"])),
    "boolean": (lambda f: f.boolean("m"), True, (0, 1, "true", None)),
    "constant": (lambda f: f.constant("m", "x"), "x", ("y", None, ["x"], 1)),
    "digest": (lambda f: f.digest("m"), "ab" * 32, ("AB" * 32, "ab" * 31, "", 7, None)),
    "element": (lambda f: f.element("m"), "00" * 32, (f"{ORDER:064x}", "ff" * 32, "0", 0)),
    "hexed": (lambda f: f.hexed("m", 2), "00ff", ("00fF", "00f", "00ff0", "0x00", "0g0f", 1)),
    "inner": (lambda f: f.inner("m"), {}, ([], None, "", 1)),
    "items": (lambda f: f.items("m", 2), [1, 2], ([1, 2, 3], {}, "ab", None)),
    "objects": (lambda f: f.objects("m", 2), [{}], ([{}, {}, {}], [1], [None], {})),
}


@pytest.mark.parametrize("name", READERS)
def test_each_reader_takes_its_own_kind_of_value_only(name: str) -> None:
    read, good, wrong = READERS[name]
    fields = Fields.of({"m": good}, "w")
    read(fields)
    fields.done()
    with pytest.raises(MalformedError, match="missing"):
        read(fields)
    for value in wrong:
        with pytest.raises(MalformedError, match="w"):
            read(Fields.of({"m": value}, "w"))


def test_optional_takes_null_but_not_absence() -> None:
    assert Fields.of({"m": None}, "w").optional("m", lambda name: name) is None
    assert Fields.of({"m": "ab" * 32}, "w").digest("m") == b"\xab" * 32
    fields = Fields.of({"m": "x"}, "w")
    assert fields.optional("m", fields.text) == "x"
    with pytest.raises(MalformedError, match="missing"):
        fields.optional("m", fields.text)


def test_an_unknown_member_is_refused_without_flooding_the_message() -> None:
    with pytest.raises(MalformedError, match="unknown member 'xxx") as caught:
        Fields.of({"x" * 10**6: 1}, "w").done()
    assert len(str(caught.value)) < 200


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(MalformedError, match="'kind' must be 'b'"):
        Fields.parse(encode({"kind": "a"}), "b")
    with pytest.raises(MalformedError, match="missing"):
        Fields.parse(b"{}", "b")


def test_reading_members_leaves_the_value_as_it_was() -> None:
    value: dict[str, Json] = {"m": 1}
    Fields.of(value, "w").take("m")
    assert value == {"m": 1}
