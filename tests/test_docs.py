"""What the documents say the program says and does, it does."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from mvrecon.cli import make_parser
from mvrecon.engine.config import option_fields
from stages.pipeline import PIPELINE
from stages.volume_pipeline import VOLUME_PIPELINE
from tests.conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / ".ci"))
import docs_pages

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
MESSAGE = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Lines of the code blocks that call the program, without their comments."""
    lines = re.findall(r"^    (mvrecon [a-z].*)$", page.read_text(), re.MULTILINE)
    plain = (line.partition("#")[0].replace("`", "").strip() for line in lines)
    return [line for line in plain if "…" not in line and "[" not in line and "DIR/" not in line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documents_can_be_given(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(line)[1:]
        parsed, unknown = make_parser().parse_known_args(words)
        assert not unknown, line
        assert callable(parsed.command), line


def test_the_readme_has_commands() -> None:
    assert len(commands(REPOSITORY / "README.md")) > 20


def test_every_quoted_message_is_one_that_the_program_says() -> None:
    sources = [*(REPOSITORY / "mvrecon").rglob("*.py"), *(REPOSITORY / "stages").rglob("*.py")]
    said = "\n".join(path.read_text() for path in sources)
    # Messages are put together of pieces over several lines.
    said = re.sub(r'"\s*\n\s*f?"', "", said)
    page = (REPOSITORY / "docs/troubleshooting.md").read_text()
    messages = MESSAGE.findall(page)
    assert len(messages) > 8
    assert [message for message in messages if message not in said] == []


def test_the_page_of_options_has_them_all() -> None:
    page = docs_pages.options_page()
    for stage in (*PIPELINE, *VOLUME_PIPELINE):
        for name, field in option_fields(stage.config).items():
            assert f"`--{stage.name}.{name}`" in page
            assert (field.description or "").replace("|", "\\|") in page


def test_the_page_of_commands_has_them_all() -> None:
    page = docs_pages.commands_page()
    for name in ("mvrecon run", "mvrecon batch", "mvrecon train flow", "mvrecon doctor"):
        assert f"## {name}\n" in page
    assert "--rerun-from" in page
    assert "--depth.max_size" not in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    made = {"options.md", "commands.md"}
    targets = [target for target, _ in docs_pages.LINK.findall(page.read_text())]
    missing = [t for t in targets if t not in made and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(REPOSITORY / ".ci/mkdocs.yml"), site_dir=str(tmp_path / "site"))
    build(config)
    assert "--depth.max_size" in (tmp_path / "site/options.html").read_text()
    assert (tmp_path / "site/index.html").is_file()
