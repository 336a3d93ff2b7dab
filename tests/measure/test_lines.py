"""Curves of training runs: what is drawn, and what would break the figure."""

import pytest

from tuneclip.measure.plots import Curve, line_plot


@pytest.mark.parametrize(("level", "shown"), [(2.0, True), (50.0, False)])
def test_the_level_of_chance_is_drawn_where_the_curves_are(level: float, shown: bool) -> None:
    svg = line_plot("loss", [Curve("a", 0, range(1, 100), [3.0] * 99)], 1, axis="step", level=level)
    assert ("chance" in svg) is shown
