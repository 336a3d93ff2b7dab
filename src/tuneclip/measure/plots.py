"""The report's plots: Matplotlib figures as inline SVG that takes its colours and its font from the page."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneclip.measure import wording
from tuneclip.records import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tuneclip.training.interpolate import Point

# Stand-ins that Matplotlib draws with; each becomes a colour of the page, so that the plot is right in dark mode too.
INK, MUTED, LINE, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
_PAGE_COLOURS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    PAPER: "var(--paper)",
}
_WIDTH = 4.6  # inches at 72 units: as wide as a phone, so that the page never shrinks the words to nothing
_FAINTEST = 0.35
_MOST_POINTS = 400
_FEW_POINTS = 40


@dataclass(frozen=True)
class Curve:
    """A line of a training plot; `number` is the model's place among those compared, and gives the colour."""

    name: str
    number: int
    x: Sequence[float]
    y: Sequence[float]


def recall_plot(scores: Sequence[Score], way: str, chance: Mapping[str, float]) -> str:
    """Recall@1/5/10 of one way (`t2i` or `i2t`), a dot with its interval for each model; `chance` marks guessing."""
    chosen = [score for score in scores if score.metric.startswith(f"{way}_recall@")]
    models = list(dict.fromkeys(score.model for score in chosen))
    metrics = list(dict.fromkeys(score.metric for score in chosen))
    step = 0.26 if len(models) > 1 else 0.0
    height = 0.8 + len(metrics) * (0.34 + 0.24 * len(models))
    figure, axes = _figure(height)
    for row, metric in enumerate(metrics):
        own = [score for score in chosen if score.metric == metric]
        places = [row + (i - (len(own) - 1) / 2) * step for i in range(len(own))]
        for i, (score, y) in enumerate(zip(own, places, strict=True)):
            _dot(axes, score, y, i, len(models))
        if metric in chance:
            axes.plot([chance[metric] * 100] * 2, [row - 0.42, row + 0.42], color=MUTED, linewidth=1, dashes=(2, 2))
    axes.set_yticks(range(len(metrics)), [wording.label(metric) for metric in metrics])
    axes.set_ylim(len(metrics) - 0.45, -0.55)
    axes.set_xlim(-2, 102)
    axes.set_xticks(range(0, 101, 25), [f"{tick} %" for tick in range(0, 101, 25)])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LINE, linewidth=0.75)
    return _svg(figure, f"recall-{way}", f"Recall {wording.WAYS[way]} of {', '.join(models)} with intervals")


def line_plot(
    name: str,
    curves: Sequence[Curve],
    models: int,
    *,
    axis: str,
    level: float | None = None,
    percent: bool = False,
) -> str:
    """Curves over steps or epochs (`axis`), in percent or plain; `level` draws a dashed line across, at chance.

    A level above all curves is left out.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(2.7)
    for curve in curves:
        style = model_style(curve.number, models)
        if len(curve.x) < _FEW_POINTS:
            axes.plot(curve.x, curve.y, marker="o", markersize=3.5, linewidth=1.6, **style)
        else:
            axes.plot(*_means(curve, _MOST_POINTS), linewidth=0.8, **style | {"alpha": _FAINTEST})
            axes.plot(*_means(curve, _FEW_POINTS), linewidth=1.8, **style)
    heights = [0.0, *(y for curve in curves for y in curve.y)]
    axes.set_ylim(min(heights), None if len(set(heights)) == 1 else max(heights) * 1.06)
    if level is not None and level <= axes.get_ylim()[1]:
        axes.axhline(level, color=MUTED, linewidth=1, dashes=(2, 2))
        axes.annotate("chance", (1, level), xycoords=("axes fraction", "data"), xytext=(0, -3), color=MUTED,
                      textcoords="offset points", ha="right", va="top", fontsize=11)  # fmt: skip
    axes.margins(x=0.02)
    axes.grid(axis="y", color=LINE, linewidth=0.75)
    axes.set_xlabel(axis, color=MUTED)
    if percent:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    if axis == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    return _svg(figure, name, f"{name} of {', '.join(curve.name for curve in curves)} by {axis}")


def mixture_plot(name: str, curve: "Sequence[Point]", chosen: float, probe: str | None) -> str:
    """Mixtures of base and tuned weights: recall on the own data against that on the probe (WiSE-FT, figure 1).

    Without a probe the own recall over alpha. The chosen mixture is filled, the two ends are named.
    """
    own = [100 * point.validation_mean_recall for point in curve]
    general = [100 * (point.probe_recall or 0.0) for point in curve]
    x, y = (own, general) if probe else ([point.alpha for point in curve], own)
    figure, axes = _figure(3.0 if probe else 2.7)
    axes.plot(x, y, color=MUTED, linewidth=1.2, zorder=1)
    for point, left, height in zip(curve, x, y, strict=True):
        filled = point.alpha == chosen
        axes.plot([left], [height], "o", color=ACCENT if filled else MUTED, zorder=3 if filled else 2,
                  markersize=8 if filled else 5, markerfacecolor=ACCENT if filled else PAPER)  # fmt: skip
    for text, place, below in (("base", 0, True), ("tuned", -1, y[-1] < y[-2])):
        axes.annotate(text, (x[place], y[place]), xytext=(0, -9 if below else 9), textcoords="offset points",
                      ha="center", va="top" if below else "bottom", color=MUTED, fontsize=11)  # fmt: skip
    axes.margins(0.12, 0.22)
    axes.grid(color=LINE, linewidth=0.75)
    axes.set_xlabel("recall on own pictures" if probe else "α", color=MUTED)
    axes.set_ylabel(f"recall on {probe}" if probe else "recall on own pictures", color=MUTED, fontsize=11)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    if probe:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    return _svg(figure, name, f"Recall of {len(curve)} mixtures of base and tuned weights, alpha {chosen:g} chosen")


def _dot(axes: "Axes", score: Score, y: float, number: int, count: int) -> None:
    style = model_style(number, count)
    low, high = score.low * 100, score.high * 100
    axes.plot([low, high], [y, y], linewidth=1.6, zorder=2, **style)
    hollow = {"markerfacecolor": PAPER, "markeredgewidth": 1.6} if number == 0 and count > 1 else {}
    axes.plot([score.value * 100], [y], "o", markersize=6.5, zorder=3, **style | hollow)
    beyond = high > 78
    axes.annotate(
        wording.figure(score.metric, score.value),
        (low if beyond else high, y),
        xytext=(-7 if beyond else 7, 0),
        textcoords="offset points",
        ha="right" if beyond else "left",
        va="center_baseline",
        fontsize=11,
        color=MUTED if number == 0 and count > 1 else INK,
    )


def model_style(number: int, count: int) -> dict[str, Any]:
    """Grey for the first of several, the accent for the others, fainter the earlier they stand."""
    if number == 0 and count > 1:
        return {"color": MUTED}
    others = max(1, count - 1)
    place = number if count > 1 else 1
    return {"color": ACCENT, "alpha": _FAINTEST + (1 - _FAINTEST) * place / others}


def _means(curve: Curve, most: int) -> tuple[list[float], list[float]]:
    """The curve as at most so many points, each the mean of its neighbours: calm to the eye, small on the page."""
    width = -(-len(curve.x) // most)
    parts = [slice(i, i + width) for i in range(0, len(curve.x), width)]
    return [_mean(curve.x[part]) for part in parts], [_mean(curve.y[part]) for part in parts]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _figure(height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=INK, length=0, labelsize=11, pad=6)
    axes.set_axisbelow(True)
    axes.xaxis.label.set_fontsize(11)
    return figure, axes


def _svg(figure: "Figure", name: str, description: str) -> str:
    """The figure as an <svg> element for an HTML page: no outside address, ids of its own, the page's colours."""
    import matplotlib
    from markupsafe import escape

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r"font: (?:[\w.]+ )*?([\d.]+px)[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1{name}-", svg)
    for colour, meaning in _PAGE_COLOURS.items():
        svg = svg.replace(colour, meaning)
    return re.sub(r'<svg[^>]*viewBox="([^"]+)"[^>]*>',
                  rf'<svg viewBox="\1" role="img" aria-label="{escape(description)}">', svg, count=1)  # fmt: skip
