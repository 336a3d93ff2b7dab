"""How figures are said to people, the same in the terminal and in the report."""

from collections.abc import Sequence

from tuneclip.records import Difference, Score

WAYS = {"t2i": "text → picture", "i2t": "picture → text", "zero": "zero-shot"}
_NAMES = {
    "mrr": "MRR",
    "median_rank": "median rank",
    "shot_top1": "top-1",
    "shot_top1_ensemble": "ensemble",
}
_DEPTH_WORDS = {1: "first", 5: "among the first five", 10: "among the first ten"}


def way(metric: str) -> str:
    """The heading under which a metric stands, like "text → picture"."""
    return WAYS.get(metric.split("_", maxsplit=1)[0], "")


def label(metric: str) -> str:
    """The metric's name under its heading, like "recall@10"."""
    rest = metric.split("_", 1)[-1]
    return _NAMES.get(rest, rest)


def is_share(metric: str) -> bool:
    """Whether a metric is a share and is said in percent; the other is a rank."""
    return not metric.endswith("median_rank")


def figure(metric: str, value: float, *, signed: bool = False) -> str:
    """A share in percent with one decimal (without the sign of it), or a rank; minus signs are real ones."""
    if is_share(metric):
        text = f"{0.0 if abs(value) < 0.0005 else value * 100:{'+' if signed else ''}.1f}"
    else:
        text = f"{value:{'+' if signed else ''},.1f}".removesuffix(".0")
    return text.replace("-", "−")


def interval(metric: str, low: float, high: float, pad: str = "") -> str:
    """An interval in brackets, like "[46.9, 50.4]"; `pad` fills shares to four characters, so that columns align."""
    width = 4 if pad and is_share(metric) else 0
    first, last = (figure(metric, value).rjust(width, pad or " ") for value in (low, high))
    return f"[{first}, {last}]"


def outcome(difference: Difference) -> str:
    """Whether 0 lies outside the interval: "better" or "worse", else "unclear"."""
    if difference.low <= 0 <= difference.high:
        return "unclear"
    return "better" if (difference.value > 0) == is_share(difference.metric) else "worse"


def headline_depth(pictures: int) -> int:
    """The k whose recall is worth a headline: ten, unless there are so few pictures that guessing does well at it."""
    return next((k for k in (10, 5) if pictures >= 10 * k), 1)


def verdict(scores: Sequence[Score], differences: Sequence[Difference], pictures: int) -> str:
    """The result in one sentence: the first model against the best of the others, from text to picture."""
    depth = headline_depth(pictures)
    metric = f"t2i_recall@{depth}"
    own = {score.model: score for score in scores if score.metric == metric}
    first, *others = own.values()
    if not others:
        return (
            f"{first.model} finds the right picture {_DEPTH_WORDS[depth]} for {figure(metric, first.value)} % "
            f"{interval(metric, first.low, first.high)} of the captions."
        )
    best = max(others, key=lambda score: score.value)
    gain = next(d for d in differences if d.metric == metric and d.models == (first.model, best.model))
    doubt = ", which may be chance" if outcome(gain) == "unclear" else ""
    points = figure(metric, gain.value, signed=True)
    return (
        f"{best.model} finds the right picture {_DEPTH_WORDS[depth]} for {figure(metric, best.value)} % "
        f"of the captions, {first.model} for {figure(metric, first.value)} %: {points} points "
        f"{interval(metric, gain.low, gain.high)}{doubt}."
    )
