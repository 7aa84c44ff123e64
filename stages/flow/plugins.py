"""Flow models of other packages, each offered through an entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mvrecon.errors import UsageError

# A package offers its model under this name: `NAME = "package.module:CARD"`, a ModelCard.
ENTRY_POINT_GROUP = "mvrecon.flow_models"


def plugin_names() -> list[str]:
    """Their names, sorted; imports none of them."""
    return sorted(_entry_points())


def provider(name: str) -> str:
    """Package and version that a model comes from, or an empty text."""
    point = _entry_points().get(name)
    return f"{point.dist.name} {point.dist.version}" if point and point.dist else ""


def load_plugin(name: str) -> Any:
    """What the entry point of this name, which must be there, stands for.

    Raises:
        UsageError: it cannot be imported.
    """
    point = _entry_points()[name]
    try:
        return point.load()
    except Exception as error:  # whatever another's package raises
        raise UsageError(
            f"flow model {name} ({point.value}) cannot be imported: {error!r}",
            "Mend or uninstall the package that offers it",
        ) from error


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
