"""Figures in words."""

import pytest

from tuneclip.measure.wording import figure, headline_depth, interval, outcome, verdict
from tuneclip.records import Difference, Score


def score(model, value, metric="t2i_recall@10"):
    return Score(model, metric, value, value - 0.01, value + 0.01, 2000)


def gain(value, low, high, metric="t2i_recall@10", model="tuned"):
    return Difference(("starter", model), metric, value, low, high)


def test_shares_are_percent_with_one_decimal_and_ranks_are_places():
    assert figure("t2i_recall@10", 0.52149) == "52.1"
    assert figure("t2i_mrr", -0.0401, signed=True) == "−4.0"
    assert figure("t2i_mrr", -1e-9, signed=True) == "+0.0"
    assert figure("i2t_median_rank", 1234) == "1,234"
    assert figure("i2t_median_rank", 2.5) == "2.5"
    assert figure("i2t_median_rank", 53.98) == "54"
    assert interval("t2i_mrr", -0.02, 0.5) == "[−2.0, 50.0]"


def test_a_lower_median_rank_is_better():
    assert outcome(gain(-50, -60, -40, "t2i_median_rank")) == "better"
    assert outcome(gain(-0.1, -0.2, -0.05)) == "worse"
    assert outcome(gain(0.1, 0.0, 0.2)) == "unclear"


def test_the_verdict_is_one_sentence_with_the_paired_interval():
    said = verdict([score("starter", 0.034), score("tuned", 0.521)], [gain(0.487, 0.469, 0.504)], 2000)
    assert said == (
        "tuned finds the right picture among the first ten for 52.1 % of the captions, "
        "starter for 3.4 %: +48.7 points [46.9, 50.4]."
    )


def test_the_verdict_says_when_a_difference_may_be_chance():
    said = verdict([score("starter", 0.5), score("tuned", 0.51)], [gain(0.01, -0.01, 0.03)], 2000)
    assert said.endswith("+1.0 points [−1.0, 3.0], which may be chance.")


def test_the_verdict_is_about_the_best_of_several():
    scores = [score("starter", 0.5), score("tuned", 0.6), score("best", 0.7)]
    differences = [gain(0.1, 0.05, 0.15), gain(0.2, 0.15, 0.25, model="best")]
    assert verdict(scores, differences, 2000).startswith("best finds the right picture")


@pytest.mark.parametrize(("pictures", "depth"), [(2, 1), (49, 1), (50, 5), (99, 5), (100, 10)])
def test_a_headline_recall_is_one_that_guessing_does_not_reach(pictures, depth):
    assert headline_depth(pictures) == depth
