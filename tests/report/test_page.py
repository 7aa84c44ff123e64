import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mvrecon.report.page import report_html, write_report
from tests.report.runs import COUNT, DROP_REASON, STAGES, WARNING, make_run

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Headings by section, pictures, scripts, text; checks that tags are balanced."""

    def __init__(self, html):
        super().__init__()
        self.sections, self.images, self.scenes, self.references = {}, [], [], []
        self.open, self.text, self._section, self._scene = [], "", None, False
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self._section = attributes["id"]
            self.sections[self._section] = ""
        if tag == "img":
            self.images.append((self._section, attributes.get("src"), attributes.get("alt")))
        self._scene = tag == "script" and attributes.get("type") == "application/json"
        self.references += [attributes[name] for name in ("src", "href") if attributes.get(name)]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self._scene = False
        if tag == "section":
            self._section = None

    def handle_data(self, data):
        if self._scene:
            self.scenes.append(json.loads(data))
        elif self.open[-1:] not in (["script"], ["style"]):
            self.text += data
            if self._section:
                self.sections[self._section] += data


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    return report_html(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_page_has_every_section(page):
    assert list(page.sections) == [
        "warnings",
        "model",
        "cameras",
        "map",
        "frames",
        "flow",
        "depth",
        "stages",
        "configuration",
        "versions",
    ]
    assert "clip <one>.mp4" in page.text


def test_page_needs_nothing_but_itself(html, page):
    assert page.references
    assert all(reference.startswith("data:image/") for reference in page.references)
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|\bimport\s*\(", html)


def test_pictures_are_pictures(page):
    counts = dict.fromkeys(page.sections, 0)
    for section, source, alt in page.images:
        if section is None:
            continue
        assert alt
        data = base64.b64decode(source.partition("base64,")[2], validate=True)
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
        counts[section] += 1
    assert counts["frames"] == COUNT
    assert counts["flow"] == 3 * (COUNT - 1)
    assert counts["depth"] == 3 * COUNT
    assert counts["model"] > 0


def test_rendering_beside_the_photograph_shows_the_model(page):
    source = next(s for _, s, alt in page.images if alt == "model from the same place")
    data = base64.b64decode(source.partition("base64,")[2])
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.max() > 100


def test_warnings_reasons_numbers_costs_and_options_are_told(page):
    assert f"frames: {WARNING}" in page.sections["warnings"]
    assert DROP_REASON in page.sections["frames"]
    for index, stage in enumerate(STAGES):
        assert f"{stage} figure{1234 + index:,}" in page.sections["stages"]
        assert f"{10 + index:.1f}" in page.sections["stages"]
        assert f"{index + 1:.2f} GiB" in page.sections["stages"]
        assert f"{stage}.max_side_px{640 + index}" in page.sections["configuration"]


def decode(layer):
    words = np.frombuffer(base64.b64decode(layer["positions"]), "<u2").reshape(-1, 3)
    return np.array(layer["low"]) + words / 65535 * np.array(layer["size"])


def test_scenes_hold_the_mesh_the_cameras_and_the_points(page):
    model, cameras = page.scenes
    mesh = {layer["kind"]: layer for layer in model["layers"]}["triangles"]
    expected = [[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]]
    assert np.allclose(decode(mesh), expected, atol=1e-4)
    faces = np.frombuffer(base64.b64decode(mesh["indices"]), "<u4").reshape(-1, 3)
    assert faces.tolist() == [[0, 2, 1], [0, 3, 2]]
    kinds = {layer["kind"]: decode(layer) for layer in cameras["layers"]}
    assert len(kinds["points"]) == 50
    path = kinds["lines"][: 2 * (COUNT - 1)]
    assert np.allclose(path[:, 0], 0.1 * np.array([0, 1, 1, 2, 2, 3]), atol=1e-4)
    toward = np.array(cameras["target"]) - cameras["eye"]
    assert toward[2] > 0


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("frames", {"frames"}),
        ("flow", {"frames", "flow"}),
        ("pose", {"frames", "flow", "cameras", "map"}),
        ("depth", {"frames", "flow", "cameras", "map", "depth"}),
    ],
)
def test_a_run_that_stops_early_still_has_its_report(tmp_path, until, expected):
    page = Page(report_html(make_run(tmp_path, until)))
    always = {"warnings", "stages", "configuration", "versions"}
    assert set(page.sections) == expected | always
    assert "Not finished." in page.text
    assert "surfacehas not run" in page.sections["stages"]


def test_frames_without_position_are_marked(tmp_path):
    page = Page(report_html(make_run(tmp_path, posed=3)))
    assert page.sections["frames"].count("no position") == 1


def test_text_of_the_user_cannot_become_markup(html):
    assert "<one>" not in html
    assert "<b>flickers" not in html


def test_the_file_is_replaced_and_equal_runs_give_equal_pages(tmp_path):
    report = make_run(tmp_path / "run")
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(report, path)
    first = path.read_bytes()
    write_report(report, path)
    assert path.read_bytes() == first
    assert first.startswith(b"<!DOCTYPE html>")
    assert [entry.name for entry in tmp_path.glob("*.html*")] == ["report.html"]
    assert not list(tmp_path.glob(".report*"))
