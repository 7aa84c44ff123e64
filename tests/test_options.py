"""The command line that a class of options makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from mvrecon.engine.config import OptionGroup
from mvrecon.errors import UsageError
from mvrecon.options import Argument, Commands, Parser, add_options, assignment, parse_options


class Inner(OptionGroup):
    rate: float = Field(0.5, gt=0, description="how fast [1/s]")


class Given(OptionGroup):
    folder: Annotated[Path, Argument(metavar="DIR", positional=True)] = Field(description="where")
    clips: Path = Field(description="of what")
    size_hw: Annotated[
        tuple[int, int] | None, Argument(name="size", metavar=("HEIGHT", "WIDTH"))
    ] = Field(None, description="size [px]")
    runs: tuple[Path, ...] = Field((), description="runs")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where at 100 %")
    quick: bool = Field(False, description="in a hurry")
    steps: int | None = Field(None, ge=1, description="steps")
    secret: Annotated[int, Argument(offered=False)] = Field(3, description="of the program")
    inner: Inner = Inner()


def parse(*words: str) -> Given:
    parser = Parser(prog="mvrecon")
    add_options(Commands(parser).add("x", lambda _: 0, "text"), Given)
    return parse_options(Given, parser.parse_args(["x", *words]))


def test_what_is_not_given_is_left_to_the_class() -> None:
    assert parse("a", "--clips", "b") == Given(folder=Path("a"), clips=Path("b"))


def test_every_type_is_parsed() -> None:
    given = parse(
        *("a", "--clips", "b", "--size", "3", "4", "--runs", "c", "d"),
        *("--device", "cuda", "--quick", "--steps", "7", "--inner.rate", "2"),
    )
    assert given == Given(
        folder=Path("a"),
        clips=Path("b"),
        size_hw=(3, 4),
        runs=(Path("c"), Path("d")),
        device="cuda",
        quick=True,
        steps=7,
        inner=Inner(rate=2.0),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "3"], "--size: expected 2"),
        (["--size", "3", "x"], "--size 'x' is not accepted"),
        (["--steps", "0"], "--steps '0' is not accepted. It should be greater than or equal to 1"),
        (["--inner.rate", "-1"], "--inner.rate '-1' is not accepted"),
        (["--device", "tpu"], "--device: invalid choice: 'tpu'"),
        (["--secret", "4"], "unrecognized arguments: --secret"),
        (["--size_hw", "3", "4"], "unrecognized arguments: --size_hw"),
    ],
)
def test_mistakes_are_told_in_one_line(words: list[str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse("a", "--clips", "b", *words)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_has_no_default_is_required() -> None:
    with pytest.raises(UsageError, match="required: DIR, --clips"):
        parse()


def test_the_help_tells_descriptions_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    told = " ".join(capsys.readouterr().out.split())
    assert "where at 100 % (default: cpu)" in told
    assert "--size HEIGHT WIDTH size [px]" in told
    assert "how fast [1/s] (default: 0.5)" in told
    assert "secret" not in told


def test_assignments() -> None:
    assert assignment("a=b=c", "--x") == ("a", "b=c")
    for wrong in ("a", "a=", "=b"):
        with pytest.raises(UsageError, match="NAME=VALUE"):
            assignment(wrong, "--x")
