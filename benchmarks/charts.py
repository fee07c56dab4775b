"""Bar charts as SVG text, readable on a light and on a dark page."""

from __future__ import annotations

from xml.sax.saxutils import escape

from benchmarks.figures import number
from benchmarks.results import Chart

WIDTH, BAR, GAP, LABELS, NUMBERS, TOP = 760, 26, 14, 190, 110, 44
INK, FILL, WHISKER = "#7d8590", "#2f9e9e", "#c2410c"
"""Greys and colours of middle lightness: 4.5:1 or close to it on white and on near-black alike."""


def as_svg(chart: Chart) -> str:
    """Return the chart: one bar for each median, a thin line from the lowest to the highest."""
    highest = max((spread.highest for _, spread in chart.bars), default=0.0) or 1.0
    room = WIDTH - LABELS - NUMBERS
    height = TOP + len(chart.bars) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(chart.title, {chr(34): "&quot;"})}" font-family="system-ui, sans-serif" font-size="14">',
        f'<text x="0" y="20" font-weight="600" fill="{INK}">{escape(chart.title)} ({escape(chart.unit)})</text>',
    ]
    for place, (label, spread) in enumerate(chart.bars):
        top = TOP + place * (BAR + GAP)
        middle, text_at = top + BAR / 2, top + BAR / 2 + 5
        length, low, high = (room * value / highest for value in (spread.median, spread.lowest, spread.highest))
        parts += [
            f'<text x="{LABELS - 12}" y="{text_at:g}" text-anchor="end" fill="{INK}">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{top}" width="{max(length, 1):.1f}" height="{BAR}" rx="3" fill="{FILL}"/>',
            f'<line x1="{LABELS + low:.1f}" x2="{LABELS + high:.1f}" y1="{middle:g}" y2="{middle:g}" '
            f'stroke="{WHISKER}" stroke-width="2"/>',
            f'<text x="{LABELS + max(length, high) + 10:.1f}" y="{text_at:g}" fill="{INK}">{number(spread.median)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
