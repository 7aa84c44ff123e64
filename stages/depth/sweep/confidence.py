"""How far the depth of a sweep can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvrecon.geometry.transfer import FloatMap

# Logistic models of "right to 5 %" (to 12 % on the hand-held sequence, whose reference is no
# better), fitted on a rendered and on a hand-held indoor sequence,
# each weighing the same.
IMAGES_BIAS = -6.5
IMAGES_WEIGHTS = (-3.457, -1.588, -0.356, -1.691)
FLOW_BIAS = -9.244
FLOW_WEIGHTS = (-2.54, -1.109, -0.262, -1.606)
FLOW_TRUST_WEIGHT = 3.423
FLOW_AGREEMENT_WEIGHT = 1.005
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


def confidence_of(evidence: Evidence) -> FloatMap:
    """Probability that the depth is right to 5 %.

    Two logistic models, one from the images and one that asks the flow too, are mixed by the
    weight of the flow, so that flow that knows nothing neither helps nor harms.
    """
    features = [
        np.sqrt(evidence.match_cost_hw),
        np.log(evidence.ambiguity_hw + np.float32(0.01)),
        np.log(evidence.texture_hw + np.float32(4.0)),
        np.log(evidence.relative_step_hw),
    ]
    weight_hw = evidence.flow_weight_hw
    agreement_hw = weight_hw * np.exp(evidence.flow_miss_hw / np.float32(-FLOW_AGREEMENT_SCALE))
    images_hw = _linear(IMAGES_BIAS, IMAGES_WEIGHTS, features)
    flow_hw = _linear(
        FLOW_BIAS,
        (*FLOW_WEIGHTS, FLOW_TRUST_WEIGHT, FLOW_AGREEMENT_WEIGHT),
        [*features, weight_hw, agreement_hw],
    )
    score_hw = images_hw + weight_hw * (flow_hw - images_hw)
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)


def _linear(bias: float, weights: tuple[float, ...], features: list[FloatMap]) -> FloatMap:
    total_hw = np.full_like(features[0], bias)
    for weight, feature_hw in zip(weights, features, strict=True):
        total_hw += np.float32(weight) * feature_hw
    return total_hw
