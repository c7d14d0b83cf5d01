"""Datasets into the database: images, pairs, their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.media import MediaStore
from app.models import Dataset, Evaluation, Image, Pair, PairColumn, ResultColumn
from compute.datasets.catalogue import DatasetFacts
from compute.datasets.store import PairRecord, StoredDataset
from compute.errors import RunError
from compute.images import encode_png
from compute.progress import progress_bar
from compute.publish.derived import write_pair_columns, write_result_columns
from compute.publish.notes import note_pairs


def publish_dataset(media: MediaStore, dataset: StoredDataset) -> None:
    """Publish images and pairs; a dataset that is there already is left as it is.

    Raises
    ------
    RunError
        Where another dataset is published under this name, or with its pair ids.
    """
    try:
        if _holds(dataset):
            pack_missing(dataset.name)
        else:
            _require_free_ids(dataset.facts)
            _insert_dataset(media, dataset)
        note_pairs(dataset.facts)
    except IntegrityError:
        # Two models that start on a new database at a time: the other process was first.
        db.session.rollback()
        if not _holds(dataset):
            raise


def _holds(dataset: StoredDataset) -> bool:
    known = db.session.scalar(select(Dataset).filter_by(name=dataset.name))
    if known is not None and known.sha256 != dataset.sha256:
        raise RunError(
            f"The database holds another {dataset.name} (hash {known.sha256[:12]}..., imported "
            f"is {dataset.sha256[:12]}...). Use the data folder it came from or another database; "
            f"or remove it with its results (flask datasets remove {dataset.name}) and import "
            "again."
        )
    return known is not None


def _require_free_ids(facts: DatasetFacts) -> None:
    ids = Pair.id.between(facts.first_pair_id, facts.last_pair_id)
    other = db.session.scalar(select(Dataset.name).join(Pair).where(ids).limit(1))
    if other is not None:
        raise RunError(
            f"{facts.name} has the pair ids {facts.first_pair_id} to {facts.last_pair_id}, of "
            f"which {other} has some in this database. Import your images under another name: "
            "the ids follow from it."
        )


def _insert_dataset(media: MediaStore, dataset: StoredDataset) -> None:
    faces = _write_faces(media, dataset)
    masks = [
        media.write("masks", encode_png(mask.astype(np.uint8) * 255))
        for mask in (dataset.masks if dataset.masks is not None else ())
    ]
    facts = dataset.facts
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
            {**vars(record), "dataset_id": row.id, "media": key}
            for record, key in zip(dataset.records, faces, strict=True)
        ],
    )
    rows = db.session.execute(select(Image.name, Image.id).filter_by(dataset_id=row.id))
    image_ids = dict(rows.all())
    db.session.execute(
        insert(Pair), [_pair_row(p, dataset, row.id, image_ids, masks) for p in dataset.pairs]
    )
    write_pair_columns(row.id)
    db.session.commit()


def pack_missing(name: str) -> None:
    """Pack what an earlier version of the platform published."""
    dataset_id = db.session.scalars(select(Dataset.id).filter_by(name=name)).one()
    if db.session.get(PairColumn, (dataset_id, "id")) is None:
        write_pair_columns(dataset_id)
    packed = select(ResultColumn.model_id).filter_by(dataset_id=dataset_id)
    for model_id in db.session.scalars(
        select(Evaluation.model_id).where(
            Evaluation.dataset_id == dataset_id, Evaluation.model_id.not_in(packed)
        )
    ).all():
        write_result_columns(dataset_id, model_id)
    db.session.commit()


def _write_faces(media: MediaStore, dataset: StoredDataset) -> list[str]:
    keys = []
    with progress_bar(f"publish {dataset.name}", len(dataset.images), "image") as progress:
        for image in dataset.images:
            keys.append(media.write("faces", encode_png(image)))
            progress.update()
    return keys


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


def _minimum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == 2 else None
