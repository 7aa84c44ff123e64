"""What a user or a file says stays text, wherever it stands on a page."""

import dataclasses
import json

import pytest
from jinja2 import UndefinedError

from mvrecon.artifacts.frames import FRAMES_ITEM
from mvrecon.report.contents import ReportInput, StageReport
from mvrecon.report.page import report_html
from mvrecon.report.templates import environment
from tests.report.runs import make_run
from tests.report.test_page import Page

HOSTILE = """"><script>alert(1)</script>'\n{{ 7 * 7 }}</title>.jpg"""


def hostile_run(root):
    """A run in which everything that comes from outside is hostile."""
    report = make_run(root)
    table = root / "frames" / FRAMES_ITEM
    content = json.loads(table.read_text())
    content["kind"] = "photos"
    for frame in content["frames"]:
        frame["source"] = HOSTILE
        frame["reason"] = HOSTILE if frame["reason"] else ""
    table.write_text(json.dumps(content))
    stages = [
        dataclasses.replace(
            stage,
            warnings=[HOSTILE],
            numbers={HOSTILE: HOSTILE},
            config={HOSTILE: HOSTILE},
        )
        for stage in report.stages
    ]
    return ReportInput(HOSTILE, stages, {HOSTILE: HOSTILE})


def test_hostile_names_and_warnings_stay_text(tmp_path):
    plain, html = report_html(make_run(tmp_path / "plain")), report_html(hostile_run(tmp_path))
    assert "<script>alert" not in html
    page = Page(html)
    assert html.count("<script") == plain.count("<script")
    assert f"frames: {HOSTILE}" in page.sections["warnings"]
    assert f"frames.{HOSTILE}" in page.sections["configuration"]
    assert HOSTILE in page.sections["versions"]
    # As attribute of a picture, where a quote would end it, and as a reason in a table.
    assert f"000000 · {HOSTILE}" in [alt for _, _, alt in page.images]
    assert page.sections["frames"].count(HOSTILE) == 4 + 2
    assert HOSTILE in page.text


def test_a_scene_cannot_end_its_script(tmp_path):
    (tmp_path / "x.html.j2").write_text(
        '{% from "parts.html.j2" import viewer %}{{ viewer(scene) }}'
    )
    scene = {"layers": [{"name": "</script><script>alert(1)</script>"}]}
    html = environment(tmp_path).get_template("x.html.j2").render(scene=scene)
    assert html.count("</script>") == 1
    assert Page(html).scenes == [scene]


def test_folders_of_others_come_first_and_files_are_taken_as_they_stand(tmp_path):
    (tmp_path / "style.css").write_text("a > b { color: {{ red }} }")
    (tmp_path / "page.html.j2").write_text(
        '{% extends "document.html.j2" %}{% block title %}{{ title }}{% endblock %}'
        "{% block head %}<meta name=x>{% endblock %}{% block body %}<p>{{ text }}</p>{% endblock %}"
    )
    html = environment(tmp_path).get_template("page.html.j2").render(title="A & B", text="<i>")
    assert html.startswith("<!DOCTYPE html>")
    assert "<title>A &amp; B</title>" in html
    assert "a > b { color: {{ red }} }" in html
    assert "<meta name=x>" in html
    assert "<p>&lt;i&gt;</p>" in html


def test_data_that_a_template_lacks_is_an_error(tmp_path):
    (tmp_path / "x.html.j2").write_text("{{ section.nothing }}")
    with pytest.raises(UndefinedError, match="nothing"):
        environment(tmp_path).get_template("x.html.j2").render(section={})


def test_an_unfinished_run_needs_no_figure():
    page = Page(report_html(ReportInput("clip.mp4", [StageReport("frames")])))
    assert list(page.sections) == ["stages"]
    assert "frameshas not run" in page.sections["stages"].replace("\n", "")
