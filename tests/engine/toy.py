"""A pipeline small enough to see through: lines of a text → shouted → joined."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path

from pydantic import Field

from mvrecon.engine.config import NOT_IN_KEY, ContentFile, StageConfig
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary


class LinesConfig(StageConfig):
    strip: bool = Field(default=False, description="remove white space round each line")
    dictionary: ContentFile = Field(default=None, description="unused file")


class ShoutConfig(StageConfig):
    mark: str = Field(default="!", description="added to each line")
    pause_s: float = Field(
        default=0.0, description="time for each item [s]", json_schema_extra=NOT_IN_KEY
    )
    kill_at: str = Field(default="", description="die at this item", json_schema_extra=NOT_IN_KEY)
    fail_at: str = Field(default="", description="fail at this item", json_schema_extra=NOT_IN_KEY)


class JoinConfig(StageConfig):
    separator: str = Field(default=",", description="between the lines")


calls: list[str] = []


def run_lines(context: StageContext[LinesConfig]) -> Summary:
    calls.append("lines")
    lines = context.raw_input.read_text().splitlines()
    for number, line in enumerate(lines):
        text = line.strip() if context.config.strip else line
        context.out.write_text(f"lines/{number}.txt", text)
    return Summary({"lines": len(lines)})


def run_shout(context: StageContext[ShoutConfig]) -> Summary:
    calls.append("shout")

    def make(name: str) -> None:
        if context.config.kill_at == name:
            os.kill(os.getpid(), signal.SIGKILL)
        if context.config.fail_at == name:
            raise ValueError("told to fail")
        time.sleep(context.config.pause_s)
        calls.append(name)
        text = context.inputs["lines"].path(name.replace("shouts", "lines")).read_text()
        context.out.write_text(name, text.upper() + context.config.mark)
        context.say(f"made {name}")

    names = [name.replace("lines", "shouts") for name in context.inputs["lines"].names("lines/")]
    context.make_items(names, make, unit="line")
    return Summary(warnings=["loud"])


def run_join(context: StageContext[JoinConfig]) -> Summary:
    calls.append("join")
    shouts = context.inputs["shout"]
    texts = [shouts.path(name).read_text() for name in shouts.names("shouts/")]
    context.out.write_text("joined.txt", context.config.separator.join(texts))
    return Summary()


LINES = Stage("lines", 1, LinesConfig, (), run_lines, reads_raw_input=True)
SHOUT = Stage("shout", 1, ShoutConfig, ("lines",), run_shout, shares_items=True)
JOIN = Stage("join", 1, JoinConfig, ("shout",), run_join, publishes={"joined.txt": "joined.txt"})
TOY = (LINES, SHOUT, JOIN)


def make_runner(
    folder: Path,
    text: str | None = None,
    *,
    stages: tuple[Stage, ...] = TOY,
    workers: int = 1,
    **options: dict,
) -> Runner:
    """A runner on `folder/input.txt`, its options given by stage."""
    raw_input = folder / "input.txt"
    if text is not None:
        raw_input.write_text(text)
    configs = {stage.name: stage.config(**options.get(stage.name, {})) for stage in stages}
    return Runner(stages, folder / "run", raw_input, configs, workers)


def main() -> None:
    """Run in a process of its own: FOLDER PAUSE_S KILL_AT."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder, pause_s, kill_at = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    make_runner(folder, shout={"pause_s": pause_s, "kill_at": kill_at}).run("join")


if __name__ == "__main__":
    main()
