"""Options that all learned parts have, and all their trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mvrecon.engine.config import ContentFile, OptionGroup
from mvrecon.learning.precision import Precision, UsedPrecision, used_precision
from mvrecon.options import Argument


class LearnedOptions(OptionGroup):
    """A network's weights and the number format that it computes in.

    Attributes:
        offered: number formats that the network can compute in.
    """

    offered: ClassVar[tuple[UsedPrecision, ...]] = ("fp32", "bf16")

    weights: ContentFile = Field(
        default=None, description="weights of the network, instead of the shipped or fetched ones"
    )
    precision: Precision = Field(
        default="auto",
        description="number format of the network: fp32, bf16, or auto, which takes bf16 on "
        "processors that compute with it (AMX, AVX-512 BF16); the report says which was used",
    )

    @property
    def used_precision(self) -> UsedPrecision:
        """What `precision` stands for on this machine."""
        return used_precision(self.precision, self.offered)

    def key_options(self) -> dict[str, Any]:
        """The options, with the precision that is used in the place of the one asked for.

        A result of one precision must not be taken for another's, wherever it was made.
        """
        return {**super().key_options(), "precision": self.used_precision}


class TrainOptions(OptionGroup):
    """What every `mvrecon train` is told; its command line is made from this."""

    folder: Annotated[Path, Argument(metavar="DIR", positional=True)] = Field(
        description="checkpoints, curves and weights; a run in it is resumed"
    )
    minutes: float = Field(60.0, ge=0, description="stop after this time [min]")
    start: Path | None = Field(None, description="weights to start from, random ones by default")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where to train")
