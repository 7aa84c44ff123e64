"""The frame of our HTML pages: one file that opens without a network."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files


def document(title: str, header: str, sections: Iterable[str], style: str = "") -> str:
    """A whole page; styles and scripts are inside.

    Args:
        title: of the window, text.
        header: HTML.
        sections: HTML; empty ones are left out.
        style: CSS besides that of all pages.
    """
    package = files("mvrecon.report.templates")
    common_style = package.joinpath("style.css").read_text(encoding="utf-8")
    script = package.joinpath("viewer.js").read_text(encoding="utf-8")
    body = "\n".join(section for section in sections if section)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{common_style}{style}</style>
</head>
<body>
<header>
{header}
</header>
{body}
<dialog class="zoom"><img alt=""></dialog>
<script>
{script}</script>
</body>
</html>
"""
