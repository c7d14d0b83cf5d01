"""The pipeline: verify, then explain. Composition, progress and resuming; no formulas."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from app.version import VERSION
from compute.datasets.store import PairRecord, Skipped, StoredDataset, read_dataset
from compute.engines.choice import way_of_run
from compute.errors import RunError
from compute.files import exclusive
from compute.judging import AheadJudge, Deviations, EmbeddingJudge, Judge, Judged
from compute.judging_by_distance import DistanceJudge
from compute.occlusion import OcclusionSpec
from compute.opening import gives_distances, open_embedder, open_scorer
from compute.parallel.judge import ShardedJudge
from compute.parallel.work import Workers
from compute.progress import progress_bar, say
from compute.publish import OpenSet, Publisher
from compute.registry import NAME, ModelEntry, ModelRegistry
from compute.rendering import render
from compute.runs import Conditions, current_conditions, load_or_start, started
from compute.schedule import by_component, in_turn
from compute.verification import VerificationMetrics, verify

Stage = Literal["verify", "explain", "all"]

SPECS: Final[dict[str, OcclusionSpec]] = {
    "default": OcclusionSpec(),
    "published": OcclusionSpec(grid="published"),
    "full": OcclusionSpec(grid="full"),
}
"""Specs by name; any other comes from a TOML file, whose name it takes."""


@dataclass
class RunReport:
    """What a run did, for the terminal.

    Attributes
    ----------
    lines
        What was done, in words.
    skipped
        Everything that was left out, and why.
    """

    lines: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def named_spec(given: str) -> tuple[str, OcclusionSpec]:
    """Return name and spec for a name of ``SPECS`` or the path of a TOML file.

    Raises
    ------
    RunError
        For an unknown name, or a file that is no spec.
    """
    if given in SPECS:
        return given, SPECS[given]
    path = Path(given)
    if path.suffix != ".toml" or not path.is_file():
        raise RunError(
            f"--spec {given!r}: expected one of {', '.join(SPECS)}, or an existing TOML file."
        )
    if path.stem in SPECS or not NAME.fullmatch(path.stem) or "__" in path.stem:
        raise RunError(
            f"--spec {given!r}: the set takes the file's name; {path.stem!r} is taken or is not "
            "made of a-z, 0-9, '-' and '_'. Rename the file."
        )
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
        return path.stem, OcclusionSpec.from_dict(options)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not an occlusion spec ({error}).") from error


class Pipeline:
    """Runs models over one imported dataset and publishes what they say.

    Parameters
    ----------
    tell
        Told what is worth knowing before the work begins, a line at a time.
    workers
        Who explains; this process by default.
    """

    def __init__(
        self,
        data: Path,
        dataset: str,
        publisher: Publisher,
        *,
        memory_gib: float,
        tell: Callable[[str], object] = say,
        workers: Workers | None = None,
    ) -> None:
        self._data = data
        self._dataset = read_dataset(data, dataset)
        self._publisher = publisher
        self._registry = ModelRegistry(data)
        self._memory = memory_gib * 2**30
        self._tell = tell
        self._workers = workers
        self._published = False

    def run(
        self,
        model: str,
        stage: Stage,
        *,
        spec: tuple[str, OcclusionSpec] = ("default", SPECS["default"]),
        limit: int | None = None,
        pair_ids: Sequence[int] | None = None,
        engine: str | None = None,
    ) -> RunReport:
        """Take one model through a stage; what is finished already is not done again.

        Parameters
        ----------
        engine
            Name of an engine, ``auto`` for the fastest, None for the plain one (``way_of_run``).

        Raises
        ------
        ComputeError
            Where nothing further can be done; what was published stays.
        """
        entry = self._registry.get(model)
        selected = select_pairs(self._dataset, limit=limit, pair_ids=pair_ids)
        lock = self._data / "locks" / f"{self._dataset.name}__{model}"
        with exclusive(lock, doing=f"computing {model} on {self._dataset.name}"):
            if not self._published:
                self._publisher.dataset(self._dataset)
                self._published = True
            self._publisher.model(entry)
            report = RunReport()
            report.skipped += self._dataset.skipped
            conditions = self._conditions(entry, engine)
            judge = self._judge(entry, conditions, stage)
            judged = self._verify(entry, judge, conditions, report)
            if stage != "verify":
                known = {pair.id for pair in judged.pairs}
                usable = [pair for pair in selected if pair.id in known]
                self._explain(entry, judge, conditions, usable, spec, report)
            return report

    def _folder(self, entry: ModelEntry) -> Path:
        return self._data / "runs" / self._dataset.name / entry.name

    def _conditions(self, entry: ModelEntry, engine: str | None) -> Conditions:
        """Return what is fixed of the run, or fix it."""
        folder, way = self._folder(entry), None
        if entry.endpoint is None:
            way = way_of_run(
                self._registry, entry, engine, started(folder), where=folder, tell=self._tell
            )
        current = current_conditions(dataset_sha256=self._dataset.sha256, entry=entry, way=way)
        return load_or_start(folder, current)

    def _judge(self, entry: ModelEntry, conditions: Conditions, stage: Stage) -> Judge:
        title, folder = f"{entry.name} on {self._dataset.name}", self._folder(entry)
        if entry.endpoint and self._workers:
            self._tell(f"{entry.name}: a service is asked by this process alone, without workers.")
        if gives_distances(entry):
            scoring = DistanceJudge(
                self._dataset, title, lambda batch: open_scorer(entry, batch=batch), folder
            )
            return AheadJudge(scoring)
        workers = self._workers_for(entry)
        memory = workers.memory(self._memory) if workers else self._memory
        judge = EmbeddingJudge(
            self._dataset,
            title,
            lambda batch, threads: open_embedder(
                self._registry, entry, batch=batch, threads=threads, engine=conditions.engine
            ),
            folder,
            dimension=entry.io.dimension,
            memory=memory,
        )
        if workers is None or stage == "verify":
            return AheadJudge(judge)
        return ShardedJudge(
            judge,
            workers,
            self._dataset,
            entry.name,
            conditions,
            self._data,
            folder,
            memory=memory,
            settle=self._publisher.settle,
        )

    def _workers_for(self, entry: ModelEntry) -> Workers | None:
        """Return who explains; a service sets its own pace, and is asked by this process alone."""
        return None if entry.endpoint else self._workers

    def _verify(
        self, entry: ModelEntry, judge: Judge, conditions: Conditions, report: RunReport
    ) -> Judged:
        """Measure every pair and publish the evaluation, unless both are done."""
        title = f"{entry.name} on {self._dataset.name}"
        judged = judge.judge(batch=conditions.batch, threads=conditions.threads)
        pairs, skipped = judged.pairs, judged.skipped
        report.skipped += skipped
        if self._publisher.has_evaluation(self._dataset.name, entry.name):
            report.lines.append(f"{title}: verified before, {len(pairs)} pairs.")
            return judged
        _require_verifiable(title, pairs, skipped)
        verification = verify(
            judged.distances,
            np.array([pair.genuine for pair in pairs]),
            np.array([pair.fold for pair in pairs]),
        )
        self._publisher.evaluation(
            self._dataset.name, entry.name, pairs, verification, conditions, skipped=len(skipped)
        )
        report.lines.append(f"{title}: {_summary(verification.metrics, len(pairs))}")
        fallbacks = {
            fold: score.status
            for fold, score in verification.validation.folds.items()
            if score.status != "ok"
        }
        if fallbacks:
            report.lines.append(f"{title}: the confidence falls back on folds {fallbacks}.")
        return judged

    def _explain(
        self,
        entry: ModelEntry,
        judge: Judge,
        conditions: Conditions,
        usable: Sequence[PairRecord],
        named: tuple[str, OcclusionSpec],
        report: RunReport,
    ) -> None:
        """Explain the pairs that are not in the set yet, and publish each when it is."""
        title = f"{entry.name} on {self._dataset.name}"
        name, spec = named
        conditions = replace(conditions, code_version=VERSION)
        workers = self._workers_for(entry)
        if workers is not None:
            conditions = replace(conditions, threads=workers.threads())
        opened = self._publisher.open_set(
            self._dataset.name,
            entry.name,
            name,
            spec,
            conditions,
            wanted=len(usable),
        )
        todo = by_component([pair for pair in usable if pair.id not in opened.explained])
        skipped: list[Skipped] = []
        planned = judge.planned(todo, spec)
        with opened, progress_bar(f"explain {title}", planned, "forward") as progress:
            explained = judge.explain(
                todo, spec, batch=opened.batch, threads=opened.threads, advance=progress.update
            )
            with closing(explained):
                for step, (pair, deviations) in enumerate(explained):
                    if isinstance(deviations, Skipped):
                        skipped.append(deviations)
                        continue
                    self._publish_explanation(opened, pair, deviations, spec)
                    progress.set_postfix(pairs=f"{step + 1}/{len(todo)}", refresh=False)
        if skipped:
            opened.settle(wanted=len(usable) - len(skipped))
            report.skipped += skipped
        report.lines.append(
            f"{title}: {len(todo) - len(skipped)} pairs explained in set {name!r} "
            f"({len(usable) - len(todo)} were before), {judge.told(spec)}."
        )

    def _publish_explanation(
        self,
        opened: OpenSet,
        pair: PairRecord,
        deviations: Deviations,
        spec: OcclusionSpec,
    ) -> None:
        images = (
            np.asarray(self._dataset.images[pair.image1]),
            np.asarray(self._dataset.images[pair.image2]),
        )
        opened.add(pair.id, render(deviations, spec, images))


def select_pairs(
    dataset: StoredDataset, *, limit: int | None, pair_ids: Sequence[int] | None
) -> list[PairRecord]:
    """Return the pairs to explain: those with the given ids, at most ``limit``, folds in turn.

    Ids of pairs that the import left out are passed over; the dataset lists them as skipped.

    Raises
    ------
    RunError
        For an id that the dataset does not have, or a limit below 1.
    """
    if limit is not None and limit < 1:
        raise RunError(f"--limit {limit}: expected 1 or more.")
    pairs = dataset.pairs
    if pair_ids is not None:
        by_id = {pair.id: pair for pair in pairs}
        left_out = {skipped.what for skipped in dataset.skipped}
        for number in pair_ids:
            if number not in by_id and f"pair {number}" not in left_out:
                raise RunError(
                    f"--pairs: {dataset.name} has no pair {number}; its ids go from "
                    f"{min(by_id, default=None)} to {max(by_id, default=None)}."
                )
        pairs = [by_id[number] for number in dict.fromkeys(pair_ids) if number in by_id]
    return in_turn(pairs)[:limit]


def _require_verifiable(
    title: str, pairs: Sequence[PairRecord], skipped: Sequence[Skipped]
) -> None:
    """Raise ``RunError`` unless thresholds can be learnt and tested: two folds, both labels."""
    labels, folds = {pair.genuine for pair in pairs}, {pair.fold for pair in pairs}
    if len(labels) < 2 or len(folds) < 2:
        why = f"; {len(skipped)} are skipped, the first: {skipped[0].reason}" if skipped else ""
        raise RunError(
            f"{title}: cannot be verified with {len(pairs)} usable pairs of {len(labels)} label(s) "
            f"in {len(folds)} fold(s), expected genuine and impostor pairs in two or more{why}."
        )


def _summary(metrics: VerificationMetrics, pairs: int) -> str:
    wrong = metrics.confidence_wrong
    return (
        f"{pairs} pairs, accuracy {metrics.accuracy:.2%} +- {metrics.accuracy_std:.2%}, mean "
        f"threshold {metrics.threshold_mean:.3f}, EER {metrics.eer:.2%}, AUC {metrics.auc:.4f}, "
        f"mean confidence {metrics.confidence_right or 0:.3f} where right, "
        f"{'-' if wrong is None else format(wrong, '.3f')} where wrong."
    )
