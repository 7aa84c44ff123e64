"""The viewer in a browser: something is seen, and clicks measure it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from mvrecon.viewer.serve import address, open_viewer
from tests.viewer.browser import page_of, wait_for
from tests.viewer.runs import FakeRun

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PANEL_PX = 420


def share(picture, rgb):
    """Part of the scene that is about of this colour."""
    scene = picture[:, :-PANEL_PX].astype(int)
    return float(np.mean(np.abs(scene - np.array(rgb)).max(axis=-1) < 60))


def is_shown(picture):
    """The two colours of the texture, each on a part that can be seen."""
    return share(picture, (255, 0, 0)) > 0.01 and share(picture, (0, 0, 255)) > 0.01


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_run_is_seen_as_it_is_made_and_measured_by_clicks(tmp_path):
    run = FakeRun(tmp_path / "run").until("pose")
    viewer = open_viewer(run.folder, "127.0.0.1", 0)
    try:
        with page_of(CHROMIUM, address(viewer.server), tmp_path / "profile") as page:
            wait_for(lambda: viewer.server.get_clients() or None)
            for stage in ("depth", "fusion", "surface", "texture"):
                run.add(stage)
            assert viewer.update()
            viewer.panel.cameras.value = False
            picture = page.await_picture(is_shown)
            assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
            page.press("Pick two points")
            # Well within the red half, whatever else of the page is red.
            red = np.argwhere(np.abs(picture.astype(int) - (255, 0, 0)).max(axis=-1) < 60)
            inner = np.percentile(red, [35, 65], axis=0)
            for count, (y, x) in enumerate(inner, 1):
                wait_for(lambda: viewer._picking or None)
                page.click(float(x), float(y))
                wait_for(lambda count=count: len(viewer.length.ends) == count or None)
            assert 0.1 < viewer.length.measured < np.sqrt(8)
            assert all(abs(end[2] - 4) < 1e-3 for end in viewer.length.ends)
            assert page.errors == []
    finally:
        viewer.server.stop()
