"""How far fused depth can be trusted: what agrees with it and what rules it out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap

# Added to sums of confidences before their logarithm, in views: a tenth of a view is as none.
LEAST_SUM = 0.1
# Networks are told logarithms in this unit, so that they lie in about −1…1.
CUE_SCALE = 0.5

# Logistic regression of "right to 5 %" on both kinds of depth, each weighing the same, fitted on
# rendered clips of which nothing else is made: `python -m benchmarks.tools.confidence_fit`.
BIAS = -0.764
OWN_WEIGHT, SUPPORT_WEIGHT, CONTRADICTION_WEIGHT = 2.127, 0.890, -0.293


@dataclass(frozen=True)
class Agreement:
    """How the maps relate to the fused depth of each pixel, all (h, w) float32.

    Attributes:
        own_hw: confidence of the view's own depth, as far as it agrees.
        support_hw: sum of the confidences of the other maps that agree.
        contradiction_hw: sum of the confidences of those that rule the depth out.
    """

    own_hw: FloatMap
    support_hw: FloatMap
    contradiction_hw: FloatMap

    def features(self) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Confidence of the own depth, logarithms of support and contradiction."""
        least = np.float32(LEAST_SUM)
        return self.own_hw, np.log(self.support_hw + least), np.log(self.contradiction_hw + least)

    def cues_3hw(self) -> NDArray[np.float32]:
        """The features in the units that networks are trained with."""
        own_hw, support_hw, contradiction_hw = self.features()
        scale = np.float32(CUE_SCALE)
        return np.stack([own_hw, scale * support_hw, scale * contradiction_hw])


def confidence_of(agreement: Agreement) -> FloatMap:
    """Probability that the depth is right to 5 %."""
    score_hw = np.full_like(agreement.own_hw, BIAS)
    weights = (OWN_WEIGHT, SUPPORT_WEIGHT, CONTRADICTION_WEIGHT)
    for weight, feature_hw in zip(weights, agreement.features(), strict=True):
        score_hw += np.float32(weight) * feature_hw
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)


def confidence_of_cues(cues_3hw: NDArray[np.float32]) -> FloatMap:
    """The same of `Agreement.cues_3hw`.

    Equal but for rounding, which trained networks have learned with.
    """
    own_hw, support_hw, contradiction_hw = cues_3hw
    logarithms_hw = SUPPORT_WEIGHT * support_hw + CONTRADICTION_WEIGHT * contradiction_hw
    score_hw = BIAS + OWN_WEIGHT * own_hw + logarithms_hw / CUE_SCALE
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)
