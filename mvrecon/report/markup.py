"""Small pieces of HTML that the sections share."""

from __future__ import annotations

from html import escape

from mvrecon.report.pictures import Picture, data_uri


def section(identifier: str, heading: str, note: str, body: str) -> str:
    """A section; `note` is text, `body` is HTML."""
    note_html = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section id="{identifier}"><h2>{escape(heading)}</h2>{note_html}\n{body}\n</section>'


def picture(image_hw3: Picture, caption: str, side_px: int) -> str:
    """A picture that a click enlarges, with its caption."""
    text = escape(caption)
    source = data_uri(image_hw3, side_px)
    return (
        f'<figure><img class="zoomable" loading="lazy" alt="{text}" src="{source}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def table(headings: list[str], rows: list[list[str]]) -> str:
    """A table that scrolls sideways on a narrow page; cells are text."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def viewer(scene: str, hint: str) -> str:
    """The 3D viewer with its scene (JSON without a closing tag in it)."""
    safe = scene.replace("</", "<\\/")
    return (
        '<figure class="viewer"><canvas></canvas><div class="buttons"></div>'
        '<p class="missing note">This browser offers no WebGL 2; open mesh.glb in a viewer.</p>'
        f"<figcaption>{escape(hint)}</figcaption>"
        f'<script type="application/json">{safe}</script></figure>'
    )
