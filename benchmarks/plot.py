"""Draw the slope: seconds against records, both logarithmic, as an SVG file without any library.

    python -m benchmarks.plot slope.svg 100000:0.61:0.34 1000000:6.0:3.3 …

Each argument is records, seconds on one core and, if they were measured, on two.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT, EDGE = 560, 320, 56
COLOURS = ("#1b6ca8", "#c8553d")
NAMES = ("one core", "two cores")


def drawn(points: Sequence[tuple[float, ...]]) -> str:
    """Return the SVG of two lines over points of (records, seconds, seconds); the last may lack."""
    records = [math.log10(point[0]) for point in points]
    seconds = [math.log10(each) for point in points for each in point[1:]]
    low, high = math.floor(min(seconds)), math.ceil(max(seconds))

    def place(count: float, took: float) -> tuple[float, float]:
        right = (math.log10(count) - records[0]) / (records[-1] - records[0])
        up = (math.log10(took) - low) / (high - low)
        return EDGE + right * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    parts = []
    for power in range(low, high + 1):
        _, y = place(points[0][0], 10**power)
        parts.append(f'<path d="M{EDGE} {y:.1f}H{WIDTH - EDGE}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{EDGE - 8}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>'
        )
    for count, *_ in points:
        x, _ = place(count, 10**low)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - EDGE + 20}" text-anchor="middle">{count:,.0f}</text>'
        )
    for line, (colour, name) in enumerate(zip(COLOURS, NAMES, strict=True), 1):
        places = [place(point[0], point[line]) for point in points if len(point) > line]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
        parts.append(
            f'<text x="{EDGE + 12}" y="{EDGE + 18 * line - 24}" fill="{colour}">{name}</text>'
        )
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    title = "<title>Seconds to commit against records</title>"
    return f'{head} font-family="sans-serif" font-size="12">\n{title}\n{body}\n</svg>\n'


def text(x: float, y: float, words: str, style: str) -> str:
    """Return words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{words}</text>'


def main(path: Path, *points: str) -> None:
    """Write the file."""
    path.write_text(drawn([tuple(map(float, point.split(":"))) for point in points]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
