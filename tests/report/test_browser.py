"""The report in headless Chromium: the texture is drawn, keys work, a phone shows it all."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.images import encode_jpeg
from mvrecon.formats.textured_mesh import TexturedMesh, write_textured_glb
from mvrecon.report.contents import StageReport
from mvrecon.report.page import write_report
from tests.report.runs import make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def textured(folder):
    """A run whose model has a picture, red above and green below."""
    report = make_run(folder)
    picture_hw3 = np.zeros((64, 64, 3), np.uint8)
    picture_hw3[:32, :, 0] = 240
    picture_hw3[32:, :, 1] = 240
    mesh = TexturedMesh(
        xyz_n3=np.float32([[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]]),
        normals_n3=np.float32([[0, 0, -1]] * 4),
        uv_n2=np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]),
        faces_m3=np.int32([[0, 2, 1], [0, 3, 2]]),
        jpeg=encode_jpeg(picture_hw3, 95),
    )
    texture = folder / "texture"
    texture.mkdir()
    write_textured_glb(texture / "mesh.glb", mesh)
    return replace(report, stages=[*report.stages, StageReport("texture", texture)])


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("size", [(1200, 800), (390, 800), (800, 300)])
def test_the_first_view_shows_what_a_camera_saw_in_a_window_of_any_shape(tmp_path, size) -> None:
    """It lies within the window, the outermost near its rim."""
    pytest.importorskip("websockets")
    from tests.viewer.browser import page_of, wait_for

    path = tmp_path / "report.html"
    write_report(textured(tmp_path / "run"), path)
    with page_of(CHROMIUM, path.as_uri(), tmp_path / "profile") as page:
        wait_for(lambda: page.evaluate("document.readyState") == "complete" or None)
        width, height = size
        page.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        ends = page.evaluate(
            """(() => {
              const figure = document.querySelector("figure.viewer");
              const canvas = figure.querySelector("canvas");
              const scene = JSON.parse(figure.querySelector("script").textContent);
              const aspect = canvas.clientWidth / canvas.clientHeight;
              const view = fitted(scene, aspect), m = clipFromWorld(view, aspect);
              return scene.seen.map((p) => {
                const row = (r) => m[r] * p[0] + m[4 + r] * p[1] + m[8 + r] * p[2] + m[12 + r];
                return Math.max(Math.abs(row(0)), Math.abs(row(1))) / row(3);
              });
            })()"""
        )
        assert max(ends) == pytest.approx(1 / 1.05, rel=1e-3)
        assert page.errors == []


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_person_sees_the_texture_and_turns_it_by_keys(tmp_path) -> None:
    pytest.importorskip("websockets")
    from tests.viewer.browser import page_of, wait_for

    path = tmp_path / "report.html"
    write_report(textured(tmp_path / "run"), path)
    with page_of(CHROMIUM, path.as_uri(), tmp_path / "profile") as page:
        wait_for(lambda: page.evaluate("document.readyState") == "complete" or None)
        page.evaluate("document.querySelector('canvas').scrollIntoView()")

        def has_both(picture) -> bool:
            red, green, blue = picture.astype(int).transpose(2, 0, 1)
            above, below = (red > 150) & (green < 90), (green > 150) & (red < 90)
            return above.sum() > 300 and below.sum() > 300 and blue.min() < 90

        before = page.await_picture(has_both)
        page.evaluate("document.querySelector('canvas').focus()")
        for _ in range(12):
            page.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
        page.await_picture(lambda picture: np.abs(picture.astype(int) - before).mean() > 2)
        page.send(
            "Emulation.setDeviceMetricsOverride",
            width=390,
            height=800,
            deviceScaleFactor=1,
            mobile=True,
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.evaluate("document.querySelector('img.zoomable').focus()")
        page.send("Input.dispatchKeyEvent", type="keyDown", key="Enter")
        assert page.evaluate("document.querySelector('dialog').open")
        assert page.errors == []
