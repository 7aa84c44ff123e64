"""Other models and options of flow, depth and fusion on the same clips, to the mesh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.measures.clips import CLIPS, run_dir_of
from benchmarks.measures.edges import edge_figures
from benchmarks.measures.running import MVFLOW, STAGES, errors, recorded, run
from benchmarks.piece import Column, Piece, Place, Row, Table

DEPTHNET, FUSION, COMPLETION = "depth/depthnet.pt", "fusion/fusion.pt", "fusion/completion.pt"
OWN = STAGES[:-1]
SETS = ("livingroom_synthetic", "redkitchen_100")
# Its true poses fit its images; those of the others with depth do not.
TRUE_POSES = "livingroom_synthetic"
# Options, and the weights that they take.
VARIANTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "default": ((), ()),
    "flow dis": (("--flow.model=dis",), ()),
    "fusion none": (("--fusion.model=none",), ()),
    "fusion forward": (("--fusion.model=forward",), (FUSION,)),
    "fusion both": (("--fusion.model=both",), (FUSION,)),
    "depth learned": (("--depth.model=learned",), (DEPTHNET,)),
    "depth learned, fusion none": (
        ("--depth.model=learned", "--fusion.model=none"),
        (DEPTHNET,),
    ),
}
COMPLETED = ("--fusion.completion.method=prior", "--surface.depth.completed=true")
# As learned depth from several views is often measured.
SMALL = ("--depth.neighbors=3", "--depth.max_size=576", "--fusion.model=none")


def measure(place: Place, name: str, variant: str, options: Sequence[str], until: str) -> list[Row]:
    """One row; stages that the variants of a clip share are made once."""
    run_dir, truth = run_dir_of(place, name), place.data(CLIPS[name].truth)
    given = ("--poses", str(truth / "cameras.json")) if variant.startswith("true poses") else ()
    run(place.data(CLIPS[name].source), run_dir, "--until", until, *given, *options)
    parts = ("depth", "surface") if until == "surface" else ("depth",)
    row: dict[str, Any] = {"set": name, "variant": variant, **errors(run_dir, truth, *parts)}
    row |= edge_figures(run_dir, truth)
    maps = len(list((run_dir / "depth").glob("*.npz")))
    row["maps"] = maps
    row["cpu_s_map"] = sum(recorded(run_dir, s)["cpu_s"] for s in ("depth", "fusion")) / maps
    row["cpu_s_pose"] = sum(recorded(run_dir, s)["cpu_s"] for s in STAGES[:3])
    if until == "surface":
        row["cpu_s_surface"] = recorded(run_dir, "surface")["cpu_s"]
    return [row]


def _piece(
    name: str, variant: str, options: Sequence[str], weights: Sequence[str], until: str = "surface"
) -> Piece:
    words = variant.replace(", ", "-").replace(" ", "-")
    return Piece(
        f"variants/{name}/{words}",
        partial(measure, name=name, variant=variant, options=options, until=until),
        OWN if until == "surface" else OWN[:-1],
        (MVFLOW, *weights) if "flow dis" not in variant else tuple(weights),
        CLIPS[name].data,
        {"options": list(options), "until": until},
    )


def _pieces() -> list[Piece]:
    pieces = [
        _piece(name, variant, *settings) for name in SETS for variant, settings in VARIANTS.items()
    ]
    pieces.append(_piece(SETS[0], "completed", COMPLETED, (COMPLETION,)))
    for variant, (options, weights) in VARIANTS.items():
        if not variant.startswith("flow"):
            words = "default" if variant == "default" else variant
            pieces.append(
                _piece(TRUE_POSES, f"true poses, {words}", options, weights, until="fusion")
            )
    pieces.append(_piece(SETS[1], "small maps", SMALL, (), until="fusion"))
    learned = ("--depth.model=learned", *SMALL)
    pieces.append(_piece(SETS[1], "small maps, learned", learned, (DEPTHNET,), until="fusion"))
    return pieces


TABLE = Table(
    "variants",
    "Models of flow, depth and fusion in the pipeline",
    """
`mvrecon run INPUT --until surface` with the options named, the rest by default (flow `mvflow`,
depth `sweep`, fusion `geometric`); poses are the run's own unless *true poses* says that it was
given the set's (`--poses`). *completed*: `--fusion.completion.method prior
--surface.depth.completed true`. *small maps*: 3 neighbours, maps of 576 × 432, no fusion.
*AbsRel*, *median*, *δ*, *coverage*: scaled by the trajectory; *own scale*: each map by itself;
*80 %*: of the surest pixels. *edges*: within 6 px of a jump of the true depth of over 5 %;
*within*: elsewhere; *too near*, *too far*: by over 5 %; *weight that is wrong*: share of the
confidence of what the surface looks at (≥ 0.15) on depths off by over 5 %. *CPU s a map*: depth
and fusion. Both sets, with what to keep in mind of their references: [above](#clips).
""",
    (
        Column("set", "set"),
        Column("variant", "variant"),
        Column("maps", "maps"),
        Column("ate_percent", "ATE %", ".3f"),
        Column("abs_rel", "AbsRel", ".4f"),
        Column("median_rel", "median", ".4f"),
        Column("delta_125", "δ < 1.25", ".3f"),
        Column("coverage", "coverage", ".3f"),
        Column("abs_rel_own_scale", "AbsRel, own scale", ".4f"),
        Column("abs_rel_80", "AbsRel 80 %", ".4f"),
        Column("flicker", "flicker", ".4f"),
        Column("abs_rel_edges", "AbsRel at edges", ".3f"),
        Column("abs_rel_within", "within", ".3f"),
        Column("near_edges", "too near at edges", ".1%"),
        Column("far_edges", "too far", ".1%"),
        Column("wrong_edges", "weight that is wrong at edges", ".1%"),
        Column("wrong_within", "within", ".1%"),
        Column("f_score", "F at 1 %", ".3f"),
        Column("precision", "precision", ".3f"),
        Column("recall", "recall", ".3f"),
        Column("cpu_s_pose", "CPU s to poses", ".0f"),
        Column("cpu_s_map", "CPU s a map", ".2f"),
        Column("cpu_s_surface", "CPU s surface", ".0f"),
    ),
    tuple(_pieces()),
)
