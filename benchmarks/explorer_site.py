"""A made-up site of any size, by seed: what the benchmark of the explorer searches.

Five datasets share the pairs, ten models judge them through the pipeline's own fits and its own
publishing. Names follow a Zipf law, as in collections of public figures; some qualities and some
results are missing, one model never saw one dataset, and two round their distances, for ties.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, update

from app.extensions import db
from app.media import MediaStore, media_key
from app.models import Dataset, Evaluation, FaceModel, Image, Pair, Result, ResultColumn
from benchmarks.maps_and_pictures import SPEC, made_up_deviations, made_up_face
from compute.datasets.store import PairRecord
from compute.images import encode_png
from compute.publish import Publisher
from compute.rendering import render_stored
from compute.runs import Conditions
from compute.verification import verify

SEED: Final = 2022
FOLDS: Final = 10
MODELS: Final = 10
DATASETS: Final = ("bench-a", "bench-b", "bench-c", "bench-d", "bench-e")
WITHOUT_QUALITY: Final = ("bench-c", "bench-e")
FIRST_NAMES: Final = (
    "Aaron Abel Ada Alice Amara Ana Andre Anita Aziz Ben Bianca Boris Carla Carlos Chen Clara Dana "
    "David Diego Dina Edgar Elena Emil Erik Eva Fatima Felix Fiona Frank Gabriel Grace Greta Hana "
    "Hans Helen Hugo Ines Irene Ivan Jack Jana Javier Jo Julia Karim Kate Ken Lars Laura Leo Lin "
    "Lucia Luis Maria Mark Maya Milan Mina Nadia Nina Noah Olga Omar Oscar Pablo Paula Peter Priya "
    "Rafael Rita Rosa Ruth Sam Sara Sofia Stefan Tara Theo Tina Tom Uma Vera Victor Wei Yara Zoe"
).split()
STARTS: Final = (
    "Al Bar Ber Cal Dor Eck Fer Gar Hal Ken Lam Mar Nor Os Per Ros Sal Tor Var Wil"
).split()
ENDS: Final = "man son berg hart ini ez ova dal ley ton wood sen ano er ick".split()
MOST_IDENTITIES: Final = 5700
EXPLAINED: Final = 100
"""The first pairs have pictures and explanations; others are marked only."""
EXPLAINED_BY: Final = "model0"
FACES: Final = 20
CONDITIONS: Final = Conditions(
    dataset_sha256="made up",
    model_sha256="made up",
    fed={},
    engine="made up",
    batch=1,
    threads=1,
    code_version="made up",
)


@dataclass(frozen=True)
class Faces:
    """The pairs of one dataset as arrays of (pairs,)."""

    name: str
    ids: NDArray[np.int64]
    genuine: NDArray[np.bool_]
    folds: NDArray[np.int64]
    hardness: NDArray[np.float64]
    """What the models' distances have in common."""

    def records(self, kept: NDArray[np.intp]) -> list[PairRecord]:
        """Return the chosen pairs as the pipeline holds them."""
        return [
            PairRecord(int(self.ids[i]), 0, 0, bool(self.genuine[i]), int(self.folds[i]))
            for i in kept
        ]


def build_site(media: MediaStore, pairs: int) -> dict[str, float]:
    """Fill the empty database of the current application; return seconds by step.

    Parameters
    ----------
    pairs
        In all datasets together; each model has nearly as many results.
    """
    random = np.random.default_rng(SEED)
    began = time.perf_counter()
    size = pairs // len(DATASETS)
    names = _names(min(MOST_IDENTITIES, max(size // 3, 20)))
    faces = [
        _add_dataset(name, 1 + place * size, size, names, random)
        for place, name in enumerate(DATASETS)
    ]
    seconds = {"datasets": time.perf_counter() - began, "fits": 0.0, "results": 0.0}
    publisher = Publisher(media)
    for number in range(MODELS):
        name = f"model{number}"
        for dataset in faces:
            if number == 1 and dataset is faces[-1]:
                continue
            for step, spent in _evaluate(publisher, name, number, dataset, random):
                seconds[step] += spent
    began = time.perf_counter()
    _explain(publisher, media, faces[0], random)
    seconds["explanations"] = time.perf_counter() - began
    return {step: round(spent, 2) for step, spent in seconds.items()}


def explained_ids() -> list[int]:
    """Return the ids of the pairs that have pictures and explanations."""
    return list(range(1, EXPLAINED + 1))


def _names(number: int) -> list[str]:
    surnames = [start + end for start, end in product(STARTS, ENDS)]
    every = [f"{first}_{last}" for first, last in product(FIRST_NAMES, surnames)]
    chosen = np.random.default_rng(SEED).permutation(len(every))[:number]
    return [every[i] for i in chosen]


def _add_dataset(
    name: str, first_id: int, size: int, names: list[str], random: np.random.Generator
) -> Faces:
    known = random.permutation(len(names))[: max(len(names) * 4 // 5, 10)]
    weights = 1 / np.arange(1, len(known) + 1) ** 0.8
    genuine = np.arange(size) % 2 == 0
    one, other = random.choice(len(known), (2, size), p=weights / weights.sum())
    other = np.where(other == one, (one + 1) % len(known), other)
    one, other = known[one], known[np.where(genuine, one, other)]
    shots = random.integers(1, 12, (2, size))
    shots[1] += shots[0] == shots[1]
    row = Dataset(
        name=name,
        title=name.capitalize(),
        licence="Made up for benchmarks",
        source="benchmarks/explorer_site.py",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        image_count=0,
        pair_count=size,
        skipped_count=0,
    )
    db.session.add(row)
    db.session.flush()
    pictures = [
        [f"{names[identity]}_{shot:04d}" for identity, shot in zip(people, numbers, strict=True)]
        for people, numbers in ((one, shots[0]), (other, shots[1]))
    ]
    qualities = _add_images(row, sorted(set(pictures[0] + pictures[1])), random)
    ids = dict(db.session.execute(select(Image.name, Image.id).filter_by(dataset_id=row.id)).all())
    folds = np.arange(size) // 2 * FOLDS // (size // 2)
    hardness = random.normal(0, 0.1, size)
    rows = []
    for i, (image1, image2) in enumerate(zip(*pictures, strict=True)):
        quality = (qualities[image1], qualities[image2])
        rows.append(
            {
                "id": first_id + i,
                "dataset_id": row.id,
                "image1_id": ids[image1],
                "image2_id": ids[image2],
                "genuine": bool(genuine[i]),
                "fold": int(folds[i]),
                "identity1": image1[:-5],
                "identity2": image2[:-5],
                "image1": image1,
                "image2": image2,
                "quality1": quality[0],
                "quality2": quality[1],
                "quality_min": None if None in quality else min(q for q in quality if q),
            }
        )
    db.session.execute(insert(Pair), rows)
    db.session.commit()
    Publisher.pack_missing(name)
    return Faces(name, first_id + np.arange(size), genuine, folds, hardness)


def _add_images(
    dataset: Dataset, pictures: list[str], random: np.random.Generator
) -> dict[str, float | None]:
    """Add the images and return their qualities, of few values: a thousandth apart."""
    drawn = np.round(random.beta(5, 2, len(pictures)), 3) + 0.001
    missing = dataset.name in WITHOUT_QUALITY
    qualities: dict[str, float | None] = {
        name: None if missing else float(q) for name, q in zip(pictures, drawn, strict=True)
    }
    db.session.execute(
        insert(Image),
        [
            {
                "dataset_id": dataset.id,
                "name": name,
                "identity": name[:-5],
                "sha256": hashlib.sha256(name.encode()).hexdigest(),
                "media": media_key("faces", name.encode()),
                "quality": quality,
            }
            for name, quality in qualities.items()
        ],
    )
    dataset.image_count = len(pictures)
    return qualities


def _evaluate(
    publisher: Publisher, name: str, number: int, faces: Faces, random: np.random.Generator
) -> Iterator[tuple[str, float]]:
    """Judge and publish one dataset; yield what each step took."""
    began = time.perf_counter()
    if db.session.scalar(select(FaceModel.id).filter_by(name=name)) is None:
        db.session.add(_model(name))
        db.session.commit()
    kept = np.flatnonzero(random.random(len(faces.ids)) >= (0.002 if number % 3 == 0 else 0.0))
    middle = np.where(faces.genuine, 0.55 - 0.01 * number, 0.98)
    distances = middle + faces.hardness + random.normal(0, 0.08, len(faces.ids))
    distances = np.clip(distances, 0, 2)[kept]
    if number in (2, 3):
        distances = np.round(distances, 2)
    judged = verify(distances, faces.genuine[kept], faces.folds[kept])
    yield "fits", time.perf_counter() - began

    began = time.perf_counter()
    skipped = len(faces.ids) - len(kept)
    publisher.evaluation(faces.name, name, faces.records(kept), judged, CONDITIONS, skipped=skipped)
    yield "results", time.perf_counter() - began
    if number < 3:
        _mark_explained(faces, name, share=(0.5, 0.01, 1.0)[number], random=random)


def _model(name: str) -> FaceModel:
    return FaceModel(
        name=name,
        title=name.capitalize(),
        licence="Made up for benchmarks",
        source="benchmarks/explorer_site.py",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        dimension=128,
        preprocessing={"color": "rgb", "mean": [127.5], "std": [127.5], "layout": "nchw"},
    )


def _mark_explained(faces: Faces, name: str, *, share: float, random: np.random.Generator) -> None:
    """Mark pairs as explained, all at once."""
    evaluation = db.session.scalars(
        select(Evaluation)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .where(Dataset.name == faces.name, FaceModel.name == name)
    ).one()
    key = {"dataset_id": evaluation.dataset_id, "model_id": evaluation.model_id}
    chosen = faces.ids[random.random(len(faces.ids)) < share].tolist()
    for start in range(0, len(chosen), 500):
        db.session.execute(
            update(Result)
            .where(
                Result.model_id == evaluation.model_id,
                Result.pair_id.in_(chosen[start : start + 500]),
            )
            .values(explained=True)
        )
    db.session.execute(delete(ResultColumn).filter_by(**key))
    db.session.commit()
    Publisher.pack_missing(faces.name)


def _explain(
    publisher: Publisher, media: MediaStore, faces: Faces, random: np.random.Generator
) -> None:
    """Give the first pairs faces, deviations and X-Maps, all made up."""
    drawn = [made_up_face(random) for _ in range(FACES)]
    keys = [media.write("faces", encode_png(face)) for face in drawn]
    pairs = db.session.scalars(select(Pair).where(Pair.id.in_(explained_ids()))).all()
    images = {image for pair in pairs for image in (pair.image1_id, pair.image2_id)}
    db.session.execute(
        update(Image), [{"id": image, "media": keys[image % FACES]} for image in images]
    )
    chosen = [(p.id, drawn[p.image1_id % FACES], drawn[p.image2_id % FACES]) for p in pairs]
    db.session.commit()
    with publisher.open_set(
        faces.name, EXPLAINED_BY, "default", SPEC, CONDITIONS, wanted=len(chosen)
    ) as opened:
        for pair_id, first, second in chosen:
            opened.add(pair_id, render_stored(made_up_deviations(random), SPEC, (first, second)))
