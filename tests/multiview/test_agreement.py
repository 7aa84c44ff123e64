import numpy as np

from mvrecon.multiview.agreement import Agreement, confidence_of, confidence_of_cues


def agreement(own: float, support: float, contradiction: float) -> Agreement:
    return Agreement(*(np.float32([[value]]) for value in (own, support, contradiction)))


def test_what_agrees_is_trusted_more_and_what_is_contradicted_less():
    base = confidence_of(agreement(0.5, 2.0, 0.5)).item()
    assert confidence_of(agreement(0.9, 2.0, 0.5)).item() > base + 0.02
    assert confidence_of(agreement(0.5, 4.0, 0.5)).item() > base + 0.02
    assert confidence_of(agreement(0.5, 2.0, 2.0)).item() < base - 0.02


def test_cues_are_the_features_in_small_units():
    cues_3hw = agreement(0.7, 0.9, 0.0).cues_3hw()
    np.testing.assert_allclose(cues_3hw[:, 0, 0], [0.7, 0.0, 0.5 * np.log(0.1)], atol=1e-6)
    assert cues_3hw.dtype == np.float32


def test_cues_tell_the_same_confidence():
    rng = np.random.default_rng(0)
    maps = Agreement(*(rng.uniform(0, 4, (8, 9)).astype(np.float32) for _ in range(3)))
    np.testing.assert_allclose(confidence_of_cues(maps.cues_3hw()), confidence_of(maps), rtol=1e-5)
