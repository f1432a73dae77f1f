"""Lineage drawn: every box and arrow is there, and a name cannot become markup."""

from xml.etree import ElementTree as ET

from pipelines.drawing import MOST, lineage_svg
from provenance.findings import Edge, Level

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*edges: Edge) -> ET.Element:
    return ET.fromstring(lineage_svg(edges))  # noqa: S314  # it was made here


def test_boxes_stand_from_left_to_right() -> None:
    found = drawn(
        Edge("a@v1", "a@v2", "previous", Level.L1),
        Edge("a@v2", "fit", "train", Level.L2),
        Edge("a@v1", "fit", "test", None),
    )
    places = {
        str(group.findtext(f"{SVG}title")): int(group.find(f"{SVG}rect").attrib["x"])  # type: ignore[union-attr]  # every box has one
        for group in found.iter(f"{SVG}g")
    }
    assert places["a@v1"] < places["a@v2"] < places["fit"]
    words = [text.text for text in found.iter(f"{SVG}text") if text.get("class") == "edge"]
    assert words == ["previous, L1", "train, L2", "test, unknown"]


def test_boxes_of_one_column_do_not_lie_on_each_other() -> None:
    found = drawn(*(Edge("a", f"b{i}", "train", None) for i in range(5)))
    corners = [(r.get("x"), r.get("y")) for r in found.iter(f"{SVG}rect")]
    assert len(set(corners)) == 6


def test_a_long_name_is_cut_in_its_box_and_whole_in_its_title() -> None:
    name = "membership-9ad55520d44ded5e6225611c73a36960"
    found = drawn(Edge("a", name, "proved about", Level.L1))
    assert name in [title.text for title in found.iter(f"{SVG}title")]
    assert name not in [text.text for text in found.iter(f"{SVG}text")]


def test_a_name_is_no_markup() -> None:
    name = "</text><script>alert(1)</script>"
    found = drawn(Edge(name, name + '"', '"><script>', None))
    assert {element.tag for element in found.iter()} == {
        SVG + tag for tag in ("svg", "defs", "marker", "path", "g", "title", "rect", "text")
    }


def test_a_circle_is_drawn_and_ends() -> None:
    assert drawn(Edge("a", "b", "previous", None), Edge("b", "a", "previous", None)) is not None


def test_nothing_and_too_much_are_not_drawn() -> None:
    assert lineage_svg(()) == ""
    assert lineage_svg([Edge("a", f"b{i}", "train", None) for i in range(MOST)]) == ""
