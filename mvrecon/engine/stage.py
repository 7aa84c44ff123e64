"""What a stage is, and what it is given when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from mvrecon.engine.config import StageConfig

C = TypeVar("C", bound=StageConfig)
C_co = TypeVar("C_co", bound=StageConfig, covariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class Summary:
    """What a person wants to know of a stage's result; stored with it as `summary.json`.

    Holds nothing that differs between two equal runs (no seconds, no paths).

    Attributes:
        numbers: name → value, names with units, for example `median_error_px`.
        warnings: one sentence each.
    """

    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def text(self) -> str:
        """The numbers in one line."""
        return ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.numbers.items()
        )


class StoredItems(Protocol):
    """Read access to the finished items of a stage."""

    def names(self, prefix: str = "") -> list[str]:
        """Sorted item names, for example `depth/000003.npz`."""
        ...

    def path(self, name: str) -> Path:
        """Path of an item, its hash checked on the first call.

        Raises:
            CorruptItemError: the content is not what was stored.
        """
        ...


class StageOutput(Protocol):
    """Write access to the stage's own items while it runs."""

    def has(self, name: str) -> bool:
        """Whether an item is there already, from an interrupted run."""
        ...

    def path(self, name: str) -> Path:
        """Path of an item that is there already."""
        ...

    def write(self, name: str, save: Callable[[Path], None]) -> None:
        """Store an item: `save` writes a temporary path, which is then renamed."""
        ...

    def write_text(self, name: str, text: str) -> None:
        """Store a text item."""
        ...

    def scratch(self) -> Path:
        """A folder for intermediate files, deleted when the stage is done."""
        ...

    def scratch_item(self, name: str) -> str:
        """Name of an item that is deleted when the stage is done."""
        ...


class StageContext(Protocol[C_co]):
    """All that a stage's `run` may use."""

    @property
    def config(self) -> C_co:
        """The stage's validated options."""
        ...

    @property
    def inputs(self) -> Mapping[str, StoredItems]:
        """Results of the stages in `needs`, by stage name."""
        ...

    @property
    def raw_input(self) -> Path:
        """The user's video or folder; only for a stage with `reads_raw_input`."""
        ...

    @property
    def raw_inputs(self) -> Sequence[Path]:
        """All that the user gave; the first of them is `raw_input`."""
        ...

    @property
    def workers(self) -> int:
        """Number of threads that the stage may use."""
        ...

    @property
    def out(self) -> StageOutput:
        """Where the stage puts its items."""
        ...

    @property
    def earlier(self) -> StoredItems | None:
        """The stage's last result, of other inputs or options; may only save work."""
        ...

    def make_items(self, names: Sequence[str], make: Callable[[str], None], unit: str) -> None:
        """Call `make(name)` for each item that is not there yet; `make` writes it to `out`.

        Runs in up to `workers` threads, with progress. Each item must depend on the
        stage's inputs only, never on the order or on other items of this call.
        """
        ...

    def track(self, items: Iterable[T], unit: str, total: int | None = None) -> Iterator[T]:
        """Iterate with a progress bar, for work that is not item by item."""
        ...

    def say(self, message: str) -> None:
        """One line for the person who watches; not part of the result."""
        ...

    def isolated(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a top-level function in a child process that native code may abort or hang.

        Arguments and result are pickled. Python errors of the function are raised here.

        Raises:
            StageCrashError: the child died of a signal or made no progress.
        """
        ...


def no_files(config: Any) -> Mapping[str, Path]:
    """The `files` of a stage that reads none."""
    return {}


def nothing_to_check(config: Any) -> None:
    """The `check` of a stage whose options hold no files."""


@dataclass(frozen=True)
class Stage(Generic[C]):
    """Declaration of a stage.

    Attributes:
        name: also the name of its configuration section and of its folder in the store.
        version: bumped by hand whenever the same inputs would give another result.
        config: class of its options.
        needs: names of the stages whose results it reads.
        run: does the work; imports what is heavy inside.
        reads_raw_input: whether the user's input is part of its key.
        files: further files whose content is part of the key (shipped weights).
        check: raises what is wrong with the files that the options name (weights that do not
            fit, poses that cannot be read); called before the first stage runs.
        publishes: name in the run directory → item, or folder of items, that it shows.
        shares_items: whether other processes may take part in `make_items`; all that `run` does
            before has to be cheap, or to be an item.
        provider: package and version that it comes from, if it is not ours.
    """

    name: str
    version: int
    config: type[C]
    needs: tuple[str, ...]
    run: Callable[[StageContext[C]], Summary]
    reads_raw_input: bool = False
    files: Callable[[C], Mapping[str, Path]] = no_files
    check: Callable[[C], None] = nothing_to_check
    publishes: Mapping[str, str] = field(default_factory=dict)
    shares_items: bool = False
    provider: str = ""
