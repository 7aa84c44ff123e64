"""The report tells what was poor, what was tried, and what was kept."""

from dataclasses import replace

from mvrecon.artifacts.mending import Attempt, Mending
from mvrecon.report.page import report_html
from mvrecon.report.verdict import judge
from tests.report.runs import make_run

ATTEMPT = Attempt(
    ("closer key frames",), {"frames": {"min_parallax": 0.01}}, ("<few> points",), 0.1
)
MENDING = Mending("pose", ("flow is trusted on 20%",), 0.4, (ATTEMPT,), kept=0)


def test_both_results_are_told_and_which_was_kept(tmp_path):
    report = replace(make_run(tmp_path), mendings=(MENDING,))
    page = report_html(report)
    assert "flow is trusted on 20%" in page
    assert "&lt;few&gt; points" in page
    row = page[page.index("<td>closer key frames") :]
    assert "kept" in row[: row.index("</tr>")]
    assert "mended after pose by closer key frames" in judge(report).sentence
    vain = replace(report, mendings=(replace(MENDING, kept=None),))
    assert "no remedy tried after pose made it better" in judge(vain).sentence


def test_good_evidence_is_not_worth_a_section(tmp_path):
    report = replace(make_run(tmp_path), mendings=(Mending("pose"),))
    assert "Mending" not in report_html(report)
    assert "mended" not in judge(report).sentence
