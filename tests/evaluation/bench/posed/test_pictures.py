"""What the benchmark's page shows of depth maps."""

import numpy as np
import pytest

from mvrecon.evaluation.bench.flow.pictures import GAP_PX, UNKNOWN_RGB
from mvrecon.evaluation.bench.page import Page, page_html
from mvrecon.evaluation.bench.posed.benchmark import depth_strip, middle_depth_strip
from mvrecon.evaluation.metrics.depth import JudgedDepth
from tests.evaluation.run.fake_run import Truth, write_run


def test_errors_shine_and_the_unknown_is_grey():
    truth_hw = np.tile(np.linspace(1, 2, 80, dtype=np.float32), (50, 1))
    estimate_hw = truth_hw.copy()
    estimate_hw[:, 40:] *= 1.2
    truth_hw[:10], estimate_hw[-10:] = 0, 0
    strip = depth_strip(JudgedDepth(estimate_hw, truth_hw, np.eye(3), np.eye(4)), None)
    assert strip.shape == (50, 4 * 80 + 3 * GAP_PX, 3)
    _, truth, estimate, error = (
        strip[:, i * (80 + GAP_PX) :][:, :80].astype(int) for i in range(4)
    )
    assert (error[:10] == UNKNOWN_RGB).all()
    assert (error[-10:] == UNKNOWN_RGB).all()
    np.testing.assert_array_equal(truth[10:40, :40], estimate[10:40, :40])
    assert error[10:40, :40].sum(-1).max() < 30
    assert error[10:40, 40:].sum(-1).min() > 300


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth(tmp_path_factory.mktemp("truth")).write()


def test_a_run_is_shown_by_its_middle_key_frame(truth, tmp_path):
    run = write_run(tmp_path / "run", truth, depth_factor=1.1)
    name, abs_rel, strip = middle_depth_strip(run, truth.with_depths)
    assert name == "000004"
    assert abs_rel == pytest.approx(0.1, abs=1e-3)
    caption = "a set & a variant"
    html = page_html(Page("Depth", "mvrecon bench depth", [], {}, depth_strips=[(caption, strip)]))
    assert "a set &amp; a variant" in html
    assert html.count("data:image/jpeg") == 1


def test_without_depth_nothing_is_shown(truth, tmp_path):
    run = write_run(tmp_path / "run", truth)
    for path in (run / "depth").iterdir():
        path.unlink()
    assert middle_depth_strip(run, truth.with_depths) is None
