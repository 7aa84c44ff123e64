"""The sweep's confidence follows its evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.depth.sweep.confidence import Evidence, confidence_of

GOOD = {"match_cost_hw": 0.02, "ambiguity_hw": 0.01, "texture_hw": 400.0}
POOR = {"match_cost_hw": 0.5, "ambiguity_hw": 0.4, "texture_hw": 400.0}


def evidence(**values: float) -> Evidence:
    terms = {"relative_step_hw": 0.01, "flow_miss_hw": 0.0, "flow_weight_hw": 0.0, **values}
    return Evidence(**{name: np.full((2, 3), value, np.float32) for name, value in terms.items()})


def of(one: Evidence) -> float:
    confidence_hw = confidence_of(one)
    assert confidence_hw.dtype == np.float32 and np.ptp(confidence_hw) == 0
    return float(confidence_hw[0, 0])


def test_a_clear_match_is_surer_than_a_poor_one() -> None:
    assert of(evidence(**GOOD)) > 0.8
    assert of(evidence(**POOR)) < 0.4


def test_flow_that_agrees_helps_and_flow_that_does_not_harms() -> None:
    alone = of(evidence(**POOR))
    agreeing = of(evidence(**POOR, flow_weight_hw=1.0))
    disagreeing = of(evidence(**POOR, flow_weight_hw=1.0, flow_miss_hw=0.5))
    assert disagreeing < alone < agreeing


@pytest.mark.parametrize("miss", [0.0, 0.5])
def test_flow_that_knows_nothing_changes_nothing(miss: float) -> None:
    nothing = np.full((2, 3), miss, np.float32)
    one = evidence(**GOOD)
    assert of(replace(one, flow_miss_hw=nothing)) == of(one)
