from xml.etree import ElementTree

from benchmarks.charts import as_svg
from benchmarks.figures import Spread
from benchmarks.results import Chart, Goal, Section, Table, report

BARS = (("This <program>", Spread(300.0, 250.0, 400.0)), ("Peer & others", Spread(100.0, 100.0, 100.0)))


def test_a_table_is_aligned_and_keeps_its_cells_apart() -> None:
    table = Table(("Server", "ms"), [("ours", "1.5"), ("a|b", "–")], note="Median.")

    assert table.as_markdown().splitlines() == [
        "| Server | ms  |",
        "| ------ | --- |",
        "| ours   | 1.5 |",
        r"| a\|b   | –   |",
        "",
        "Median.",
    ]


def test_a_goal_is_judged_by_the_median() -> None:
    found = Spread(6.1, 5.8, 6.5)

    assert Goal.at_least("speed", found, 6, "x") == Goal("speed", "at least 6x", "6.10x (5.80 to 6.50)", True)
    assert Goal.at_least("speed", found, 6.2, "x").reached is False
    assert Goal.at_most("time", found, 6, "x").verdict == "not reached"
    assert Goal.at_most("time", None, 6, "x").verdict == "–"


def test_a_report_names_conditions_goals_and_charts() -> None:
    section = Section(
        "Receiving",
        tables=[Table(("a",), [("b",)])],
        charts=[Chart("received", "Signals a second", "signals/s", BARS)],
        goals=[Goal.at_least("speed", Spread(6.1, 6.1, 6.1), 6, "x")],
    )

    printed = report([section], conditions=[("System", "Linux")], with_charts=False)
    recorded = report([section], conditions=[("System", "Linux")], with_charts=True)

    assert "| System      | Linux |" in printed
    assert "| speed | at least 6x | 6.10x    | reached |" in printed
    assert "## Receiving" in printed
    assert ".svg" not in printed
    assert "![Signals a second](received.svg)" in recorded


def test_a_chart_is_svg_whose_bars_are_to_scale() -> None:
    root = ElementTree.fromstring(as_svg(Chart("received", 'Signals "a second"', "signals/s", BARS)))  # noqa: S314 - ours

    space = "{http://www.w3.org/2000/svg}"
    first, second = (float(bar.attrib["width"]) for bar in root.iter(f"{space}rect"))
    texts = [text.text for text in root.iter(f"{space}text")]
    assert abs(first / second - 3) < 0.01
    assert texts == ['Signals "a second" (signals/s)', "This <program>", "300", "Peer & others", "100"]
    assert "width" not in root.attrib, "it takes the width of the page"


def test_a_chart_of_nothing_is_still_svg() -> None:
    bars = (("ours", Spread(0.0, 0.0, 0.0)),)

    assert ElementTree.fromstring(as_svg(Chart("received", "Signals", "signals/s", bars))) is not None  # noqa: S314 - ours
