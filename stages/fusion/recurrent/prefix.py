"""What a sequence has in common with the one fused before: the same views from its start.

The memory of a view depends on all views before it, so each view gets a digest of its own
inputs and of the digest before it. Where the digests of two sequences are equal, so are their
results, whatever the keys of the two runs: a longer video with known poses, say.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import lru_cache, partial

from mvrecon.engine.hashing import canonical_json, hash_file, hash_text
from mvrecon.engine.stage import StageContext, StoredItems
from stages.fusion.config import FusionConfig
from stages.fusion.inputs import FusionInputs
from stages.fusion.recurrent.cues import MATCHED_VIEWS

DIGESTS_ITEM = "memory/digests.json"


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
