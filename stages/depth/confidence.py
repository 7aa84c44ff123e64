"""How far the depth of a sweep can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.depth.views import FloatMap


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against the depth of each pixel, all (h, w) float32.

    Attributes:
        match_cost_hw: 1 − correlation with the best views, 0…1.
        ambiguity_hw: share of the hypotheses that are nearly as good.
        texture_hw: variance of the image in the window (grey levels²).
        relative_step_hw: step of the hypotheses over the inverse depth.
        prior_miss_hw: relative difference to the depth from flow.
        prior_weight_hw: 0…1, 0 = no flow.
    """

    match_cost_hw: FloatMap
    ambiguity_hw: FloatMap
    texture_hw: FloatMap
    relative_step_hw: FloatMap
    prior_miss_hw: FloatMap
    prior_weight_hw: FloatMap

    def features(self) -> list[FloatMap]:
        """What the logistic model takes."""
        agreement_hw = np.exp(-self.prior_miss_hw / np.float32(0.05)) * self.prior_weight_hw
        return [
            np.sqrt(self.match_cost_hw),
            np.log(self.ambiguity_hw + np.float32(0.01)),
            np.log(self.texture_hw + np.float32(4.0)),
            np.log(self.relative_step_hw),
            agreement_hw,
            self.prior_weight_hw,
        ]


BIAS = 0.0
WEIGHTS = (-2.0, -0.7, 0.1, -0.5, 2.0, -1.0)


def confidence_of(evidence: Evidence) -> FloatMap:
    """Probability that the depth is right to 5 % (logistic regression on the evidence)."""
    score_hw = np.full_like(evidence.match_cost_hw, BIAS)
    for weight, feature_hw in zip(WEIGHTS, evidence.features(), strict=True):
        score_hw += np.float32(weight) * feature_hw
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)
