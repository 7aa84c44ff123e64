"""What decides a stage's results beside its inputs and options: the constants of its code.

`python -m tests.fingerprints` records them with the stage's version.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, TypedDict

import grimp

from mvrecon.engine.stage import Stage
from stages.pipeline import PIPELINE
from stages.volume_pipeline import VOLUME_PIPELINE
from tests.conftest import REPOSITORY

RECORD = Path(__file__).with_name("stage_fingerprints.json")
CONSTANT_NAME = re.compile(r"_*[A-Z][A-Z0-9_]*")
DECLARATIONS = {"STAGE", "VERSION"}
COLLECTIONS = (ast.Tuple, ast.List, ast.Dict, ast.Set)
# No constant of these can change a result of a stage.
WITHOUT_RESULTS = re.compile(
    r"stages\.\w+\.training|stages\.pipeline|"
    r"mvrecon\.(engine|atomic|errors|downloads|synthetic|report|evaluation|render)"
)


class Fingerprint(TypedDict):
    """Constants by name, without their place: a module may move."""

    version: int
    constants: dict[str, str]


def constants_of(stage: Stage[Any], graph: grimp.ImportGraph) -> dict[str, dict[str, str]]:
    """Name → module → expression, of a stage's modules and of those that they import."""
    package = stage.run.__module__.rpartition(".")[0]
    modules = {package} | graph.find_descendants(package)
    found: dict[str, dict[str, str]] = {}
    for module in sorted(modules | graph.find_upstream_modules(package, as_package=True)):
        for name, expression in _constants_in(module).items():
            found.setdefault(name, {})[module] = expression
    return dict(sorted(found.items()))


def current() -> tuple[dict[str, Fingerprint], dict[str, dict[str, dict[str, str]]]]:
    """The fingerprint of each stage, and where its constants stand."""
    graph = grimp.build_graph("mvrecon", "stages", cache_dir=None)
    for module in graph.modules:
        if WITHOUT_RESULTS.match(module):
            graph.remove_module(module)
    stages = (*PIPELINE, *VOLUME_PIPELINE)
    places = {stage.name: constants_of(stage, graph) for stage in stages}
    prints: dict[str, Fingerprint] = {
        stage.name: {
            "version": stage.version,
            "constants": {
                name: " | ".join(sorted(by_module.values()))
                for name, by_module in places[stage.name].items()
            },
        }
        for stage in stages
    }
    return prints, places


def _constants_in(module: str) -> dict[str, str]:
    path = REPOSITORY.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _is_constant(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            names = {name for name in names - DECLARATIONS if CONSTANT_NAME.fullmatch(name)}
            found |= dict.fromkeys(names, ast.unparse(node.value))
    return found


def _is_constant(value: ast.expr | None) -> bool:
    """Whether it is a formula with a number, or a collection."""
    return isinstance(value, COLLECTIONS) or any(
        isinstance(part, ast.Constant) and isinstance(part.value, int | float)
        for part in ast.walk(value or ast.Pass())
    )


if __name__ == "__main__":
    RECORD.write_text(json.dumps(current()[0], indent=1, ensure_ascii=False) + "\n")
