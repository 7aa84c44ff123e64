"""What stands in files for others, and which titles are chosen."""

from pathlib import Path

import pytest

from mvrecon.evaluation.bench.output import command_text
from mvrecon.evaluation.bench.selection import NothingChosenError, matching


def test_no_path_of_this_machine_is_in_a_command(tmp_path):
    weights = tmp_path / "w.pth"
    weights.touch()
    words = ["bench", "flow", "--root", str(tmp_path), "-o=out", f"--flow.weights={weights}", "a b"]
    told = command_text(words, {tmp_path: "DATA", Path("out"): "DIR", None: "unused"})
    assert told == "mvrecon bench flow --root DATA -o=DIR --flow.weights=FILE 'a b'"


def test_titles_match_all_words_of_one_phrase():
    titles = ["Sintel clean", "Sintel final", "KITTI 2015"]
    assert matching(titles, "") == titles
    assert matching(titles, "FINAL sintel") == ["Sintel final"]
    assert matching(titles, "clean,kitti") == ["Sintel clean", "KITTI 2015"]
    with pytest.raises(NothingChosenError, match="There are Sintel clean, Sintel final"):
        matching(titles, "clean kitti")
