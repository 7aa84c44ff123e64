"""Judges the evidence after pose and after depth, tries what it names, keeps the better result.

An attempt is the same stages with other options: its results lie in the same store under keys of
their own, so that nothing is computed twice and an interrupted attempt is taken up again. The
judgement is a stage, too, whose key is made of all that decides the results it looks at; so it is
made once, and holds when the attempts are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mvrecon.artifacts.mending import MENDING_ITEM, Attempt, Changes, Mending, merged_changes
from mvrecon.config import merge_options
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary
from mvrecon.engine.store import Artifact
from mvrecon.errors import NoModelError, NotEnoughDataError
from stages.mending.config import JudgementConfig, MendConfig
from stages.mending.evidence import Evidence, Finding, Kind, findings, penalty
from stages.mending.remedies import named_remedies

VERSION = 1
DEPTH = "depth"
JUDGED = ("pose", DEPTH)
# A result is better if its penalty is at most this part of the other's: less is chance.
BETTER = 0.8

MakeRunner = Callable[[Changes], Runner]


@dataclass(frozen=True)
class Mended:
    """Attributes: `runner` has the options that were kept, `mendings` tell how that came."""

    runner: Runner
    mendings: tuple[Mending, ...]


def run_and_mend(
    make_runner: MakeRunner,
    options: MendConfig,
    until: str,
    forced: Collection[str] = (),
    verify: bool = False,
) -> Mended:
    """Run the stages up to `until`, mending where the evidence is poor.

    Args:
        make_runner: a runner with some options changed.
        options: of mending.
        until: last stage to run.
        forced: stages to run even if their result is there.
        verify: check the hash of every stored item.

    Raises:
        MvreconError: the run ended with an error that no remedy mends.
    """
    runner = make_runner({})
    pending = set(forced)
    mendings: list[Mending] = []
    names = [stage.name for stage in runner.stages]
    for after in JUDGED if options.mode == "auto" else ():
        if after not in names[: names.index(until) + 1]:
            continue
        judgement = _Judgement(make_runner, runner, mendings, after, options.attempts)
        if not judgement.is_made():
            judgement.run_first(pending, verify, until)
            pending -= set(judgement.names)
        mending = judgement.make()
        mendings.append(mending)
        if mending.kept is not None:
            runner = make_runner(merged_changes(mendings))
    runner.run(until, pending, verify)
    return Mended(runner, tuple(mendings))


class _Judgement:
    """One of them.

    Args:
        make_runner: a runner with some options changed.
        runner: of what is judged.
        earlier: mendings, whose changes it has.
        after: last stage that is judged.
        attempts: remedies tried at most.
    """

    def __init__(
        self,
        make_runner: MakeRunner,
        runner: Runner,
        earlier: Sequence[Mending],
        after: str,
        attempts: int,
    ) -> None:
        self._make_runner = make_runner
        self._runner = runner
        self._changes = merged_changes(earlier)
        self._applied = {name for one in earlier for name in one.applied}
        self._after = after
        self._attempts = attempts
        self.names = [stage.name for stage in runner.stages]
        self.names = self.names[: self.names.index(after) + 1]
        judged = [stage for stage in runner.stages if stage.name in self.names]
        files = {
            f"{stage.name}.{name}": path
            for stage in judged
            for name, path in _files(stage, runner).items()
        }
        self._stage = Stage(
            name=f"mend_{after}",
            version=VERSION,
            config=JudgementConfig,
            needs=(),
            run=self._judge,
            reads_raw_input=True,
            files=lambda _: files,
        )
        config = JudgementConfig(
            attempts=attempts,
            stages={
                stage.name: [stage.version, runner.configs[stage.name].key_options()]
                for stage in judged
            },
        )
        configs = {self._stage.name: config}
        self._as_run = Runner(
            [self._stage],
            runner.run_dir,
            runner.raw_input,
            configs,
            runner.workers,
            more_inputs=runner.more_inputs,
        )

    def is_made(self) -> bool:
        """Whether the store holds it."""
        return self._as_run.status()[0].state == "cached"

    def run_first(self, forced: Collection[str], verify: bool, until: str) -> None:
        """Make what is judged; that no model grew is for the judgement to see."""
        try:
            self._runner.run(self._after, forced, verify, checked_until=until)
        except NoModelError:
            if not self._attempts:
                raise

    def make(self) -> Mending:
        """Judge, unless the store holds it."""
        return _load(self._as_run.run(self._stage.name)[self._stage.name])

    def _judge(self, context: StageContext[JudgementConfig]) -> Summary:
        mending = self._mend(context)
        context.out.write_text(MENDING_ITEM, mending.to_text())
        told = mending.told()
        numbers = {"findings": len(mending.findings), "attempts": len(mending.attempts)}
        return Summary(numbers, [told] if told else [])

    def _mend(self, context: StageContext[JudgementConfig]) -> Mending:
        best = origin = _Tried(self._runner, self._changes, _result(self._runner, self._after))
        mending = Mending(self._after, best.result.texts, best.result.penalty)
        tried = set(self._applied)
        for _ in range(context.config.attempts):
            seen = origin.result
            named = named_remedies(seen.found, seen.evidence, _options(origin.runner))
            remedy = next((one for one in named if one.name not in tried), None)
            if remedy is None:
                break
            tried.add(remedy.name)
            context.say(f"{'; '.join(seen.texts)}: trying {remedy.name}")
            other = self._try(merge_options([origin.changes, remedy.changes]))
            names = (*origin.names, remedy.name)
            origin = replace(other, names=names)
            attempt = Attempt(names, other.changes, *other.result.told)
            mending = replace(mending, attempts=(*mending.attempts, attempt))
            if origin.result.beats(best.result):
                mending, best = replace(mending, kept=len(mending.attempts) - 1), origin
            elif origin.result.kinds & best.result.kinds or origin.result.failure:
                origin = best  # else what was poor is good now, and the next remedy adds to it
        if best.result.failure:
            raise best.result.failure
        return mending

    def _try(self, changes: Changes) -> _Tried:
        runner = self._make_runner(changes)
        return _Tried(runner, changes, _result(runner, self._after))


@dataclass(frozen=True)
class _Tried:
    """Attributes: `changes` are the options of `runner`, `names` the remedies that they make."""

    runner: Runner
    changes: Changes
    result: _Result
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Result:
    """What the stages of a runner gave.

    Attributes:
        after: last stage.
        evidence: numbers of the stages that finished.
        all_found: what is poor of it.
        failure: why there is no result, or None.
    """

    after: str
    evidence: Evidence
    all_found: list[Finding]
    failure: NotEnoughDataError | None = None

    @property
    def found(self) -> list[Finding]:
        """What is judged now: after depth, what was seen after pose has had its remedies."""
        is_depth = self.after == DEPTH
        return [one for one in self.all_found if not is_depth or one.kind == DEPTH]

    @property
    def texts(self) -> tuple[str, ...]:
        """The findings, a clause each."""
        return tuple(finding.text for finding in self.found)

    @property
    def kinds(self) -> set[Kind]:
        """Of the findings."""
        return {finding.kind for finding in self.found}

    @property
    def told(self) -> tuple[tuple[str, ...], float | None, str]:
        """Findings, penalty and error, as an attempt tells them."""
        return self.texts, self.penalty, self.failure.what if self.failure else ""

    @property
    def penalty(self) -> float | None:
        """Of all findings; None without a result."""
        return None if self.failure else penalty(self.all_found)

    def beats(self, other: _Result) -> bool:
        """Whether this is clearly the better one."""
        if self.penalty is None or other.penalty is None:
            return other.penalty is None and self.penalty is not None
        return self.penalty < other.penalty and self.penalty <= BETTER * other.penalty


def _result(runner: Runner, until: str) -> _Result:
    try:
        evidence = _evidence(runner.run(until))
        return _Result(until, evidence, findings(evidence))
    except NotEnoughDataError as error:
        done = {s.name: s.artifact for s in runner.status() if s.state == "cached" and s.artifact}
        return _Result(until, _evidence(done), [Finding("lost", error.what, 1.0)], error)


def _evidence(results: Mapping[str, Artifact]) -> Evidence:
    return {name: artifact.read_summary()["numbers"] for name, artifact in results.items()}


def _options(runner: Runner) -> dict[str, dict[str, Any]]:
    """Stage → dotted option → value."""
    return merge_options([{name: config.model_dump() for name, config in runner.configs.items()}])


def _files(stage: Stage[Any], runner: Runner) -> Mapping[str, Path]:
    config = runner.configs[stage.name]
    return {**config.content_files(), **stage.files(config)}


def _load(artifact: Artifact) -> Mending:
    return Mending.from_text(artifact.path(MENDING_ITEM).read_text())
