from __future__ import annotations

import json

import numpy as np
import pytest

from stylehead.evaluation.measures import (
    Measure,
    Measures,
    half_interval,
    mean_measures,
    mean_with_interval,
)

NAN = float("nan")


def test_json_has_null_where_there_is_no_number() -> None:
    measures = Measures({"result": {"a": Measure(NAN), "b": Measure(1.5, 0.5)}}, ("note",))
    assert json.loads(measures.to_json()) == {
        "rows": {
            "result": {
                "a": {"value": None, "half_interval": None},
                "b": {"value": 1.5, "half_interval": 0.5},
            }
        },
        "notes": ["note"],
    }


def test_the_text_leaves_out_what_is_missing_or_no_number() -> None:
    measures = Measures(
        {"x": {"a": Measure(1.234, 0.5), "b": Measure(NAN)}, "y": {"b": Measure(2)}}
    )
    lines = [("measure", "x", "y"), ("a", "1.23 ± 0.50", ""), ("b", "", "2")]
    assert list(measures.table()) == lines
    turned = [("method", "a", "b"), ("x", "1.23 ± 0.50", ""), ("y", "", "2")]
    assert list(measures.transposed().table("method")) == turned


@pytest.mark.parametrize(
    ("value", "text"), [(0.0816, "0.0816"), (14.52, "14.52"), (263.0, "263.00"), (-0.367, "-0.367")]
)
def test_numbers_keep_three_digits(value: float, text: str) -> None:
    assert str(Measure(value)) == text


def test_measures_are_chosen_in_the_order_asked_for() -> None:
    measures = Measures({"x": {"a": Measure(1), "b": Measure(2), "c": Measure(3)}}, ("note",))
    assert measures.only(["c", "none", "a"]) == Measures(
        {"x": {"c": Measure(3), "a": Measure(1)}}, ("note",)
    )


def test_means_are_over_what_is_a_number_in_all_tables() -> None:
    tables = [
        Measures({"x": {"a": Measure(0.0), "b": Measure(NAN), "c": Measure(1.0)}, "y": {}}),
        Measures({"x": {"a": Measure(2.0), "b": Measure(3.0)}}),
    ]
    rows = mean_measures(tables).rows
    assert list(rows) == ["x"]
    assert list(rows["x"]) == ["a", "b"]
    assert rows["x"]["a"].value == 1
    assert rows["x"]["a"].half_interval == 1
    assert rows["x"]["b"] == Measure(3.0, None)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    measure = mean_with_interval(values, resamples=4000)
    assert measure.value == values.mean()
    assert measure.half_interval == pytest.approx(1.96 * values.std() / 20, rel=0.05)


def test_the_interval_ignores_draws_without_a_number() -> None:
    values = np.array([1.0, 2.0, NAN])
    half = half_interval(lambda picks: float(values[picks[0]]), 3, 500)
    assert half == pytest.approx(0.5)
