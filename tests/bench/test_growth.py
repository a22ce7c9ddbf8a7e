"""What is kept of a fleet's size, the table and the plot made of it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace

import pytest

from bench.growth import Figures, figures_of, growth_table, plot
from bench.growth_plot import TOP, growth_svg, round_up
from bench.measured import Measured
from bench.results import commit

MEASURED = Measured(
    title="workerless",
    tenants=200,
    wall=61.26,
    cpu={"triggerer": 40.0, "scheduler": 20.0},
    lab_cpu={"cloud": 50.0},
    queued=4.44,
    memory={"triggerer": 250.4, "scheduler": 120.0},
    calls=Counter({"ec2:CreateSnapshot": 20, "ssm:SendCommand": 180, "s3:PutObject": 1000}),
    describes=12,
    problems=["one was lost"],
)


@pytest.fixture
def by_size() -> dict[int, Figures]:
    larger = replace(MEASURED, tenants=1000, cpu={"triggerer": 500.0, "scheduler": 50.0}, wall=300.0)
    return {200: figures_of(MEASURED), 1000: figures_of(larger)}


def test_cpu_and_calls_are_kept_per_tenant(by_size: dict[int, Figures]) -> None:
    assert by_size[200] == {
        "wall": 61.3,
        "queued": 4.4,
        "cpu": {"triggerer": 0.2, "scheduler": 0.1},
        "lab": 0.25,
        "memory": {"triggerer": 250, "scheduler": 120},
        "calls": 1.0,
        "describes": 12,
        "problems": ["one was lost"],
        "commit": commit(),
    }


def test_the_table_has_a_row_for_each_size(by_size: dict[int, Figures]) -> None:
    _, _, *rows = growth_table(by_size).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:4] for row in cells] == [["200", "61.3", "4.40", "0.30"], ["1,000", "300", "4.40", "0.55"]]
    assert cells[1][4:6] == ["0.500", "0.050"]
    assert cells[0][-2:] == ["1", commit()], "a size at which tenants were lost shows it, and when it was measured"


def test_the_plot_is_a_picture_with_a_line_for_each_component(by_size: dict[int, Figures]) -> None:
    picture = ElementTree.fromstring(plot(by_size))  # noqa: S314 - of our own making
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"CPU-s per tenant", "largest process, MB", "triggerer", "until all are queued", "1,000"} <= set(texts)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}polyline"))) == 2 + 2 + 2


def test_the_largest_figure_of_a_panel_lies_within_it() -> None:
    picture = ElementTree.fromstring(growth_svg({"t": {"a": {50: 1.0, 3000: 4.0}}}))  # noqa: S314 - as above
    heights = [float(dot.attrib["cy"]) for dot in picture.iter("{http://www.w3.org/2000/svg}circle")]
    assert heights == [TOP + 225.0, TOP]


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.03, 0.04), (1, 1), (3, 4), (4.1, 5), (61, 100), (5001, 10000)])
def test_an_axis_ends_at_a_round_number(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)
