"""What other packages offer through entry points: named without being imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mvrecon.errors import UsageError

MEND_IT = "Mend or uninstall the package that offers it"


@dataclass(frozen=True)
class Plugins:
    """The entry points of one group.

    Attributes:
        group: under which a package offers: `NAME = "package.module:OBJECT"`.
        what: they stand for, for errors.
    """

    group: str
    what: str

    def names(self) -> list[str]:
        """Their names, sorted; imports none of them."""
        return sorted(self._points())

    def provider(self, name: str) -> str:
        """Package and version that one comes from, or an empty text."""
        point = self._points().get(name)
        return f"{point.dist.name} {point.dist.version}" if point and point.dist else ""

    def load(self, name: str) -> Any:
        """What the entry point of this name, which must be there, stands for.

        Raises:
            UsageError: it cannot be imported.
        """
        point = self._points()[name]
        try:
            return point.load()
        except Exception as error:  # whatever another's package raises
            raise UsageError(
                f"{self.what} {name} ({point.value}) cannot be imported: {error!r}", MEND_IT
            ) from error

    def _points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}


FLOW_MODELS = Plugins("mvrecon.flow_models", "flow model")
STAGES = Plugins("mvrecon.stages", "stage")
