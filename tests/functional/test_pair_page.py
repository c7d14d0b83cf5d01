"""Around the stage of a pair: its list, its place, all models; and the comparison grid."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import unescape
from typing import Final

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import event, select

from app.extensions import db
from app.media import MediaStore
from app.models import Evaluation, Explanation, FaceModel, Result
from app.viewer.agreement import rank_correlations
from app.viewer.surroundings import agreement_text
from tests import factories

GRID = "/viewer/1/compare"


@pytest.fixture
def compared(demo: Flask, media: MediaStore) -> FlaskClient:
    """Return a client of a site where three models judge pair 1 and two explain it."""
    with demo.app_context():
        evaluation = db.session.scalars(
            select(Evaluation).join(FaceModel).where(FaceModel.name == "third")
        ).one()
        factories.make_explanations(db.session(), evaluation, [1, 3], media=media, seed=4)
        db.session.commit()
    return demo.test_client()


def hrefs(page: str, pattern: str) -> list[str]:
    return [unescape(each) for each in re.findall(f'href="({pattern}[^"]*)"', page)]


def sources(page: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'<img class="pixels" src="([^"]*)"', page)]


def pixels(client: FlaskClient, url: str) -> np.ndarray:
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.text[:300])
    with Image.open(io.BytesIO(answer.data)) as picture:
        return np.asarray(picture.convert("RGB"))


def statements_of(app: Flask, act: Callable[[], object]) -> int:
    count = 0

    def listen(*_: object) -> None:
        nonlocal count
        count += 1

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", listen)
    act()
    event.remove(engine, "before_cursor_execute", listen)
    return count


# -------------------------------------------------------------------------------- the list


def test_neighbours_follow_the_sort_of_the_results(demo: Flask) -> None:
    client = demo.test_client()
    rows = client.get("/api/v1/pairs?dataset=alpha&sort=-first.confidence&size=60").json
    assert rows is not None
    ids = [row["id"] for row in rows["rows"]]

    page = client.get(
        f"/viewer/{ids[20]}?method=II&results=dataset%3Dalpha%26sort%3D-first.confidence"
    ).text

    assert f'href="/viewer/{ids[19]}?method=II&amp;results=' in page
    assert f'href="/viewer/{ids[21]}?method=II&amp;results=' in page
    assert "21 of 60" in page
    assert re.search(rf'<link rel="prefetch" href="/viewer/{ids[21]}\?', page)
    assert page.count('<link rel="prefetch" as="image" href="/media/faces/') == 4


def test_without_results_the_list_is_the_dataset(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/6005").text

    assert 'rel="prev" href="/viewer/6004"' in page
    assert 'rel="next" href="/viewer/6006"' in page
    assert "5 of 30" in page


def test_a_pair_outside_the_results_says_so_and_offers_ways_out(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/2?method=II&results=dataset%3Dalpha%26genuine%3D1").text

    assert "Pair 2 is not among these results" in page
    assert 'href="/explorer?dataset=alpha&amp;genuine=1"' in page
    assert 'href="/viewer/2?method=II"' in page
    assert 'rel="next"' not in page


UNREADABLE: Final = [
    ("foo%3D1", "Unknown parameter"),
    ("sort%3Dnobody.distance", "Unknown model"),
    ("dataset%3Dalpha%26after%3Dxyz", "cursor cannot be used"),
]


@pytest.mark.parametrize("path", ["/viewer/1", GRID])
def test_results_that_cannot_be_read_are_told(demo_client: FlaskClient, path: str) -> None:
    for results, said in UNREADABLE:
        answer = demo_client.get(f"{path}?results={results}")

        assert answer.status_code == 400
        assert "The list that" in answer.text
        assert said in unescape(answer.text)
        assert "/viewer/1" in answer.text


def test_the_page_is_a_fixed_number_of_statements(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/viewer/1?model=first")

    def count(url: str) -> int:
        return statements_of(demo, lambda: client.get(url))

    inside = [count(f"/viewer/{pair}?model=first") for pair in (5, 12, 19)]

    assert len(set(inside)) == 1
    assert inside[0] <= 20


# ----------------------------------------------------------------------- place and all models


def test_the_place_is_drawn_and_told_in_figures(demo: Flask) -> None:
    with demo.app_context():
        first = db.session.scalars(select(FaceModel).where(FaceModel.name == "first")).one()
        distance = db.session.get_one(Result, (1, first.id)).distance
    page = demo.test_client().get("/viewer/1?model=first").text

    assert "Where this pair stands" in page
    assert f"= {distance:.4f}" in page
    assert "27 genuine and 27 impostor pairs" in page
    assert "few pairs" in page
    assert "<dt>Threshold <var>t</var></dt><dd>0.700000</dd>" in page
    assert page.count('class="plot ') == 2
    assert "<details" in page
    assert "The histogram in numbers" in page


def test_a_pair_that_no_model_judged_has_no_place(demo: Flask) -> None:
    with demo.app_context():
        factories.make_dataset(db.session(), "gamma", pairs=4, first_id=50001)
        db.session.commit()
    client = demo.test_client()

    assert "Where this pair stands" not in client.get("/viewer/50001").text
    grid = client.get("/viewer/50001/compare").text
    assert "No model has judged this pair yet" in grid
    assert "flask compute --dataset gamma --stage verify" in grid


def test_all_models_stand_in_a_table_by_name(compared: FlaskClient) -> None:
    page = compared.get("/viewer/1?model=first&patch=14&method=II").text
    table = page[page.index("All models on this pair") :]

    names = re.findall(r'<th scope="row"><a href="[^"]*"[^>]*>([^<]*)</a>', table)

    assert names == sorted(names)
    assert 'href="/viewer/1?model=third&amp;method=II"' in table
    assert 'href="/models/third/alpha"' in table


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], "No model has judged this pair yet."),
        ([(True, True)], "One model has judged this pair; it is right."),
        ([(True, False), (True, False)], "Both models agree on genuine, wrongly."),
        ([(False, True)] * 3, "All 3 models agree on impostor, rightly."),
        (
            [(True, True), (False, False), (True, True)],
            "The models disagree: 2 of 3 say genuine, 1 say impostor; 2 are right.",
        ),
    ],
)
def test_agreement_in_words(verdicts: list[tuple[bool, bool]], said: str) -> None:
    results = [Result(prediction=prediction, correct=correct) for prediction, correct in verdicts]

    assert agreement_text(results) == said


# ------------------------------------------------------------------------------------ the grid


def test_models_are_columns_and_methods_are_rows(compared: FlaskClient) -> None:
    page = compared.get(f"{GRID}?model=third&model=first").text

    heads = re.findall(r'<th scope="col">([^<]*)</th>', page.partition("compare-verdicts")[0])
    rows = re.findall(r'<th scope="row">(Method I*)', page)

    assert heads == ["Third", "First"]
    assert rows == ["Method I", "Method II", "Method III"]
    assert len(sources(page)) == 2 * 3 * 2
    assert hrefs(page, "/viewer/1\\?model=first&amp;method=II")


def test_at_first_there_are_at_most_four_models_those_with_maps_before_others(
    demo: Flask, media: MediaStore
) -> None:
    with demo.app_context():
        alpha = db.session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
        assert alpha is not None
        for name in ("abc", "def", "ghi"):
            model = factories.make_model(db.session(), name)
            factories.make_evaluation(db.session(), alpha.dataset, model)
        db.session.commit()
    page = demo.test_client().get("/viewer/3/compare").text

    heads = re.findall(r'<th scope="col">([^<]*)</th>', page)

    assert len(heads) == 4
    assert "First" in heads
    assert page.count('name="model"') >= 5


def test_every_picture_of_the_grid_is_there_and_every_panel_leads_to_it(
    compared: FlaskClient,
) -> None:
    query = "view=map&normalise=coverage&model=first"
    page = compared.get(f"{GRID}?{query}").text

    urls = sources(page)
    panels = hrefs(page, '/viewer/1\\?[^"]*method=III|/viewer/1\\?model=first')

    assert all(pixels(compared, url).shape == (112, 112, 3) for url in urls)
    assert urls[0] == "/viewer/1/1.png?model=first&spec=default&view=map&normalise=coverage"
    # The panel shows what the viewer shows.
    viewer = compared.get(panels[0]).text
    assert urls[0] in unescape(viewer)


def test_on_a_shared_scale_the_largest_map_of_a_method_is_one(compared: FlaskClient) -> None:
    page = compared.get(f"{GRID}?model=first&model=third&scale=shared&view=map&method=I").text

    urls = sources(page)
    limits = {url.partition("limit=")[2] for url in urls}

    assert len(urls) == 4
    assert len(limits) == 1
    own = [url.replace("/compare/", "/").partition("&scale=")[0] for url in urls]
    same = [np.array_equal(pixels(compared, a), pixels(compared, b)) for a, b in zip(urls, own)]  # noqa: B905
    assert sum(same) == 1
    assert "= " in page.partition("compare-scale")[2][:80]


def test_a_pinned_pair_stays_above_and_while_walking(compared: FlaskClient) -> None:
    page = compared.get(f"{GRID}?model=first&pin=3&method=I").text

    assert "Pair 1 beside pair 3" in page
    rows = re.findall(r'<th scope="row">(Pinned|This pair|Method I)<span[^>]*>([^<]*)', page)
    assert [row[1] for row in rows] == [
        "pair 3, genuine",
        "pair 1, genuine",
        "pinned, pair 3",
        "pair 1",
    ]
    assert hrefs(page, "/viewer/2/compare\\?model=first&amp;method=I&amp;pin=3")
    assert hrefs(page, "/viewer/1/compare\\?model=first&amp;method=I&quot;|/viewer/1/compare")
    walked = compared.get("/viewer/2?pin=3").text
    assert "Pinned: " in walked
    assert hrefs(walked, "/viewer/2/compare\\?pin=3")
    assert 'name="pin" value="3"' in walked


def test_a_pinned_pair_may_be_of_another_dataset(compared: FlaskClient) -> None:
    page = compared.get(f"{GRID}?pin=6001").text

    assert "Pair 1 beside pair 6001" in page
    assert "not verified" in page  # the third model never saw that dataset
    assert "flask compute --dataset beta --model third --stage all --pairs 6001" in page


def test_what_is_not_explained_says_what_to_run(compared: FlaskClient) -> None:
    page = compared.get("/viewer/40/compare?model=second").text

    assert "not explained" in page
    assert "flask compute --dataset alpha --model second --stage explain --pairs 40" in page


def test_choices_without_a_field_ride_along(compared: FlaskClient) -> None:
    query = "sign=similar&patch=14&compare=original&results=dataset%3Dalpha&pin=3"
    page = compared.get(f"{GRID}?{query}").text

    for name, value in (("compare", "original"), ("results", "dataset=alpha"), ("pin", "3")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in page
    for name, value in (("sign", "similar"), ("patch", "14")):
        assert f'name="{name}" value="{value}" checked>' in page
        assert f'<input type="hidden" name="{name}"' not in page
    assert "sign=similar&compare=original&patch=14" in sources(page)[0]


@pytest.mark.parametrize(
    ("form", "address"),
    [
        (
            "/viewer/1/choose?model=first&method=I&view=xmap&blend=100&zoom=0&x=56&y=56&sign=all"
            "&top=100&scale=own&patch=7&patch=14&patch=28&weight_7=1&weight_14=2&weight_28=1",
            "/viewer/1?model=first&weight_14=2",
        ),
        (
            f"{GRID}/choose?model=first&model=third&method=I&method=II&method=III&view=map"
            "&blend=100&patch=7&patch=14&patch=28&weight_7=1&pin=3",
            f"{GRID}?model=first&model=third&view=map&pin=3",
        ),
    ],
)
def test_a_form_leads_to_the_address_without_usual_values(
    compared: FlaskClient, form: str, address: str
) -> None:
    answer = compared.get(form)

    assert answer.status_code == 303
    assert answer.location == address


def test_models_that_explain_a_pair_are_told_to_agree(compared: FlaskClient) -> None:
    page = compared.get(f"{GRID}?model=first&model=third&method=II&view=map").text
    said = float(re.findall(r'<td class="num">(0\.\d\d|−0\.\d\d)</td>', page)[0].replace("−", "-"))

    maps = {
        (model, side): np.load(
            io.BytesIO(compared.get(f"/viewer/1/{side}.npy?model={model}&method=II").data)
        )
        for model in ("first", "third")
        for side in (1, 2)
    }
    of_sides = [rank_correlations([maps["first", s], maps["third", s]])[0, 1] for s in (1, 2)]
    assert said == pytest.approx(np.mean(of_sides), abs=0.006)
    alone = compared.get(f"{GRID}?model=first").text
    assert "It takes two models" in alone


def test_what_no_model_explains_is_told_once_a_model(compared: FlaskClient) -> None:
    page = compared.get("/viewer/40/compare?model=first&model=third").text

    assert page.count("<summary>not explained") == 2
    assert "Method I" not in page


def test_a_grid_is_taken_along_as_one_figure(compared: FlaskClient) -> None:
    query = "model=first&model=third&method=I&method=III&view=map&scale=shared&pin=3"
    link = hrefs(compared.get(f"{GRID}?{query}").text, f"{GRID}/figure.png")[0]
    answer = compared.get(unescape(link))

    name = "xfv-1-beside-3-first-third-I-III-map.png"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    with Image.open(io.BytesIO(answer.data)) as picture:
        words = picture.info["Description"]
        figure = np.asarray(picture.convert("RGB"))
    for said in (
        "Pair 1, ",
        "Pair 3, ",
        "Heat map of each method",
        "one scale per method",
        "Spearman",
    ):
        assert said in words
    # The first face of the pair itself, three pixels wide each, is the picture of the page.
    page = compared.get(f"{GRID}?{query}").text
    face = pixels(compared, next(url for url in sources(page) if url.startswith("/viewer/1/")))
    large = face.repeat(3, axis=0).repeat(3, axis=1)
    top = 48 + 46 + 2 * (46 + 72) + 3 * 112 + 52
    assert np.array_equal(figure[top : top + 336, 328 : 328 + 336], large)


WRONG: Final = [
    ("/viewer/999999/compare", 404, "There is no pair 999999"),
    (f"{GRID}?pin=999999", 404, "There is no pair 999999"),
    ("/viewer/1?pin=999999", 404, "There is no pair 999999"),
    (f"{GRID}?pin=x", 400, "expected the id of a pair"),
    (f"{GRID}?model=nobody", 404, "There is no model"),
    (f"{GRID}?spec=nothing", 404, "Known are: default"),
    (f"{GRID}?method=IV", 400, "Allowed: I, II, III"),
    (f"{GRID}?patch=9", 400, "no patch size 9"),
    (f"{GRID}?foo=1", 400, "Unknown parameter"),
    (GRID + "?" + "&".join(f"model=m{i}" for i in range(13)), 400, "at most 12"),
    (f"{GRID}/1.png?limit=nan", 400, "expected what ±1 stands for"),
    (f"{GRID}/1.png?model=first", 400, "expected what ±1 stands for"),
    (f"{GRID}/3.png?limit=1", 404, "sides 1 and 2"),
]


def test_a_wrong_address_is_told_what_is_wrong(demo_client: FlaskClient) -> None:
    for url, status, said in WRONG:
        answer = demo_client.get(url)

        assert answer.status_code == status, url
        assert said in unescape(answer.text), url


def test_more_models_are_no_more_statements(demo: Flask, compared: FlaskClient) -> None:
    compared.get(GRID)

    def count(query: str) -> int:
        return statements_of(demo, lambda: compared.get(f"{GRID}?{query}"))

    assert count("model=first") == count("model=first&model=second&model=third")
    assert count("model=first&pin=3") == count("model=first&model=third&pin=3&scale=shared")


def test_a_flat_pair_is_drawn_flat_in_the_grid(compared: FlaskClient, demo: Flask) -> None:
    with demo.app_context():
        assert db.session.scalars(select(Explanation).where(Explanation.pair_id == 2)).one()

    page = compared.get("/viewer/2/compare?model=first&scale=shared").text

    assert "Flat: hiding any place changed nothing" in page
    assert pixels(compared, sources(page)[0]).shape == (112, 112, 3)
