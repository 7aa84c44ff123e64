"""When the report of a run is written again, with a small pipeline."""

from pydantic import Field

from mvrecon.engine.config import OptionGroup
from mvrecon.report.build import REPORT, update_report
from tests.engine import toy
from tests.report.test_page import Page


def test_a_report_is_written_again_only_if_what_it_shows_has_changed(tmp_path):
    runner = toy.make_runner(tmp_path, "one\ntwo")
    runner.run("join")
    path = update_report(runner)
    assert path == runner.run_dir / REPORT
    page = Page(path.read_text())
    assert "shout: loud" in page.sections["warnings"]
    assert "lines2" in page.sections["stages"]
    assert "join.separator," in page.sections["configuration"]

    path.write_text("kept")
    assert update_report(runner).read_text() == "kept"
    assert update_report(runner, force=True).read_text() != "kept"

    path.write_text("outdated")
    changed = toy.make_runner(tmp_path, join={"separator": ";"})
    changed.run("join")
    assert "join.separator;" in Page(update_report(changed).read_text()).sections["configuration"]


class Grouped(OptionGroup):
    mark: str = Field("?", description="added to each line")


class GroupedConfig(toy.ShoutConfig):
    end: Grouped = Grouped()


def test_options_have_the_names_of_the_command_line(tmp_path):
    runner = toy.make_runner(tmp_path, "one")
    runner.run("lines")
    runner.configs["shout"] = GroupedConfig()
    text = Page(update_report(runner).read_text()).sections["configuration"]
    assert "shout.end.mark?" in text


def test_a_lost_report_is_written_again(tmp_path):
    runner = toy.make_runner(tmp_path, "one")
    runner.run("lines")
    update_report(runner).unlink()
    page = Page(update_report(runner).read_text())
    assert "shouthas not run" in page.sections["stages"]
