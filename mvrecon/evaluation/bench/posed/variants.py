"""Which options of the pipeline a benchmark compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from mvrecon.config import Options, build_configs, load_preset
from mvrecon.engine.config import StageConfig
from mvrecon.errors import UsageError

POSES = ("own", "true")
FLOW_MODEL = "flow.model"


@dataclass(frozen=True)
class RunVariant:
    """Options of the pipeline that are compared.

    Attributes:
        label: for people.
        true_poses: whether the run is given the set's poses.
        options: of `mvrecon run`.
    """

    label: str
    true_poses: bool
    options: tuple[str, ...] = ()


def run_variants(
    classes: Mapping[str, type[StageConfig]],
    *,
    poses: Sequence[str],
    varied: Sequence[tuple[str, Sequence[str]]] = (),
    preset: str = "default",
    given: Options | None = None,
    of_flow_model: Mapping[str, Sequence[str]] | None = None,
    workers: int | None = None,
) -> list[RunVariant]:
    """Every combination of the poses and of the values that are varied.

    Args:
        classes: configuration of each stage, to check options before anything is run.
        poses: `own` (the run estimates them), `true` (it is given the set's), or both.
        varied: option, and its values.
        preset: as of `mvrecon run`.
        given: options of all variants.
        of_flow_model: flow model → further options that go with it.
        workers: threads; all cores if None.

    Raises:
        UsageError: an option does not exist or does not take a value.
    """
    if not set(poses) <= set(POSES):
        raise UsageError(
            f"--poses {','.join(poses)} is not understood", "Give own, true or own,true"
        )
    given = given or {}
    common = [
        f"--{stage}.{name}={value}" for stage in given for name, value in given[stage].items()
    ]
    common += ["--preset", preset]
    if workers:
        common += ["--workers", str(workers)]
    of_preset = load_preset(preset)
    variants = []
    columns = [[(name, value) for value in values] for name, values in varied]
    for source, *settings in product(poses, *columns):
        for name, value in settings:
            stage, _, field = name.partition(".")
            build_configs(classes, [of_preset, given, {stage: {field: value}}])
        words = [f"{name.removesuffix('.model')} {value}" for name, value in settings]
        chosen = [f"--{name}={value}" for name, value in settings]
        for name, value in settings:
            if name == FLOW_MODEL:
                chosen += (of_flow_model or {}).get(value, ())
        label = ", ".join([f"{source} poses", *words])
        variants.append(RunVariant(label, source == "true", (*common, *chosen)))
    return variants
