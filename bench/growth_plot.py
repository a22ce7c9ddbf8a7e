"""A plot as SVG, written by hand: lines over a logarithmic axis, one panel for each kind of figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

from bench.results import figure

WIDTH, HEIGHT, LEFT, TOP, GAP = 900, 300, 70, 40, 50
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#7f7f7f", "#17becf")
LEGEND_LINE = 16

Line = Mapping[int, float]
"""A figure by number of tenants."""


@dataclass(frozen=True)
class _Panel:
    """One diagram with its own scale; `left` and `width` in the units of the whole picture."""

    title: str
    lines: Mapping[str, Line]
    left: float
    width: float

    @property
    def sizes(self) -> list[int]:
        return sorted({size for line in self.lines.values() for size in line})

    @property
    def top_value(self) -> float:
        return round_up(max((value for line in self.lines.values() for value in line.values()), default=1.0))

    def x(self, size: int) -> float:
        return self.left + self.width * _share(size, self.sizes)

    def y(self, value: float) -> float:
        return TOP + HEIGHT * (1 - value / self.top_value)

    def axes(self) -> Iterator[str]:
        yield f'<text x="{self.left:.0f}" y="{TOP - 15}" font-weight="bold">{escape(self.title)}</text>'
        for quarter in range(5):
            value = quarter / 4 * self.top_value
            yield f'<path d="M{self.left:.0f} {self.y(value):.1f}H{self.left + self.width:.0f}" stroke="#ddd"/>'
            yield f'<text x="{self.left - 6:.0f}" y="{self.y(value) + 4:.1f}" text-anchor="end">{figure(value)}</text>'
        for size in self.sizes:
            yield f'<text x="{self.x(size):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{size:,}</text>'

    def drawn_lines(self) -> Iterator[str]:
        for number, (name, line) in enumerate(self.lines.items()):
            colour = COLOURS[number % len(COLOURS)]
            points = [(self.x(size), self.y(line[size])) for size in sorted(line)]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
            below = TOP + HEIGHT + 36 + LEGEND_LINE * number
            yield f'<text x="{self.left:.0f}" y="{below}" fill="{colour}">{escape(name)}</text>'


def growth_svg(panels: Mapping[str, Mapping[str, Line]]) -> str:
    """Panels side by side, each with its title and its lines by name; every x is a number of tenants, at least 1."""
    width = (WIDTH - LEFT) / len(panels)
    height = TOP + HEIGHT + 40 + LEGEND_LINE * max(len(lines) for lines in panels.values())
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
    drawn = [f'{head} font-size="12">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>']
    for number, (title, lines) in enumerate(panels.items()):
        panel = _Panel(title, lines, LEFT + number * width, width - GAP)
        drawn += [*panel.axes(), *panel.drawn_lines()]
    return "\n".join([*drawn, "</svg>\n"])


def _share(size: int, sizes: Sequence[int]) -> float:
    """Where a size lies between the smallest and the largest, by their logarithms; the middle where there is one."""
    if len(sizes) < 2:
        return 0.5
    return (log10(size) - log10(sizes[0])) / (log10(sizes[-1]) - log10(sizes[0]))


def round_up(value: float) -> float:
    """The next of 1, 2, 4, 5 or 10 times a power of ten: where an axis ends."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= value * (1 - 1e-9))
