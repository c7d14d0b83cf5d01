"""The page of the method: the rule of its gallery, its figures, and the page without any data."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image as Picture
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.errors import BadQuery
from app.extensions import db
from app.media import MediaStore
from app.models import Dataset, Evaluation, Explanation, FoldScore, Result
from app.pages.gallery import fetch_gallery
from app.pages.illustrations import PATCHES
from app.pages.score import draw_score
from tests import factories


def evaluation_of(session: Session, model: str, dataset: str) -> Evaluation:
    return session.scalars(
        select(Evaluation)
        .join(Evaluation.model)
        .join(Evaluation.dataset)
        .where(Dataset.name == dataset, Evaluation.model.has(name=model))
    ).one()


# ------------------------------------------------------------------------------------- gallery


def test_the_gallery_shows_the_surest_right_pairs(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        found = fetch_gallery(session, None)
        assert found is not None
        model = evaluation_of(session, "first", "alpha").model_id
        rows = session.execute(
            select(Result.pair_id, Result.confidence, Result.prediction)
            .join(Explanation, Explanation.pair_id == Result.pair_id)
            .where(Result.model_id == model, Result.correct, Explanation.status == "ok")
        ).all()

    best = sorted(rows, key=lambda row: (-row.confidence, row.pair_id))
    genuine, impostor = (
        [row.pair_id for row in best if row.prediction == flag][:3] for flag in (True, False)
    )
    assert [each.pair.id for each in found.genuine] == genuine
    assert [each.pair.id for each in found.impostor] == impostor
    assert [each.pair.id for each in found.compared] == [*genuine[:2], impostor[0]]
    assert 2 not in genuine + impostor  # flat: there is nothing to see


def test_equally_sure_pairs_come_by_id(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        model = evaluation_of(session, "first", "alpha").model_id
        for result in session.scalars(select(Result).where(Result.model_id == model)):
            result.confidence, result.correct = 1.0, True
        session.commit()
        found = fetch_gallery(session, "alpha")

    assert found is not None
    assert [each.pair.id for each in found.genuine] == [1, 3, 5]
    assert [each.pair.id for each in found.impostor] == [4, 6, 8]


def test_the_demo_comes_first_and_the_most_accurate_model_that_explains(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        own = factories.make_dataset(session, "demo", pairs=20, first_id=30001)
        for name, accuracy in (("second", 0.7), ("third", 0.9)):
            model = evaluation_of(session, name, "alpha").model
            made = factories.make_evaluation(session, own, model, seed=3)
            made.accuracy = accuracy
            factories.make_explanations(session, made, range(30001, 30021))
        session.commit()
        found = fetch_gallery(session, None)
        assert found is not None
        assert found.datasets == ("alpha", "demo")
        assert found.evaluation.dataset.name == "demo"
        assert found.evaluation.model.name == "third"


def test_a_dataset_without_explanations_is_refused(demo: Flask) -> None:
    with demo.app_context(), pytest.raises(BadQuery, match=r"'beta'.*Allowed: alpha"):
        fetch_gallery(db.session(), "beta")


# ------------------------------------------------------------------------------------ the page


def test_the_page_holds_all_ten_equations_and_every_option(client: FlaskClient) -> None:
    page = client.get("/method").text

    assert [int(n) for n in re.findall(r'id="eq(\d+)"', page)] == list(range(1, 11))
    assert page.count("<math") == 10
    for option in ("published", "full", "circle", "noise", "coverage", "shared", "1,058", "1,130"):
        assert option in page
    assert "Nothing is explained on this site yet" in page
    assert "/viewer/" not in page


def test_the_page_says_whose_pairs_it_shows_and_by_which_rule(demo_client: FlaskClient) -> None:
    page = demo_client.get("/method?dataset=alpha").text

    assert re.search(r"dataset <strong>Alpha</strong>, model <strong>First</strong>", page)
    assert "surest of" in page
    pictures = set(re.findall(r'src="(/(?:viewer|method|media)/[^"]+)"', page))
    assert len([url for url in pictures if "/method/patches/" in url]) == len(PATCHES)
    for url in pictures:
        answer = demo_client.get(url.replace("&amp;", "&"))
        assert answer.status_code == 200, url
        assert Picture.open(io.BytesIO(answer.data)).size == (112, 112)


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/method?dataset=beta", 400, "alpha"),
        ("/method?colour=red", 400, "colour"),
        ("/method/patches/1/star.png", 404, "black, gray"),
        ("/method/patches/99999/black.png", 404, "99999"),
    ],
)
def test_what_is_not_there_is_named(
    demo_client: FlaskClient, path: str, status: int, named: str
) -> None:
    answer = demo_client.get(path)

    assert answer.status_code == status
    assert named in answer.text


def test_a_patch_is_drawn_on_the_face_of_the_pair(
    demo_client: FlaskClient, media: MediaStore
) -> None:
    answer = demo_client.get("/method/patches/1/white.png")
    again = demo_client.get(
        "/method/patches/1/white.png", headers={"If-None-Match": answer.headers["ETag"]}
    )

    pixels = np.asarray(Picture.open(io.BytesIO(answer.data)))
    assert (pixels[40:68, 40:68] == 255).all()
    assert not (pixels == 255).all()
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/", "/method", "/api/docs"])
def test_a_page_is_a_fixed_number_of_statements(demo: Flask, path: str) -> None:
    counts = []
    client = demo.test_client()
    for pairs in (0, 40):
        with demo.app_context():
            if pairs:
                more = factories.make_dataset(db.session(), "gamma", pairs=40, first_id=50001)
                model = evaluation_of(db.session(), "first", "alpha").model
                made = factories.make_evaluation(db.session(), more, model)
                factories.make_explanations(db.session(), made, range(50001, 50030))
                db.session.commit()
            client.get(path)  # counts of an evaluation are read once and kept
            statements: list[str] = []
            listen = lambda *args, to=statements: to.append(args[2])  # noqa: E731
            event.listen(db.engine, "before_cursor_execute", listen)
            assert client.get(path).status_code == 200
            event.remove(db.engine, "before_cursor_execute", listen)
        counts.append(len([s for s in statements if s.lstrip().startswith("SELECT")]))

    assert counts[0] == counts[1] <= 20


# ------------------------------------------------------------------------------------- C-Score


def test_the_score_figure_counts_the_training_folds_only(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        evaluation = evaluation_of(session, "first", "alpha")
        figure = draw_score(session, evaluation)

    assert figure is not None
    assert figure.fold.fold == 0
    assert sum(bar.count for bar in figure.genuine) == 27  # 30 genuine pairs, 3 in the fold
    assert sum(bar.count for bar in figure.impostor) == 27
    assert figure.dots.count("h0") <= 54


def test_an_evaluation_without_folds_has_no_score_figure(demo: Flask) -> None:
    with demo.app_context():
        session = db.session()
        evaluation = evaluation_of(session, "first", "alpha")
        for fold in session.scalars(select(FoldScore).filter_by(evaluation_id=evaluation.id)):
            session.delete(fold)
        session.commit()

        assert draw_score(session, evaluation) is None
