"""The figures that are quoted are of this state of the program, or the pages say of which."""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page, results, state
from benchmarks.__main__ import PIECES, matches, measure_all
from benchmarks.measures import depth_parts
from benchmarks.piece import BUNDLED, CannotRunError, Column, Piece, Place, Row, Table, markdown
from benchmarks.results import Made, Results
from benchmarks.tables import BLOCKS, TABLES
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
# Document, what it says, the piece that shows it, and how; in words that the document has.
QUOTES: list[tuple[str, str, str, Callable[[Sequence[Row]], str]]] = [
    (
        "docs/volumes.md",
        "here it is off by {}",
        "head/labels",
        lambda rows: ", ".join(f"{row['volume']:+.1%}" for row in rows[:3]).replace("%", " %"),
    ),
    (
        "docs/volumes.md",
        "Balls from 6 voxels' radius on are within\n{}",
        "volumes/phantoms",
        lambda rows: "0.5 %" if max(abs(row["volume"]) for row in rows[:3]) < 0.005 else "another",
    ),
    (
        "docs/volumes.md",
        "all labels of the head phantom, lone voxels and a skull of one among them, within {}",
        "head/labels",
        lambda rows: "0.1 %" if max(abs(row["volume"]) for row in rows[3:]) < 0.001 else "another",
    ),
    (
        "docs/poses.md",
        "the global mapper's focal\nlength ended {} again as the true one",
        "pose-options/kitti_odometry_30",
        lambda rows: "half as long" if 1.4 < rows[2]["focal_px"] / 707.1 < 1.6 else "otherwise",
    ),
]
MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if path.stem != "__init__"
)
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
SAY_IT = (
    "{} is not what results.json and this program's state give. Measure anew what has changed "
    "(make benchmarks ROOT=DATA), or let the pages say that it is old: python -m benchmarks --page"
)


def test_pages_say_what_the_figures_are_of() -> None:
    for path, text in page.pages(Results.read()).items():
        # The whole difference would be pages long.
        assert (path.read_text(encoding="utf-8") == text) is True, SAY_IT.format(path.name)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_a_piece_has_one_name_and_begins_with_its_table() -> None:
    assert len({piece.name for piece in PIECES}) == len(PIECES)
    for table in TABLES:
        assert all(piece.name.startswith(f"{table.name}/") for piece in table.pieces)


def test_every_stage_and_every_shipped_weight_decides_some_figure() -> None:
    shipped = {
        f"{path.parents[1].name}/{path.name}" for path in REPOSITORY.glob("stages/*/weights/*.pt")
    }
    assert {name for piece in PIECES for name in piece.weights} == shipped
    assert {name for piece in PIECES for name in piece.stages} == set(state.STAGE_VERSIONS)


def test_every_command_in_the_readme_is_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python -m (benchmarks[\w.]*)", text)) <= {*MODULES, "benchmarks"}
    for only in re.findall(r"--only ([\w/,-]+)", text):
        assert any(matches(piece.name, only) for piece in PIECES), only


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_point_at_tables_that_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    tables = {table.name for table in TABLES}
    assert set(re.findall(r"benchmarks/results\.md#([\w-]+)", text)) <= tables
    assert set(re.findall(r"<!-- benchmarks: ([\w-]+) -->", text)) <= set(BLOCKS)
    assert text.count("<!-- benchmarks: ") == text.count(page.END)


@pytest.mark.parametrize(("document", "words", "piece", "told"), QUOTES)
def test_what_a_document_says_in_words_is_what_was_measured(
    document: str, words: str, piece: str, told: Callable[[Sequence[Row]], str]
) -> None:
    made = Results.read().pieces.get(piece)
    if made is None:
        pytest.skip(f"{piece} is not measured yet")
    text = " ".join((REPOSITORY / document).read_text(encoding="utf-8").split())
    assert " ".join(words.format(told(made.rows)).split()) in text


def test_the_parts_that_cost_time_are_functions_of_the_depth_stage() -> None:
    """They are found by name in a profile: a name that is gone would count as no time at all."""
    sources = [path.read_text() for path in (REPOSITORY / "stages/depth").rglob("*.py")]
    for parts in depth_parts.PARTS.values():
        for part, function, caller in parts:
            for name in {function.rpartition(":")[2], caller} - {""}:
                assert any(f"def {name}(" in source for source in sources), (part, name)


def test_a_table_in_markdown() -> None:
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"


def test_a_cell_that_does_not_apply_is_a_dash() -> None:
    column = Column("f", "F", ".2f")
    assert [column.text(row) for row in ({"f": 0.1234}, {"f": None}, {}, {"f": "1 of 2"})] == [
        "0.12",
        "–",
        "–",
        "1 of 2",
    ]


class Bench:
    """A table of one piece that counts its calls, in files of its own."""

    def __init__(self, folder: Path) -> None:
        self.calls = 0
        self.data = folder / "data" / "set.txt"
        self.data.parent.mkdir()
        self.data.write_text("1")
        self.file = folder / "results.json"
        self.place = Place(self.data.parent, folder / "runs")
        self.piece = Piece("toy/a", self._measure, ("flow",), ("flow/mvflow.pt",), ("set.txt",))
        self.table = Table("toy", "Toy", "A toy.", (Column("n", "n"),), (self.piece,))

    def _measure(self, place: Place) -> list[Row]:
        self.calls += 1
        return [{"n": int(place.data("set.txt").read_text())}]

    def run(
        self, *pieces: Piece, until: float = time.monotonic() + 3600, again: bool = False
    ) -> int:
        """The command on pieces, the toy's if none is given."""
        chosen = pieces or (self.piece,)
        return measure_all(chosen, self.place, Results.read(), until=until, again=again)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    toy = Bench(tmp_path)
    monkeypatch.setattr(results.Results.read, "__defaults__", (toy.file,))
    monkeypatch.setattr(results.Results.write, "__defaults__", (toy.file,))
    monkeypatch.setattr(page, "PAGE", tmp_path / "results.md")
    monkeypatch.setattr(page, "REPOSITORY", tmp_path)
    monkeypatch.setattr(page, "TABLES", (toy.table,))
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("no table")
    yield toy


def test_what_is_measured_is_not_measured_again(bench: Bench) -> None:
    assert (bench.run(), bench.run()) == (0, 0)
    assert bench.calls == 1
    assert "| 1 |" in page.PAGE.read_text()
    bench.run(again=True)
    assert bench.calls == 2


def test_other_data_are_measured_again(bench: Bench) -> None:
    bench.run()
    bench.data.write_text("22")
    bench.run()
    assert "| 22 |" in page.PAGE.read_text()


def test_another_version_or_weight_is_told_and_measured_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run()
    fresh = page.page(Results.read())
    was = state.STAGE_VERSIONS["flow"]
    monkeypatch.setitem(state.STAGE_VERSIONS, "flow", was + 1)
    monkeypatch.setattr(state, "weights_hash", lambda _: "0123")
    aged = page.page(Results.read())
    assert "older state**" not in fresh
    assert f"flow was {was}, is {was + 1}" in aged
    assert "is 0123" in aged
    assert "| 1 † |" in aged
    assert "1 of 1, 1 of an older state" in aged
    bench.run()
    assert bench.calls == 2
    assert page.page(Results.read()).count("†") == page.HEADER.count("†")


def test_what_fails_does_not_stop_the_others(bench: Bench, capsys: pytest.CaptureFixture) -> None:
    def fail(_: Place) -> list[Row]:
        raise RuntimeError("broken")

    assert bench.run(Piece("toy/broken", fail), bench.piece) == 1
    assert "toy/broken: failed" in capsys.readouterr().out
    assert list(Results.read().pieces) == ["toy/a"]


def test_what_lacks_its_data_is_left_out_and_named(bench: Bench, capsys) -> None:
    lacking = Piece("toy/lacking", bench.piece.measure, data=("nowhere.txt",))
    assert bench.run(lacking) == 0
    assert re.search(r"toy/lacking: left out: .*nowhere\.txt is missing", capsys.readouterr().out)
    assert "**Not run yet**: all 1 pieces" in page.PAGE.read_text()


def test_no_piece_begins_after_the_time_is_up(bench: Bench) -> None:
    bench.run(until=time.monotonic() - 1)
    assert bench.calls == 0


def test_results_of_another_call_meanwhile_stay(bench: Bench) -> None:
    other = Piece("toy/b", bench.piece.measure, data=("set.txt",))
    before = Results.read()
    bench.run(other)
    measure_all([bench.piece], bench.place, before, until=time.monotonic() + 60, again=False)
    assert set(Results.read().pieces) == {"toy/a", "toy/b"}


def test_rows_of_two_machines_say_of_which(bench: Bench) -> None:
    bench.run()
    found = Results.read()
    other = Piece("toy/b", bench.piece.measure)
    machine: dict[str, Any] = {**next(iter(found.states.values())), "processor": "Abacus"}
    cost = {"cpu_s": 1.0, "wall_s": 1.0, "load": 0.0}
    made = Made(state.program_parts(other), "", results.state_name(machine), cost, [{"n": 2}])
    found.add(other, made, machine)
    table = Table("toy", "Toy", "", bench.table.columns, (bench.piece, other))
    text = page.section(table, found)
    assert "cores of Abacus" in text
    assert re.search(r"commit \S+ \(toy/b\)", text)
    assert re.search(r"commit \S+ \(toy/a\)", text)


def test_states_of_no_piece_are_forgotten(bench: Bench) -> None:
    found = Results()
    for number in (1, 2):
        cost = {"cpu_s": 1.0, "wall_s": 1.0, "load": 0.0}
        made = Made(state.program_parts(bench.piece), "", f"state {number}", cost, [])
        found.add(bench.piece, made, {"number": number})
    assert found.states == {"state 2": {"number": 2}}


def test_pieces_are_chosen_by_whole_names_or_their_beginning() -> None:
    assert matches("flow/dis", "") and matches("flow/dis", "clips,flow")
    assert matches("flow/dis", "flow/dis")
    assert not matches("flow/dis-preset-fast", "flow/dis")
    assert not matches("flow/dis", "flo")


def test_bundled_data_are_found_without_the_root(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)
    assert place.data(f"{BUNDLED}/clip.mp4").is_file()
    with pytest.raises(CannotRunError, match="--raft"):
        place.data("raft-small.pth")


def test_a_document_keeps_what_is_not_a_table_of_ours() -> None:
    text = f"before\n{page.BEGIN.format('clips')}\nold\n{page.END}\nafter\n"
    made = page.with_blocks(text, Results())
    assert made.startswith("before\n") and made.endswith("\nafter\n")
    assert "old" not in made and "Not measured yet" in made
    assert page.with_blocks(made, Results()) == made
