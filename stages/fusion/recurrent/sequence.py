"""The learned fusion along a sequence, or among photos without order.

Along a sequence each view remembers the one before; the memory is stored now and then among
the stage's items, so that an interrupted run goes on from there and ends with the same bytes.
The memory of a view depends on all views before it, so each view gets a digest of its own inputs
and of the digest before it: what a sequence has in common with the one fused before, from its
start, is taken over, whatever the keys of the two runs.
Photos have no before: each view is first fused alone and then once more with the memory of
the neighbours that see it best.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.engine.hashing import canonical_json, hash_file, hash_text
from mvrecon.engine.stage import StageContext, StoredItems
from stages.fusion.config import COMPLETION_WEIGHTS, RECURRENT_WEIGHTS, FusionConfig
from stages.fusion.inputs import FusionInputs
from stages.fusion.recurrent.cues import MATCHED_VIEWS, Cues, find_cues
from stages.fusion.recurrent.model import fuse_view, load_network, merge
from stages.fusion.recurrent.network import FusionNetwork
from stages.fusion.recurrent.step import FusionView, Memory, prepare, trusted_by_views

# Views between two stored memories: some megabytes each, against fusing them again.
CHECKPOINT_EVERY = 16

# From the row of a view and its fused depth to what is stored.
Finish = Callable[[int, DepthMap], DepthMap]
DIGESTS_ITEM = "memory/digests.json"


def fuse_by_network(
    context: StageContext[FusionConfig], inputs: FusionInputs, finish: Finish, version: int
) -> None:
    """Make the depth items of all frames.

    Args:
        context: of the stage.
        inputs: its views.
        finish: what is done to a fused map before it is stored.
        version: of the stage.
    """
    weights = context.config.recurrent.weights or RECURRENT_WEIGHTS
    fusion = RecurrentFusion(context, inputs, load_network(weights), finish)
    rows = range(len(inputs.frames))
    if not inputs.in_order:
        fusion.find_cues(rows)
        fusion.fuse_photos()
    elif context.config.model == "forward":
        digests = digests_along(inputs, rows, _start(context.config, weights, version))
        take_over(context, [fusion.stored_items(row, "forward") for row in rows], digests)
        start, _ = fusion.resume(rows, "forward", last=True)
        fusion.find_cues(rows[start:])
        fusion.pass_over(rows, "forward", last=True)
    else:
        fusion.find_cues(rows)
        fusion.pass_over(rows, "forward", last=False)
        fusion.pass_over(rows[::-1], "backward", last=True)


def _start(config: FusionConfig, weights: Path, version: int) -> str:
    """What decides the results of a sequence besides its views."""
    files = [weights]
    if config.completion.method == "prior":
        files.append(config.completion.weights or COMPLETION_WEIGHTS)
    precision, completion = config.recurrent.used_precision, config.completion.method
    return " ".join((precision, completion, str(version), *map(hash_file, files)))


class RecurrentFusion:
    """Passes of the network over views.

    Args:
        context: of the stage.
        inputs: its views.
        network: with its weights.
        finish: what is done to a fused map before it is stored.
    """

    def __init__(
        self,
        context: StageContext[FusionConfig],
        inputs: FusionInputs,
        network: FusionNetwork,
        finish: Finish,
    ) -> None:
        self.context = context
        self.inputs = inputs
        self.network = network
        self.finish = finish
        self.precision = context.config.recurrent.used_precision

    def stored_items(self, row: int, way: str) -> tuple[str, ...]:
        """Items of a view that the stage keeps after its last pass."""
        return self._result_item(row, way, last=True), self._memory_item(row, way)

    def find_cues(self, rows: Sequence[int]) -> None:
        """Gather the cues of views, side by side."""
        inputs, row_of = self.inputs, {self._scratch_item("cues", row): row for row in rows}

        def gather(item: str) -> None:
            row = row_of[item]
            neighbors = inputs.neighbors(row)
            cues = find_cues(
                inputs.view(row),
                [inputs.depth(other) for other in neighbors],
                [inputs.view(other) for other in neighbors[:MATCHED_VIEWS]],
                inputs.config.tolerance,
            )
            self.context.out.write(item, cues.save)

        self.context.make_items(list(row_of), gather, unit="view")

    def pass_over(self, rows: Sequence[int], way: str, last: bool) -> None:
        """Fuse views in turn, from the newest stored memory that an interrupted run left.

        Args:
            rows: of the views, in the order of the pass.
            way: name of the pass.
            last: whether its results, merged with those of the pass before if there is one,
                are those of the stage.
        """
        out = self.context.out
        start, memory = self.resume(rows, way, last)
        for place, row in enumerate(self.context.track(rows[start:], f"view {way}"), start):
            view = self._view(row)
            if view is not None:
                memory = fuse_view(self.network, view, memory, self.precision)
            result = self.inputs.depth(row) if view is None or memory is None else memory.result
            self._store(row, result, view, way, last)
            if (place + 1) % CHECKPOINT_EVERY == 0 and memory is not None:
                out.write(self._memory_item(row, way), memory.save)

    def resume(self, rows: Sequence[int], way: str, last: bool) -> tuple[int, Memory | None]:
        """Place from which to go on, and the memory there."""
        out = self.context.out
        missing = (
            p for p, row in enumerate(rows) if not out.has(self._result_item(row, way, last))
        )
        done = next(missing, len(rows))
        for place in range(done - 1, -1, -1):
            item = self._memory_item(rows[place], way)
            if out.has(item):
                return place + 1, Memory.load(out.path(item))
        return 0, None

    def _store(
        self, row: int, result: DepthMap, view: FusionView | None, way: str, last: bool
    ) -> None:
        out = self.context.out
        before = self._result_item(row, "forward", last=False)
        if last and way == "backward":
            result = merge(DepthMap.load(out.path(before)), result)
        if last and view is not None:
            result = trusted_by_views(result, view)
        if last:
            result = self.finish(row, result)
        out.write(self._result_item(row, way, last), result.save)

    def _result_item(self, row: int, way: str, last: bool) -> str:
        return depth_item(self.inputs.name(row)) if last else self._scratch_item(way, row)

    def _memory_item(self, row: int, way: str) -> str:
        return f"memory/{way}/{self.inputs.name(row)}.npz"

    def _scratch_item(self, kind: str, row: int) -> str:
        """Item of a view that is there until the stage is done."""
        return self.context.out.scratch_item(f"{kind}/{self.inputs.name(row)}.npz")

    def _view(self, row: int) -> FusionView | None:
        cues = Cues.load(self.context.out.path(self._scratch_item("cues", row)))
        return prepare(self.inputs.view(row), cues)

    def fuse_photos(self) -> None:
        """Fuse each view alone, then with its best neighbour (`both`: with its two best)."""
        out, rows = self.context.out, range(len(self.inputs.frames))
        item_of = {row: self._scratch_item("alone", row) for row in rows}
        alone_of = {item: row for row, item in item_of.items()}
        final_of = {depth_item(self.inputs.name(row)): row for row in rows}
        partners = 2 if self.context.config.model == "both" else 1

        def alone(item: str) -> None:
            view = self._view(alone_of[item])
            if view is not None:
                out.write(item, fuse_view(self.network, view, None, self.precision).save)

        def together(item: str) -> None:
            row = final_of[item]
            view, result = self._view(row), self.inputs.depth(row)
            if view is not None:
                near = [item_of[other] for other in self.inputs.neighbors(row)]
                memories = [Memory.load(out.path(one)) for one in near if out.has(one)][:partners]
                fused = [
                    fuse_view(self.network, view, memory, self.precision).result
                    for memory in memories
                ]
                if not fused:
                    fused = [Memory.load(out.path(item_of[row])).result]
                result = merge(fused[0], fused[1]) if len(fused) > 1 else fused[0]
                result = trusted_by_views(result, view)
            out.write(item, self.finish(row, result).save)

        self.context.make_items(list(alone_of), alone, unit="view")
        self.context.make_items(list(final_of), together, unit="map")


def digests_along(inputs: FusionInputs, rows: Sequence[int], start: str) -> list[str]:
    """Digest of each view with all before it.

    Args:
        inputs: the views.
        rows: in the order of the pass.
        start: what else decides the results: weights and version.
    """
    hash_of = lru_cache(maxsize=None)(hash_file)
    digest, digests = start, []
    for row in rows:
        hashes = [hash_of(path) for path in inputs.files(row, MATCHED_VIEWS)]
        digest = hash_text(canonical_json([digest, inputs.config.tolerance, hashes]))
        digests.append(digest)
    return digests


def take_over(
    context: StageContext[FusionConfig], items: Sequence[tuple[str, ...]], digests: Sequence[str]
) -> int:
    """Copy what the stage's last result has in common with this one.

    Args:
        context: of the stage.
        items: names of the items of each view that may be there.
        digests: of each view, see `digests_along`.

    Returns:
        Number of views whose items are there now.
    """
    common = _common(context.earlier, digests)
    for names in items[:common]:
        for name in names:
            if context.earlier and context.earlier.names(name) and not context.out.has(name):
                context.out.write(name, partial(shutil.copyfile, context.earlier.path(name)))
    context.out.write_text(DIGESTS_ITEM, json.dumps(list(digests)))
    return common


def _common(earlier: StoredItems | None, digests: Sequence[str]) -> int:
    if earlier is None or DIGESTS_ITEM not in earlier.names(DIGESTS_ITEM):
        return 0
    before = json.loads(earlier.path(DIGESTS_ITEM).read_text())
    same = [one == other for one, other in zip(before, digests, strict=False)]
    return same.index(False) if False in same else len(same)
