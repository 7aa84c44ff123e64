"""Runs the stages in order, skipping what is there, and shows the newest results."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mvrecon.atomic import remove_leftovers, replacing
from mvrecon.engine import lock, measure
from mvrecon.engine.claims import Claims, claims_path
from mvrecon.engine.config import StageConfig
from mvrecon.engine.context import RunContext
from mvrecon.engine.hashing import FileHashes, canonical_json
from mvrecon.engine.helping import Helper, JoinedArtifact, help_while_locked
from mvrecon.engine.keys import Key, changed_parts, make_key
from mvrecon.engine.processes.memory import is_lack_of_memory
from mvrecon.engine.stage import Stage, Summary
from mvrecon.engine.store import SUMMARY_ITEM, Artifact, CorruptItemError, Store
from mvrecon.errors import MvreconError, OutOfMemoryError

State = Literal["cached", "stale", "partial", "missing", "unknown"]
MAX_REPAIRS = 8
STORE = "store"  # in the run directory

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageStatus:
    """Where a stage stands, without running anything.

    Attributes:
        state: `unknown` when a stage that it reads has to run first.
        why: the parts of the key that changed, for a stale stage.
        items: (there, expected) of an interrupted run.
        artifact: the result, or the last one in use.
    """

    name: str
    state: State
    why: Sequence[str] = ()
    items: tuple[int, int] | None = None
    artifact: Artifact | None = None


class Runner:
    """The stages of one run directory.

    Args:
        stages: in the order in which they run; the only place that knows the order.
        run_dir: holds the store and the published names.
        raw_input: the user's video or folder.
        configs: options by stage name.
        workers: threads for each stage.
        more_inputs: what the user gave besides.
    """

    def __init__(
        self,
        stages: Sequence[Stage[Any]],
        run_dir: Path,
        raw_input: Path,
        configs: Mapping[str, StageConfig],
        workers: int,
        *,
        more_inputs: Sequence[Path] = (),
    ) -> None:
        self.stages = stages
        self.run_dir = run_dir
        self.raw_input = raw_input
        self.more_inputs = more_inputs
        self.configs = configs
        self.workers = workers
        self.store = Store(run_dir / STORE)
        self._hashes = FileHashes(self.store.root / "hashes.json")
        self._unchecked: list[Stage[Any]] = []
        self._told: set[str] = set()

    def run(
        self,
        until: str,
        forced: Collection[str] = (),
        verify: bool = False,
        checked_until: str | None = None,
    ) -> dict[str, Artifact]:
        """Bring every stage up to `until` up to date.

        Args:
            until: last stage to run.
            forced: stages to run even if their result is there.
            verify: check the hash of every stored item, not only sizes and times.
            checked_until: last stage whose options are checked before the first runs; `until` if
                None.

        Returns:
            The results by stage name.
        """
        pending = set(forced)
        for folder in (self.run_dir, self.store.root, *self.store.root.glob("*/")):
            remove_leftovers(folder)
        self._unchecked = list(self._up_to(checked_until or until))
        for _ in range(MAX_REPAIRS):
            results: dict[str, Artifact] = {}
            try:
                for stage in self._up_to(until):
                    results[stage.name] = self._bring_up_to_date(
                        stage, results, stage.name in pending, verify
                    )
                    pending.discard(stage.name)
                return results
            except CorruptItemError as error:
                self._repair(error, results)
            finally:
                self._hashes.save()
        raise MvreconError(
            "items of the store keep becoming corrupt", "Check the disk, or use another -o"
        )

    def status(self) -> list[StageStatus]:
        """Where every stage stands."""
        digests: dict[str, str] = {}
        statuses = []
        for stage in self.stages:
            status = self._status_of(stage, digests)
            if status.state == "cached" and status.artifact:
                digests[stage.name] = status.artifact.digest
            statuses.append(status)
        return statuses

    def _up_to(self, until: str) -> Iterator[Stage[Any]]:
        for stage in self.stages:
            yield stage
            if stage.name == until:
                return

    def _key(self, stage: Stage[Any], digests: Mapping[str, str]) -> Key:
        config = self.configs[stage.name]
        more = self.more_inputs
        return make_key(stage, config, digests, self.raw_input, self._hashes, more_inputs=more)

    def _bring_up_to_date(
        self, stage: Stage[Any], results: Mapping[str, Artifact], forced: bool, verify: bool
    ) -> Artifact:
        key = self._key(stage, {name: artifact.digest for name, artifact in results.items()})
        log.debug("%s: key %s of %s", stage.name, key.name, canonical_json(key.parts))

        def on_wait() -> None:
            words = "helping" if stage.shares_items else "waiting"
            log.info("%s: another process works on it; %s", stage.name, words)
            if stage.shares_items:
                self._help(stage, key, results, forced)

        with lock.exclusive(self.store.lock_path(stage.name, key), on_wait):
            self.store.recover(stage.name, key)
            artifact = self.store.find(stage.name, key)
            if artifact and (corrupt := artifact.corrupt_items(verify)):
                log.warning("%s: corrupt items, rebuilding: %s", stage.name, ", ".join(corrupt))
                self.store.reopen(artifact, corrupt)
                artifact = None
            if artifact and not forced:
                # Once is enough where a run comes back to what it has just made.
                log.log(_level(stage.name in self._told), "%s: cached", stage.name)
                self.store.drop_partial(stage.name, key)
            else:
                latest = self.store.latest(stage.name)
                for line in _reasons(key, artifact, latest):
                    log.debug("%s: runs: %s", stage.name, line)
                # One that is forced is to be made anew.
                earlier = None if forced else latest
                artifact = self._execute(stage, key, results, earlier)
        self._told.add(stage.name)
        self.store.set_latest(artifact)
        self._publish(stage, artifact)
        return artifact

    def _execute(
        self,
        stage: Stage[Any],
        key: Key,
        results: Mapping[str, Artifact],
        earlier: Artifact | None,
    ) -> Artifact:
        self._check_options()
        log.info("%s: running", stage.name)
        out = self.store.open_partial(stage.name, key)
        context = RunContext(out=out, earlier=earlier, **self._given(stage, results))
        with measure.Usage() as usage:
            summary = _run(stage, context)
        out.write_text(
            SUMMARY_ITEM,
            canonical_json({"numbers": dict(summary.numbers), "warnings": list(summary.warnings)}),
        )
        recorded = {**usage.to_json(), "versions": measure.versions(), "command": sys.argv[1:]}
        with Claims(claims_path(out.folder)) as claims, claims.folder(alone=True):
            out.finish(key, recorded, self.store.folder(stage.name, key))
        artifact = self.store.find(stage.name, key)
        assert artifact is not None
        for warning in summary.warnings:
            log.warning("%s: warning: %s", stage.name, warning)
        log.info("%s: done in %.1f s (%s)", stage.name, usage.wall_s, summary.text())
        return artifact

    def _help(
        self, stage: Stage[Any], key: Key, results: Mapping[str, Artifact], forced: bool
    ) -> None:
        """Make items of a result that another process works on, until it is done."""
        given = self._given(stage, results)
        given["earlier"] = None if forced else self.store.latest(stage.name)

        def run(out: JoinedArtifact, claims: Claims) -> None:
            _run(stage, Helper(out, claims, **given))

        help_while_locked(self.store, stage, key, run)

    def _given(self, stage: Stage[Any], results: Mapping[str, Artifact]) -> dict[str, Any]:
        """What a stage's context holds besides its folder."""
        return {
            "name": stage.name,
            "config": self.configs[stage.name],
            "inputs": {name: results[name] for name in stage.needs},
            "raw_input": self.raw_input,
            "workers": self.workers,
            "more_inputs": self.more_inputs,
        }

    def _check_options(self) -> None:
        """Before anything runs: what is wrong with the options of any stage.

        Not sooner, as it loads networks, which a run that finds all results has no need of.
        """
        while self._unchecked:
            stage = self._unchecked.pop(0)
            config = self.configs[stage.name]
            for path in stage.files(config).values():
                if not path.exists():
                    raise MvreconError(f"{path} of mvrecon is missing", "Install mvrecon again")
            stage.check(config)

    def _publish(self, stage: Stage[Any], artifact: Artifact) -> None:
        """Point the names in the run directory at the result, each in one step."""
        for name, item in stage.publishes.items():
            link = self.run_dir / name
            target = os.path.relpath(artifact.folder / item, link.parent)
            if link.is_symlink() and str(link.readlink()) == target:
                continue
            with replacing(link) as temporary:
                temporary.symlink_to(target)

    def _repair(self, error: CorruptItemError, results: Mapping[str, Artifact]) -> None:
        log.warning("%s: item %s is corrupt; rebuilding it", error.stage, error.item)
        artifact = results[error.stage]
        lock_path = artifact.folder.with_name(f"{artifact.folder.name}.lock")
        with lock.exclusive(lock_path, lambda: None):
            if artifact.folder.exists():
                self.store.reopen(artifact, artifact.corrupt_items(check_hashes=True))

    def _status_of(self, stage: Stage[Any], digests: Mapping[str, str]) -> StageStatus:
        latest = self.store.latest(stage.name)
        if any(name not in digests for name in stage.needs):
            return StageStatus(stage.name, "unknown" if latest else "missing", artifact=latest)
        key = self._key(stage, digests)
        artifact = self.store.find(stage.name, key)
        if artifact and not artifact.corrupt_items(check_hashes=False):
            return StageStatus(stage.name, "cached", artifact=artifact)
        if items := self.store.partial_progress(stage.name, key):
            return StageStatus(stage.name, "partial", items=items, artifact=latest)
        if latest:
            why = changed_parts(latest.manifest["key_parts"], key.parts)
            return StageStatus(stage.name, "stale", why or ["items are corrupt"], artifact=latest)
        return StageStatus(stage.name, "missing")


def _run(stage: Stage[Any], context: RunContext[Any]) -> Summary:
    """Call the stage; a lack of memory is told as such."""
    try:
        summary: Summary = stage.run(context)
    except Exception as error:
        if not is_lack_of_memory(error):
            raise
        raise OutOfMemoryError(stage.name) from error
    return summary


def _reasons(key: Key, artifact: Artifact | None, latest: Artifact | None) -> Sequence[str]:
    """Why a stage runs, one line each."""
    if artifact:
        return ["asked for, although its result is there"]
    if latest is None:
        return ["there is no finished result"]
    return changed_parts(latest.manifest["key_parts"], key.parts)


def _level(is_known: bool) -> int:
    return logging.DEBUG if is_known else logging.INFO
