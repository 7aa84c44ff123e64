"""What `make docs` adds to docs/: pages made from the program, and pages that stand elsewhere."""

from __future__ import annotations

import argparse
import posixpath
import re
from pathlib import Path
from typing import Any

from mvrecon.cli import make_parser
from mvrecon.engine.config import ADVANCED, is_marked, option_fields
from stages.pipeline import PIPELINE
from stages.volume_pipeline import VOLUME_PIPELINE

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
SHOWN = frozenset({".md", ".svg", ".png", ".jpg"})
OPTIONS_HEAD = """# Options

Of `mvrecon run`, `mvrecon volume` (load, denoise, segment, mesh) and `mvrecon stage`, as
`--STAGE.OPTION VALUE`, or in a preset. This page is made from the program. *Advanced* ones are told
by `--help-all` only.
"""


def options_page() -> str:
    """Every option of every stage."""
    parts = [OPTIONS_HEAD]
    for stage in (*PIPELINE, *VOLUME_PIPELINE):
        rows = [f"## {stage.name}\n", "| option | default | meaning |", "|---|---|---|"]
        for name, field in option_fields(stage.config).items():
            advanced = " *Advanced.*" if is_marked(field, ADVANCED) else ""
            default = "" if field.default in (None, "") else f"`{field.default}`"
            meaning = (field.description or "").replace("|", "\\|")
            rows.append(f"| `--{stage.name}.{name}` | {default} | {meaning}.{advanced} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def commands_page() -> str:
    """What each command is for, and its own options."""
    parts = ["# Commands\n\nThis page is made from the program.\n"]
    for name, parser in _leaves(make_parser(), "mvrecon"):
        rows = [f"## {name}\n", f"{(parser.description or '').capitalize()}.\n"]
        rows += ["| argument | meaning |", "|---|---|"]
        for action in parser._actions:
            is_stage_option = any("." in flag for flag in action.option_strings)
            if action.help == argparse.SUPPRESS or is_stage_option:
                continue
            flags = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            text = (action.help or "") % {"default": action.default} if action.help else ""
            rows.append(f"| `{flags}` | {text.replace('|', chr(92) + '|')} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _leaves(parser: argparse.ArgumentParser, name: str) -> list[tuple[str, Any]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = []
            for word, below in action.choices.items():
                found += _leaves(below, f"{name} {word}")
            return found
    return [(name, parser)]


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages, and what pages link to outside docs/."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "options.md", content=options_page()))
    files.append(File.generated(config, "commands.md", content=commands_page()))
    waiting = [
        ROOT / "docs" / file.src_uri for file in files if (ROOT / "docs" / file.src_uri).is_file()
    ]
    seen: set[Path] = set()
    while waiting:
        page = waiting.pop()
        if page.suffix != ".md":
            continue
        for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            outside = path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs")
            if outside and path.is_file() and path.suffix in SHOWN and path not in seen:
                seen.add(path)
                waiting.append(path)
                files.append(File.generated(config, site_path(path), abs_src_path=str(path)))
    return files


def site_path(path: Path) -> str:
    """Where a file of the repository stands in the site."""
    relative = path.relative_to(ROOT).as_posix()
    return relative.removeprefix("docs/") if relative.startswith("docs/") else f"more/{relative}"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at where things stand in the site; what is not shown there is named only."""
    uri = page.file.src_uri
    source = ROOT / uri.removeprefix("more/") if uri.startswith("more/") else ROOT / "docs" / uri

    def moved(match: re.Match[str]) -> str:
        path = (source.parent / match[1]).resolve()
        if not path.is_relative_to(ROOT) or path.suffix not in SHOWN or not path.is_file():
            made = (source.parent / match[1]).name in ("options.md", "commands.md")
            return match[0] if made else "]" + f" (`{match[1]}`)"
        target = posixpath.relpath(site_path(path), posixpath.dirname(uri) or ".")
        return f"]({target}{match[2] or ''})"

    return LINK.sub(moved, markdown)
