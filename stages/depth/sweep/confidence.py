"""How far the depth of a sweep can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvrecon.geometry.transfer import FloatMap

# Logistic models of "right to 5 %", fitted on rendered rooms, desk tops, facades and objects that
# nothing else is trained or measured on: `python -m benchmarks.tools.confidence_fit`.
# From the images: √cost, ambiguity, texture, step, a constant; with flow the same, and how far
# flow is trusted and agreed with.
WEIGHTS = (
    *(-2.837, -0.682, -0.199, -0.223, 0.352),
    *(-4.100, -0.986, -0.197, -0.421, -1.191, -0.537, 4.813),
)
# Relative difference to the depth from flow at which agreement has lost two thirds.
FLOW_AGREEMENT_SCALE = 0.05


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against the depth of each pixel, all (h, w) float32.

    Attributes:
        match_cost_hw: 1 − correlation with the best views, 0…1.
        ambiguity_hw: share of the hypotheses that are nearly as good.
        texture_hw: variance of the image in the window (grey levels²).
        relative_step_hw: step of the hypotheses over the inverse depth.
        flow_miss_hw: relative difference to the depth from flow.
        flow_weight_hw: 0…1, how far flow is to be trusted.
    """

    match_cost_hw: FloatMap
    ambiguity_hw: FloatMap
    texture_hw: FloatMap
    relative_step_hw: FloatMap
    flow_miss_hw: FloatMap
    flow_weight_hw: FloatMap


def features_of(evidence: Evidence) -> list[FloatMap]:
    """Terms of the logistic model, of which `confidence_of` is the weighted sum.

    Those from the images and those with flow are two models that are mixed by the weight of the
    flow, so that flow that knows nothing neither helps nor harms.
    """
    images = [
        np.sqrt(evidence.match_cost_hw),
        np.log(evidence.ambiguity_hw + np.float32(0.01)),
        np.log(evidence.texture_hw + np.float32(4.0)),
        np.log(evidence.relative_step_hw),
        np.ones_like(evidence.match_cost_hw),
    ]
    weight_hw = evidence.flow_weight_hw
    agreement_hw = weight_hw * np.exp(evidence.flow_miss_hw / np.float32(-FLOW_AGREEMENT_SCALE))
    with_flow = [*images, weight_hw, agreement_hw]
    return [
        *((np.float32(1) - weight_hw) * term_hw for term_hw in images),
        *(weight_hw * term_hw for term_hw in with_flow),
    ]


def confidence_of(evidence: Evidence) -> FloatMap:
    """Probability that the depth is right to 5 %."""
    score_hw = np.zeros_like(evidence.match_cost_hw)
    for weight, term_hw in zip(WEIGHTS, features_of(evidence), strict=True):
        score_hw += np.float32(weight) * term_hw
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)
