"""How a stage describes its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Marks on a field, read by the engine when it makes a key.
NOT_IN_KEY: dict[str, Any] = {"in_key": False}
FILE_CONTENT: dict[str, Any] = {"file_content": True}
FOLDER_CONTENT: dict[str, Any] = {"folder_content": True}


def _absolute(path: Path | None) -> Path | None:
    """A path that still holds when the run is continued from elsewhere."""
    return path.absolute() if path else None


# An optional file that a stage reads: its content, not its path, is part of the key.
ContentFile = Annotated[
    Path | None, AfterValidator(_absolute), Field(json_schema_extra=FILE_CONTENT)
]
# The same, or a folder: the content of its visible files.
ContentPath = Annotated[
    Path | None,
    AfterValidator(_absolute),
    Field(json_schema_extra={**FILE_CONTENT, **FOLDER_CONTENT}),
]


class StageConfig(BaseModel):
    """Options of one stage: frozen, every field with a default, bounds and a description.

    A description ends with the unit in brackets where there is one: `"… [px]"`.
    A field that cannot change the result carries `json_schema_extra=NOT_IN_KEY`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def key_options(self) -> dict[str, Any]:
        """The options that are part of a key by their value."""
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if not self._is_marked(name, NOT_IN_KEY) and not self._is_marked(name, FILE_CONTENT)
        }

    def content_files(self) -> dict[str, Path]:
        """The files that are part of a key by their content, by option name."""
        return {
            name: Path(value)
            for name, value in self.model_dump(mode="json").items()
            if value is not None and self._is_marked(name, FILE_CONTENT)
        }

    def takes_folder(self, name: str) -> bool:
        """Whether an option that names a file may name a folder too."""
        return self._is_marked(name, FOLDER_CONTENT)

    def _is_marked(self, name: str, mark: dict[str, Any]) -> bool:
        extra = type(self).model_fields[name].json_schema_extra
        return isinstance(extra, dict) and mark.items() <= extra.items()
