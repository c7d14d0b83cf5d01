"""Seeded synthetic rows: datasets with faces, models, evaluations, explanation sets.

Everything is a function of its seed, so a test may state what it expects. Nothing here calls the
pipeline, but for its metrics: the web tests run without its libraries.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.explorer.packing import pack_pairs, pack_results
from app.media import MediaStore, media_key
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
from compute.verification import (
    area_under_roc,
    equal_error_rate,
    expected_calibration_error,
    true_accept_rate,
)

OCCLUSIONS: Final = 1058
"""Occlusions of the default spec (patch sizes 7, 14 and 28 on the paper's grid)."""
SPEC: Final = {
    "patch_sizes": [7, 14, 28],
    "stride": 5,
    "shape": "square",
    "fill": "black",
    "blur": 0,
    "grid": "paper",
    "seed": 0,
}
FINISHED: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES: Final = (
    "Ada_Lovelace",
    "Alan_Turing",
    "Carl_Gauss",
    "Emmy_Noether",
    "Grace_Hopper",
    "Hedy_Lamarr",
    "Henri_Poincare",
    "Katherine_Johnson",
    "Leonhard_Euler",
    "Mary_Somerville",
    "Niels_Abel",
    "Sofya_Kovalevskaya",
)


def face_png(seed: int, *, variant: int = 0) -> bytes:
    """Return a drawn face, 112 x 112 RGB: ``seed`` makes the person, ``variant`` the picture."""
    person = np.random.default_rng(seed)
    shot = np.random.default_rng([seed, variant])
    skin = tuple(int(v) for v in np.array([205, 160, 130]) + person.integers(-75, 40, 3))
    hair = tuple(int(v) for v in person.integers(15, 130, 3))
    back = tuple(int(v) for v in shot.integers(70, 220, 3))
    dx, dy = (int(v) for v in shot.integers(-3, 4, 2))
    wide = int(person.integers(30, 37))
    picture = Picture.new("RGB", (112, 112), back)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((56 - wide - 6 + dx, 6 + dy, 56 + wide + 6 + dx, 92 + dy), fill=hair)
    draw.ellipse((56 - wide + dx, 18 + dy, 56 + wide + dx, 108 + dy), fill=skin)
    for x in (38, 74):
        draw.ellipse((x - 7 + dx, 47 + dy, x + 7 + dx, 56 + dy), fill=(245, 245, 240))
        draw.ellipse((x - 3 + dx, 48 + dy, x + 3 + dx, 55 + dy), fill=hair)
    draw.line((56 + dx, 56 + dy, 52 + dx, 72 + dy, 59 + dx, 72 + dy), fill=hair, width=2)
    bend = int(shot.integers(2, 9))
    draw.arc((42 + dx, 82 - bend + dy, 70 + dx, 86 + bend + dy), 10, 170, (140, 40, 50), 3)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def make_dataset(
    session: Session,
    name: str = "alpha",
    *,
    title: str | None = None,
    pairs: int = 40,
    folds: int = 10,
    first_id: int = 1,
    seed: int = 0,
    identities: Sequence[str] = NAMES,
    quality_missing: float = 0.2,
    media: MediaStore | None = None,
) -> Dataset:
    """Add a dataset: ``pairs`` pairs with ids from ``first_id``, genuine and impostor in turn.

    Qualities are drawn from few values, so that there are ties, and a share of them is missing.
    The pictures are written where a ``media`` store is given; their keys are there either way.
    """
    random = np.random.default_rng(seed)
    dataset = Dataset(
        name=name,
        title=title or name.capitalize(),
        licence="Made up for tests",
        source="tests/factories.py",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        image_count=3 * len(identities),
        pair_count=pairs,
        skipped_count=0,
    )
    session.add(dataset)
    session.flush()
    images: list[list[Image]] = []
    for number, identity in enumerate(identities):
        images.append([])
        for shot in range(3):
            png = face_png(number, variant=shot)
            has_quality = random.random() >= quality_missing
            images[-1].append(
                Image(
                    dataset_id=dataset.id,
                    name=f"{identity}_{shot + 1:04d}",
                    identity=identity,
                    sha256=hashlib.sha256(b"pixels" + png).hexdigest(),
                    media=media.write("faces", png) if media else media_key("faces", png),
                    quality=float(random.integers(0, 6)) / 7 if has_quality else None,
                )
            )
    session.add_all([image for group in images for image in group])
    session.flush()
    for number in range(pairs):
        genuine = number % 2 == 0
        one = int(random.integers(len(identities)))
        other = one if genuine else (one + int(random.integers(1, len(identities)))) % len(images)
        shots = random.permutation(3)
        first, second = images[one][shots[0]], images[other][shots[1]]
        known = [q for q in (first.quality, second.quality) if q is not None]
        session.add(
            Pair(
                id=first_id + number,
                dataset_id=dataset.id,
                image1_id=first.id,
                image2_id=second.id,
                genuine=genuine,
                fold=number * folds // pairs,
                identity1=first.identity,
                identity2=second.identity,
                image1=first.name,
                image2=second.name,
                quality1=first.quality,
                quality2=second.quality,
                quality_min=min(known) if len(known) == 2 else None,
            )
        )
    session.flush()
    return dataset


def make_model(session: Session, name: str = "first", *, title: str | None = None) -> FaceModel:
    """Add a model that has looked at nothing yet."""
    model = FaceModel(
        name=name,
        title=title or name.capitalize(),
        licence="Made up for tests",
        source="tests/factories.py",
        sha256=hashlib.sha256(b"model" + name.encode()).hexdigest(),
        dimension=128,
        preprocessing={"color": "rgb", "mean": [127.5], "std": [127.5], "layout": "nchw"},
    )
    session.add(model)
    session.flush()
    return model


def make_evaluation(
    session: Session,
    dataset: Dataset,
    model: FaceModel,
    *,
    seed: int = 0,
    missing: float = 0.0,
    steps: int | None = None,
) -> Evaluation:
    """Add what ``model`` made of ``dataset``: results, folds, metrics.

    ``missing`` is the share of pairs without a result; ``steps`` rounds distances to so many
    values, for ties. Metrics follow from the results, thresholds are fixed per fold.
    """
    random = np.random.default_rng([seed, model.id])
    pairs = list(
        session.execute(
            select(Pair.id, Pair.genuine, Pair.fold)
            .where(Pair.dataset_id == dataset.id)
            .order_by(Pair.id)
        )
    )
    kept = [pair for pair in pairs if random.random() >= missing]
    evaluation = Evaluation(
        dataset_id=dataset.id,
        model_id=model.id,
        pair_count=len(kept),
        skipped_count=len(pairs) - len(kept),
        accuracy=0.0,
        accuracy_std=0.0,
        threshold_mean=0.0,
        eer=0.1,
        auc=0.95,
        confidence_right=None,
        confidence_wrong=None,
        tar_at_far_1e2=None,
        tar_at_far_1e3=None,
        ece=None,
        dataset_sha256=dataset.sha256,
        model_sha256=model.sha256,
        code_version="0.1.0",
        engine="made up",
        batch=1,
        threads=1,
        host="nowhere",
        finished=FINISHED,
    )
    session.add(evaluation)
    session.flush()
    slope, middle = 12.0, 0.72
    right: dict[int, list[bool]] = {}
    sure: dict[bool, list[float]] = {True: [], False: []}
    judged: list[Result] = []
    for pair in kept:
        distance = float(np.clip(random.normal(0.5 if pair.genuine else 0.95, 0.2), 0, 2))
        if steps:
            distance = round(distance * steps) / steps
        threshold = 0.7 + pair.fold / 100
        prediction = distance <= threshold
        score = 1 / (1 + float(np.exp(slope * (distance - middle))))
        confidence = min(1.0, max(0.5, score if prediction else 1 - score))
        correct = prediction == pair.genuine
        right.setdefault(pair.fold, []).append(correct)
        sure[correct].append(confidence)
        judged.append(
            Result(
                pair_id=pair.id,
                model_id=model.id,
                dataset_id=dataset.id,
                distance=distance,
                threshold=threshold,
                confidence=confidence,
                prediction=prediction,
                correct=correct,
                explained=False,
            )
        )
    session.add_all(judged)
    for fold, hits in sorted(right.items()):
        session.add(
            FoldScore(
                evaluation_id=evaluation.id,
                fold=fold,
                threshold=0.7 + fold / 100,
                L=1.0,
                d0=middle,
                k=-slope,
                b=0.0,
                status="ok" if fold else "few pairs",
                accuracy=sum(hits) / len(hits),
            )
        )
    accuracies = [sum(hits) / len(hits) for hits in right.values()]
    evaluation.accuracy = float(np.mean(accuracies))
    evaluation.accuracy_std = float(np.std(accuracies))
    evaluation.threshold_mean = float(np.mean([0.7 + fold / 100 for fold in right]))
    every = sure[True] + sure[False]
    evaluation.confidence_mean = float(np.mean(every)) if every else None
    evaluation.confidence_right = float(np.mean(sure[True])) if sure[True] else None
    evaluation.confidence_wrong = float(np.mean(sure[False])) if sure[False] else None
    _measure(evaluation, judged)
    session.flush()
    return evaluation


def _measure(evaluation: Evaluation, judged: Sequence[Result]) -> None:
    """State what follows from the results, where there are some of both labels."""
    distances = np.array([result.distance for result in judged])
    correct = np.array([result.correct for result in judged], dtype=np.bool_)
    genuine = np.array([result.prediction for result in judged], dtype=np.bool_) == correct
    if genuine.any() and not genuine.all():
        confidence = np.array([result.confidence for result in judged])
        evaluation.eer = equal_error_rate(distances, genuine)
        evaluation.auc = area_under_roc(distances, genuine)
        evaluation.tar_at_far_1e2 = true_accept_rate(distances, genuine, far=1e-2)
        evaluation.tar_at_far_1e3 = true_accept_rate(distances, genuine, far=1e-3)
        evaluation.ece = expected_calibration_error(confidence, correct)


def deviations(pair_id: int, model_id: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Return made-up deviations, (5, 1058): I side 1 and 2, II side 1 and 2, III."""
    random = np.random.default_rng([seed, pair_id, model_id])
    return random.normal(0, 0.02, (5, OCCLUSIONS)).astype("<f4")


def make_explanations(
    session: Session,
    evaluation: Evaluation,
    pair_ids: Iterable[int],
    *,
    name: str = "default",
    flat: Iterable[int] = (),
    media: MediaStore | None = None,
    seed: int = 0,
) -> ExplanationSet:
    """Add an explanation set that holds ``pair_ids``; those in ``flat`` have no deviation."""
    wanted = list(pair_ids)
    explained = ExplanationSet(
        evaluation_id=evaluation.id,
        name=name,
        spec=dict(SPEC),
        wanted_count=len(wanted),
        code_version="0.1.0",
        engine="made up",
        batch=1,
        threads=1,
        host="nowhere",
        started=FINISHED,
    )
    session.add(explained)
    session.flush()
    still = set(flat)
    for pair_id in wanted:
        values = deviations(pair_id, evaluation.model_id, seed=seed)
        if pair_id in still:
            values = np.zeros_like(values)
        scale = {
            side: float(np.abs(values[row]).max()) / 10
            for row, side in enumerate(("I1", "I2", "II1", "II2", "III"))
        }
        png = face_png(pair_id % 7, variant=9)
        key = media.write("xmaps", png) if media else media_key("xmaps", png)
        session.add(
            Explanation(
                set_id=explained.id,
                pair_id=pair_id,
                status="flat" if pair_id in still else "ok",
                deviations=zlib.compress(values.tobytes()),
                scales={"count": scale, "coverage": scale},
                xmaps=dict.fromkeys(("I1", "I2", "II1", "II2", "III1", "III2"), key),
            )
        )
        result = session.get(Result, (pair_id, evaluation.model_id))
        if result is None:
            raise LookupError(f"pair {pair_id} has no result of model {evaluation.model_id}")
        result.explained = True
    explained.explained_count = len(wanted)
    session.flush()
    evaluation.explained_count = session.scalars(
        select(func.count()).where(
            Result.model_id == evaluation.model_id,
            Result.dataset_id == evaluation.dataset_id,
            Result.explained,
        )
    ).one()
    session.flush()
    return explained


def pack_columns(session: Session) -> None:
    """Pack all rows that are there, as publishing does; without it the site reads the rows."""
    for key in session.scalars(select(Dataset.id)):
        columns = pack_pairs(session, key)
        session.add_all(PairColumn(dataset_id=key, name=n, data=d) for n, d in columns.items())
    for evaluation in session.scalars(select(Evaluation)):
        keys = {"dataset_id": evaluation.dataset_id, "model_id": evaluation.model_id}
        columns = pack_results(session, **keys)
        session.add_all(ResultColumn(**keys, name=n, data=d) for n, d in columns.items())
    session.commit()


def make_demo(session: Session, media: MediaStore | None = None, *, pairs: int = 60) -> None:
    """Add a small whole site: two datasets, three models (one saw one dataset only), X-Maps."""
    alpha = make_dataset(session, "alpha", pairs=pairs, first_id=1, media=media)
    beta = make_dataset(session, "beta", pairs=pairs // 2, first_id=6001, seed=1, media=media)
    first, second, third = (make_model(session, name) for name in ("first", "second", "third"))
    seen = make_evaluation(session, alpha, first, seed=1)
    make_evaluation(session, beta, first, seed=2, missing=0.2)
    make_evaluation(session, alpha, second, seed=3, missing=0.3, steps=10)
    make_evaluation(session, beta, second, seed=4)
    make_evaluation(session, alpha, third, seed=5, steps=5)
    make_explanations(session, seen, range(1, pairs // 3), flat=[2], media=media)
    session.commit()
