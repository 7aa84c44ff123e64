"""The HTML of our pages; Python gives it plain data."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


def environment(*extra_folders: Path) -> Environment:
    """Templates of `extra_folders`, then of this folder; all text is escaped.

    `verbatim(name)` puts a file of these folders (CSS, JavaScript) into a page as it stands. A name
    that the data lacks is an error.
    """
    loader = FileSystemLoader([*extra_folders, Path(__file__).parent])
    templates = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["verbatim"] = lambda name: Markup(loader.get_source(templates, name)[0])
    templates.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return templates
