"""How a stage describes its options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

# Marks on a field, read by the engine when it makes a key.
NOT_IN_KEY: dict[str, Any] = {"in_key": False}
FILE_CONTENT: dict[str, Any] = {"file_content": True}
FOLDER_CONTENT: dict[str, Any] = {"folder_content": True}
# Marks what only a researcher varies: told by `--help-all`, not by `--help`.
ADVANCED: dict[str, Any] = {"advanced": True}


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


class OptionGroup(BaseModel):
    """Options that belong together: frozen, every field with a default and a description.

    A description ends with the unit in brackets where there is one: `"… [px]"`.
    A field that cannot change the result carries `json_schema_extra=NOT_IN_KEY`; one that only
    a researcher varies, `ADVANCED`. A field may be a group itself: `flow.mvflow.updates`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def unused_groups(self) -> Collection[str]:
        """Groups that cannot change the result, as the other options stand."""
        return ()

    def key_options(self) -> dict[str, Any]:
        """The options that are part of a key by their value."""
        options: dict[str, Any] = {}
        for name, value in self.model_dump(mode="json").items():
            group = getattr(self, name)
            if isinstance(group, OptionGroup):
                if name not in self.unused_groups():
                    options[name] = group.key_options()
            elif not self._is_marked(name, NOT_IN_KEY) and not self._is_marked(name, FILE_CONTENT):
                options[name] = value
        return options

    def content_files(self) -> dict[str, Path]:
        """The files that are part of a key by their content, by (dotted) option name."""
        files: dict[str, Path] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, OptionGroup):
                if name not in self.unused_groups():
                    nested = value.content_files()
                    files |= {f"{name}.{inner}": path for inner, path in nested.items()}
            elif value is not None and self._is_marked(name, FILE_CONTENT):
                files[name] = Path(value)
        return files

    def takes_folder(self, name: str) -> bool:
        """Whether an option (dotted) that names a file may name a folder too."""
        group, dot, inner = name.partition(".")
        if dot:
            nested: OptionGroup = getattr(self, group)
            return nested.takes_folder(inner)
        return self._is_marked(name, FOLDER_CONTENT)

    def _is_marked(self, name: str, mark: dict[str, Any]) -> bool:
        return is_marked(type(self).model_fields[name], mark)


class StageConfig(OptionGroup):
    """Options of one stage.

    Attributes:
        renamed: old (dotted) option name → the name that it has now.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Options (dotted) that an earlier version recorded, by the names that they have now."""
        return {cls.renamed.get(name, name): value for name, value in recorded.items()}


def is_marked(field: FieldInfo, mark: dict[str, Any]) -> bool:
    """Whether a field carries a mark such as `NOT_IN_KEY`."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and mark.items() <= extra.items()


def option_fields(options: type[OptionGroup], prefix: str = "") -> dict[str, FieldInfo]:
    """The fields of a class of options by dotted name, those of its groups among them."""
    fields: dict[str, FieldInfo] = {}
    for name, field in options.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            fields |= option_fields(kind, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = field
    return fields
