"""The one door from the pipeline to the site: pictures into the media store, then rows.

Pictures are named by their content and rows are written in one transaction per step, so that a
killed run leaves at most pictures without rows, never rows without pictures.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.explorer.packing import pack_pairs, pack_results, with_flag
from app.extensions import db
from app.media import MediaStore
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    FoldScore,
    Image,
    Pair,
    PairColumn,
    Result,
    ResultColumn,
)
from compute.datasets.catalogue import facts_of
from compute.datasets.store import PairRecord, StoredDataset
from compute.errors import RunError
from compute.images import encode_png
from compute.occlusion import OcclusionSpec
from compute.progress import progress_bar
from compute.registry import ModelEntry
from compute.releases.manifest import Manifest, SetFacts
from compute.releases.rows import row_values
from compute.rendering import RenderedExplanation
from compute.runs import Conditions
from compute.verification import Verification


@dataclass(frozen=True)
class OpenSet:
    """An explanation set being filled."""

    id: int
    dataset_id: int
    model_id: int
    batch: int
    threads: int
    explained: frozenset[int]
    """Ids of the pairs that are in it already."""
    places: Mapping[int, int] = field(repr=False)
    """By id: the place of each pair in the packed columns."""


@dataclass(frozen=True)
class RestoredSet:
    """An explanation set of a release, and the rows of it that the database lacks."""

    facts: SetFacts
    explanations: Iterable[dict[str, Any]]


@dataclass(frozen=True)
class RestoredRows:
    """What a release holds and the database lacks; columns of scores and folds by name, or None."""

    manifest: Manifest
    scores: dict[str, list[Any]] | None
    folds: dict[str, list[Any]] | None
    sets: Sequence[RestoredSet]


class Publisher:
    """Writes into the database and the media store of the current application."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media

    def dataset(self, dataset: StoredDataset) -> None:
        """Publish images and pairs; a dataset that is there already is left as it is.

        Raises
        ------
        RunError
            Where another dataset is published under this name.
        """
        try:
            if self._holds(dataset):
                self.pack_missing(dataset.name)
            else:
                self._insert_dataset(dataset)
        except IntegrityError:
            # Two models that start on a new database at a time: the other process was first.
            db.session.rollback()
            if not self._holds(dataset):
                raise

    @staticmethod
    def _holds(dataset: StoredDataset) -> bool:
        known = db.session.scalar(select(Dataset).filter_by(name=dataset.name))
        if known is not None and known.sha256 != dataset.sha256:
            raise RunError(
                f"The database holds another {dataset.name} (hash {known.sha256[:12]}..., imported "
                f"is {dataset.sha256[:12]}...). Use the data folder it came from, or another "
                "database."
            )
        return known is not None

    def _insert_dataset(self, dataset: StoredDataset) -> None:
        faces = self._faces(dataset)
        masks = [
            self._media.write("masks", encode_png(mask.astype(np.uint8) * 255))
            for mask in (dataset.masks if dataset.masks is not None else ())
        ]
        facts = facts_of(dataset.name)
        row = Dataset(
            name=facts.name,
            title=facts.title,
            licence=facts.licence,
            source=facts.source,
            sha256=dataset.sha256,
            image_count=len(dataset.records),
            pair_count=len(dataset.pairs),
            skipped_count=facts.pairs - len(dataset.pairs),
        )
        db.session.add(row)
        db.session.flush()
        db.session.execute(
            insert(Image),
            [
                {**asdict(record), "dataset_id": row.id, "media": key}
                for record, key in zip(dataset.records, faces, strict=True)
            ],
        )
        rows = db.session.execute(select(Image.name, Image.id).filter_by(dataset_id=row.id))
        image_ids = dict(rows.all())
        db.session.execute(
            insert(Pair), [_pair_row(p, dataset, row.id, image_ids, masks) for p in dataset.pairs]
        )
        _pack_pairs(row.id)
        db.session.commit()

    @staticmethod
    def pack_missing(name: str) -> None:
        """Pack what an earlier version of the platform published."""
        dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=name)).one()
        if db.session.get(PairColumn, (dataset_id, "id")) is None:
            _pack_pairs(dataset_id)
        packed = select(ResultColumn.model_id).filter_by(dataset_id=dataset_id)
        for model_id in db.session.scalars(
            select(Evaluation.model_id).where(
                Evaluation.dataset_id == dataset_id, Evaluation.model_id.not_in(packed)
            )
        ).all():
            _pack_results(dataset_id, model_id)
        db.session.commit()

    def _faces(self, dataset: StoredDataset) -> list[str]:
        keys = []
        with progress_bar(f"publish {dataset.name}", len(dataset.images), "image") as progress:
            for image in dataset.images:
                keys.append(self._media.write("faces", encode_png(image)))
                progress.update()
        return keys

    def model(self, entry: ModelEntry) -> None:
        """Publish a model of the registry; one that is there already is left as it is."""
        known = db.session.scalar(select(FaceModel).filter_by(name=entry.name))
        if known is None:
            db.session.add(
                FaceModel(
                    name=entry.name,
                    title=entry.title,
                    licence=entry.licence,
                    source=entry.source,
                    sha256=entry.sha256,
                    dimension=entry.io.dimension,
                    preprocessing=entry.fed,
                )
            )
        elif (known.sha256, known.preprocessing) != (entry.sha256, entry.fed):
            raise RunError(
                f"The database holds another model {entry.name!r} (SHA-256 "
                f"{known.sha256[:12]}..., fed {known.preprocessing}; in the registry "
                f"{entry.sha256[:12]}..., {entry.fed}). Add the model under another name."
            )
        # Also where nothing was added: no transaction may stay open while images are embedded.
        db.session.commit()

    def has_evaluation(self, dataset: str, model: str) -> bool:
        """Tell whether the evaluation of a model on a dataset is published."""
        return self._evaluation(dataset, model) is not None

    def evaluation(
        self,
        dataset: str,
        model: str,
        pairs: Sequence[PairRecord],
        verification: Verification,
        conditions: Conditions,
        *,
        skipped: int,
    ) -> None:
        """Publish metrics, folds and one result per pair, in one transaction."""
        dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=dataset)).one()
        model_id = db.session.scalars(select(FaceModel.id).filter_by(name=model)).one()
        row = Evaluation(
            dataset_id=dataset_id,
            model_id=model_id,
            pair_count=len(pairs),
            skipped_count=skipped,
            **asdict(verification.metrics),
            **_provenance(conditions),
            host=platform.node(),
            finished=datetime.now(UTC),
            folds=[
                FoldScore(fold=fold, **asdict(score), accuracy=verification.fold_accuracy[fold])
                for fold, score in verification.validation.folds.items()
            ],
        )
        db.session.add(row)
        columns = (
            [pair.id for pair in pairs],
            verification.distances.tolist(),
            verification.validation.threshold.tolist(),
            verification.validation.confidence.tolist(),
            verification.validation.prediction.tolist(),
            verification.correct.tolist(),
        )
        names = ("pair_id", "distance", "threshold", "confidence", "prediction", "correct")
        fixed = {"model_id": model_id, "dataset_id": dataset_id, "explained": False}
        db.session.execute(
            insert(Result),
            [
                dict(zip(names, values, strict=True)) | fixed
                for values in zip(*columns, strict=True)
            ],
        )
        _pack_results(dataset_id, model_id)
        db.session.commit()

    def open_set(
        self,
        dataset: str,
        model: str,
        name: str,
        spec: OcclusionSpec,
        current: Conditions,
        *,
        wanted: int,
    ) -> OpenSet:
        """Open an explanation set, or start it under the ``current`` conditions.

        Raises
        ------
        RunError
            Where the name belongs to another spec, or the set was begun with another engine.
        """
        evaluation = self._evaluation(dataset, model)
        if evaluation is None:
            raise RunError(f"{model} is not verified on {dataset} yet.")
        row = db.session.scalar(
            select(ExplanationSet).filter_by(evaluation_id=evaluation.id, name=name)
        )
        if row is None:
            row = ExplanationSet(
                evaluation_id=evaluation.id,
                name=name,
                spec=spec.to_dict(),
                wanted_count=wanted,
                code_version=current.code_version,
                engine=current.engine,
                batch=current.batch,
                threads=current.threads,
                host=platform.node(),
                started=datetime.now(UTC),
            )
            db.session.add(row)
        elif OcclusionSpec.from_dict(row.spec) != spec:
            raise RunError(
                f"Explanation set {name!r} of {model} on {dataset} has another spec: {row.spec}. "
                "Give the new spec another name (the name of its TOML file)."
            )
        elif row.engine != current.engine:
            raise RunError(
                f"Explanation set {name!r} of {model} on {dataset} was begun with {row.engine}, "
                f"now it is {current.engine}. Results must not mix: install the former, or give "
                "the spec another name."
            )
        row.wanted_count = wanted
        db.session.flush()
        explained = db.session.scalars(select(Explanation.pair_id).filter_by(set_id=row.id))
        pairs = select(Pair.id).filter_by(dataset_id=evaluation.dataset_id).order_by(Pair.id)
        opened = OpenSet(
            id=row.id,
            dataset_id=evaluation.dataset_id,
            model_id=evaluation.model_id,
            batch=row.batch,
            threads=row.threads,
            explained=frozenset(explained),
            places={pair_id: place for place, pair_id in enumerate(db.session.scalars(pairs))},
        )
        db.session.commit()
        return opened

    def explanation(self, opened: OpenSet, pair_id: int, rendered: RenderedExplanation) -> None:
        """Publish one explained pair: pictures first, then its row."""
        xmaps = self.pictures(rendered)
        db.session.execute(
            insert(Explanation).values(
                set_id=opened.id,
                pair_id=pair_id,
                status=rendered.status,
                deviations=rendered.deviations,
                scales=rendered.scales,
                xmaps=xmaps,
            )
        )
        db.session.execute(
            update(Result)
            .where(Result.pair_id == pair_id, Result.model_id == opened.model_id)
            .values(explained=True)
        )
        key = {"dataset_id": opened.dataset_id, "model_id": opened.model_id, "name": "explained"}
        # Locked until the commit: two sets of one evaluation may be filled at a time.
        flags = db.session.scalars(
            select(ResultColumn.data).filter_by(**key).with_for_update()
        ).one_or_none()
        if flags is not None:
            changed = with_flag(flags, opened.places[pair_id])
            db.session.execute(update(ResultColumn).filter_by(**key).values(data=changed))
        db.session.commit()

    def pictures(self, rendered: RenderedExplanation) -> dict[str, str]:
        """Write the X-Maps of a pair into the media store; return their keys by name."""
        return {
            name: self._media.write("xmaps", encode_png(image))
            for name, image in rendered.xmaps.items()
        }

    def restore(self, restored: RestoredRows) -> None:
        """Publish what a release holds and the database lacks, in one transaction."""
        try:
            self._restore(restored)
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise

    def _restore(self, restored: RestoredRows) -> None:
        manifest = restored.manifest
        dataset, name = manifest.dataset["name"], manifest.model["name"]
        host = {"host": f"release {manifest.version}"}
        dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=dataset)).one()
        model_id = db.session.scalar(select(FaceModel.id).filter_by(name=name))
        if model_id is None:
            model = FaceModel(**row_values(FaceModel, manifest.model))
            db.session.add(model)
            db.session.flush()
            model_id = model.id
        keys = {"dataset_id": dataset_id, "model_id": model_id}
        if restored.scores is not None and restored.folds is not None:
            row = Evaluation(**row_values(Evaluation, manifest.evaluation), **keys, **host)
            row.folds = [FoldScore(**fold) for fold in _records(restored.folds)]
            db.session.add(row)
            fixed = {**keys, "explained": False}
            scores = [score | fixed for score in _records(restored.scores)]
            if scores:
                db.session.execute(insert(Result), scores)
            db.session.flush()
        evaluation_id = db.session.scalars(select(Evaluation.id).filter_by(**keys)).one()
        for each in restored.sets:
            values = row_values(ExplanationSet, each.facts.facts)
            found = db.session.scalar(
                select(ExplanationSet).filter_by(evaluation_id=evaluation_id, name=each.facts.name)
            )
            if found is None:
                found = ExplanationSet(evaluation_id=evaluation_id, **values, **host)
                db.session.add(found)
            found.wanted_count = max(found.wanted_count, values["wanted_count"])
            db.session.flush()
            self._restore_explanations(found.id, model_id, each.explanations)
        db.session.execute(delete(ResultColumn).filter_by(**keys))
        _pack_results(dataset_id, model_id)

    @staticmethod
    def _restore_explanations(
        set_id: int, model_id: int, explanations: Iterable[dict[str, Any]]
    ) -> None:
        rows = iter(explanations)
        while chunk := [row | {"set_id": set_id} for row in islice(rows, 200)]:
            db.session.execute(insert(Explanation), chunk)
            ids = [row["pair_id"] for row in chunk]
            db.session.execute(
                update(Result)
                .where(Result.model_id == model_id, Result.pair_id.in_(ids))
                .values(explained=True)
            )

    def settle_set(self, opened: OpenSet, *, wanted: int) -> None:
        """Lower what is wanted of a set, where some pairs turned out not to be explainable."""
        db.session.execute(
            update(ExplanationSet).where(ExplanationSet.id == opened.id).values(wanted_count=wanted)
        )
        db.session.commit()

    @staticmethod
    def _evaluation(dataset: str, model: str) -> Evaluation | None:
        return db.session.scalar(
            select(Evaluation)
            .join(Evaluation.dataset)
            .join(Evaluation.model)
            .where(Dataset.name == dataset, FaceModel.name == model)
        )


def _pack_pairs(dataset_id: int) -> None:
    columns = pack_pairs(db.session(), dataset_id)
    db.session.execute(
        insert(PairColumn),
        [{"dataset_id": dataset_id, "name": name, "data": data} for name, data in columns.items()],
    )


def _pack_results(dataset_id: int, model_id: int) -> None:
    columns = pack_results(db.session(), dataset_id, model_id)
    key = {"dataset_id": dataset_id, "model_id": model_id}
    db.session.execute(
        insert(ResultColumn),
        [{**key, "name": name, "data": data} for name, data in columns.items()],
    )


def _pair_row(
    pair: PairRecord,
    dataset: StoredDataset,
    dataset_id: int,
    image_ids: dict[str, int],
    masks: Sequence[str],
) -> dict[str, Any]:
    first, second = dataset.records[pair.image1], dataset.records[pair.image2]
    return {
        "id": pair.id,
        "dataset_id": dataset_id,
        "image1_id": image_ids[first.name],
        "image2_id": image_ids[second.name],
        "genuine": pair.genuine,
        "fold": pair.fold,
        "identity1": first.identity,
        "identity2": second.identity,
        "image1": first.name,
        "image2": second.name,
        "quality1": first.quality,
        "quality2": second.quality,
        "quality_min": _minimum((first.quality, second.quality)),
        "mask_media": masks[pair.mask] if pair.mask is not None else None,
    }


def _records(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    names = tuple(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _minimum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == 2 else None


def _provenance(conditions: Conditions) -> dict[str, Any]:
    """Return the columns of an evaluation; how the model is fed stands with the model."""
    return {key: value for key, value in asdict(conditions).items() if key != "fed"}
