"""How far fused depth can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvrecon.multiview.reprojection import FloatMap


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

    def features(self) -> list[FloatMap]:
        """What the logistic model takes."""
        return [
            self.own_hw,
            np.log(self.support_hw + np.float32(0.1)),
            np.log(self.contradiction_hw + np.float32(0.1)),
        ]


# Fitted on a rendered and on a hand-held indoor sequence, each weighing the same.
BIAS = 0.263
WEIGHTS = (1.267, 0.849, -0.364)


def confidence_of(agreement: Agreement) -> FloatMap:
    """Probability that the depth is right to 5 % (logistic regression on the agreement)."""
    score_hw = np.full_like(agreement.own_hw, BIAS)
    for weight, feature_hw in zip(WEIGHTS, agreement.features(), strict=True):
        score_hw += np.float32(weight) * feature_hw
    return np.asarray(1.0 / (1.0 + np.exp(-score_hw)), dtype=np.float32)
