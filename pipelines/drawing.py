"""A lineage graph as SVG: what came from what, from left to right; nothing in it is a script."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from provenance.findings import Edge

MOST: Final = 40
"""Boxes in a drawing; a larger graph is only listed."""
WIDTH: Final = 160
HEIGHT: Final = 40
ACROSS: Final = 285
DOWN: Final = 78
LETTERS: Final = 18
TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
    'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)
Places = Mapping[str, tuple[int, int]]


def lineage_svg(edges: Sequence[Edge]) -> str:
    """Return the drawing, or nothing where there are no edges or too many boxes."""
    places = _places(edges)
    if not places or len(places) > MOST:
        return ""
    width = max(x for x, _ in places.values()) + WIDTH + 2
    height = max(y for _, y in places.values()) + HEIGHT + 2
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" '
        'aria-label="What came from what; the table below says the same.">'
    )
    arrows = (_arrow(edge, places) for edge in edges)
    return "".join([opening, TIP, *arrows, *_boxes(places), "</svg>"])


def _places(edges: Sequence[Edge]) -> Places:
    """Return the upper left corner of each box: one column for each step from a source."""
    columns = dict.fromkeys((name for edge in edges for name in (edge.source, edge.target)), 0)
    for _ in range(min(len(columns), MOST)):  # a circle, which no honest graph has, ends here
        for edge in edges:
            columns[edge.target] = min(max(columns[edge.target], columns[edge.source] + 1), MOST)
    rows: dict[int, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for name, column in sorted(columns.items(), key=lambda item: (item[1], item[0])):
        row = rows.get(column, 0)
        rows[column] = row + 1
        found[name] = (1 + column * ACROSS, 1 + row * DOWN)
    return found


def _boxes(places: Places) -> Iterator[str]:
    for name, (x, y) in places.items():
        short = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
        yield (
            f'<g><title>{escape(name)}</title><rect x="{x}" y="{y}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="4"/><text x="{x + WIDTH // 2}" y="{y + 25}" '
            f'text-anchor="middle">{escape(short)}</text></g>'
        )


def _arrow(edge: Edge, places: Places) -> str:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    start, end = (x1 + WIDTH, y1 + HEIGHT // 2), (x2, y2 + HEIGHT // 2)
    bend = max(30, (end[0] - start[0]) // 2)
    path = (
        f"M{start[0]} {start[1]}C{start[0] + bend} {start[1]} "
        f"{end[0] - bend} {end[1]} {end[0]} {end[1]}"
    )
    words = f"{edge.role}, {edge.level or 'unknown'}"
    return (
        f'<path d="{path}" marker-end="url(#tip)"/><text class="edge" x="{end[0] - 12}" '
        f'y="{end[1] - 7}" text-anchor="end">{escape(words)}</text>'
    )
