"""The page of a pair, its pictures, the media route and the explanations API."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from app.extensions import db
from app.media import MediaStore
from app.models import Explanation, ExplanationSet, Pair
from compute.occlusion import OcclusionSpec
from compute.xmaps import similarity_map
from tests import factories

MODEL = "first"
ROWS = ["I1", "I2", "II1", "II2", "III"]


def sets_of(client: FlaskClient, pair: int, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/v1/pairs/{pair}/explanations/{MODEL}{query}")
    assert answer.status_code == 200, answer.text
    sets: list[dict[str, Any]] = answer.json["sets"]  # type: ignore[index]
    return sets


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


# ------------------------------------------------------------------------------------ the page


def test_the_page_tells_verdict_and_offers_every_choice(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/1").text

    for name in ("model", "method", "view", "blend", "patch", "normalise", "scale"):
        assert f'name="{name}"' in page
    assert "Pair 1" in page
    assert page.count('data-side="') == 2
    assert 'src="/media/xmaps/' in page


def test_choices_of_the_url_reach_the_pictures_of_the_page(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/1?method=III&view=map&patch=14&blend=40").text

    assert "/viewer/1/2.png?" in page
    assert "method=III&amp;view=map&amp;blend=40&amp;patch=14" in page
    assert 'value="III" checked' in page


def test_neighbours_and_results_keep_the_way_back(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/5?method=II&results=dataset%3Dalpha").text

    assert 'href="/viewer/4?method=II&amp;results=dataset%3Dalpha"' in page
    assert 'href="/viewer/6?method=II&amp;results=dataset%3Dalpha"' in page
    assert 'href="/explorer?dataset=alpha"' in page
    assert "Back to results" in page


def test_the_first_and_the_last_pair_of_a_dataset_have_one_neighbour(
    demo_client: FlaskClient,
) -> None:
    first, last = (demo_client.get(f"/viewer/{pair}").text for pair in (1, 60))

    assert 'rel="prev"' not in first
    assert 'rel="next"' in first
    assert 'rel="next"' not in last


def test_a_pair_that_is_not_explained_shows_the_command(demo_client: FlaskClient) -> None:
    page = demo_client.get(f"/viewer/40?model={MODEL}").text

    assert "flask compute --dataset alpha --model first --stage explain --pairs 40" in page
    assert "data-api" not in page


def test_a_pair_that_no_model_verified_says_so(demo: Flask) -> None:
    with demo.app_context():
        factories.make_dataset(db.session(), "gamma", pairs=4, first_id=50001)
        db.session.commit()

    page = demo.test_client().get("/viewer/50001").text

    assert "Not verified by any model yet" in page
    assert "flask compute --dataset gamma --stage verify" in page


def test_a_flat_pair_is_called_flat(demo_client: FlaskClient) -> None:
    assert "This map is flat" in demo_client.get("/viewer/2").text


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/viewer/999999", 404, "There is no pair 999999"),
        ("/viewer/99999999999999999999", 404, "There is no pair"),
        ("/viewer/1?model=nobody", 404, "There is no model"),
        ("/viewer/1?spec=nothing", 404, "Known are: default"),
        ("/viewer/1?method=IV", 400, "Allowed: I, II, III"),
        ("/viewer/1?patch=9", 400, "no patch size 9"),
        ("/viewer/1?weight_9=2", 400, "no patch size 9"),
        ("/viewer/1/1.png?view=masked&sign=all", 400, "Allowed: similar, dissimilar, absolute"),
        ("/viewer/1/figure.png?weight_7=0&weight_14=0&weight_28=0", 400, "weight 0"),
        ("/viewer/1/3.png", 404, "sides 1 and 2"),
        ("/viewer/1/0.npy", 404, "sides 1 and 2"),
        ("/viewer/40/1.csv?model=first", 404, "not explained"),
        ("/viewer/999999/figure.png", 404, "There is no pair"),
        ("/viewer/40/1.png?model=first", 404, "not explained"),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong(
    demo_client: FlaskClient, url: str, status: int, said: str
) -> None:
    answer = demo_client.get(url)

    assert answer.status_code == status
    assert said in answer.text


# ---------------------------------------------------------------------------------- pictures


def test_the_original_is_the_face_itself(demo: Flask, media: MediaStore) -> None:
    answer = demo.test_client().get("/viewer/1/2.png?view=original")
    with demo.app_context():
        pair = db.session.get_one(Pair, 1)
        face = media.read(pair.image2_row.media)

    assert np.array_equal(pixels(answer.data), pixels(face))


def test_every_choice_changes_the_picture(demo_client: FlaskClient) -> None:
    queries = [
        "",
        "method=II",
        "method=III",
        "view=map",
        "view=original",
        "patch=7",
        "normalise=coverage",
        "scale=shared",
        "blend=50",
        "blend=50&base=grey",
        "sign=similar",
        "sign=absolute",
        "top=30",
        "view=masked",
        "view=map&colours=rdbu",
        "weight_14=5",
        "compare=original",
        "compare=II&split=20",
    ]

    answers = {demo_client.get(f"/viewer/1/1.png?{query}").data for query in queries}

    assert len(answers) == len(queries)


def test_the_picture_does_not_depend_on_the_zoom(demo_client: FlaskClient) -> None:
    assert (
        demo_client.get("/viewer/1/1.png?zoom=9&x=3&y=4").data
        == demo_client.get("/viewer/1/1.png").data
    )


def test_a_figure_holds_both_faces_in_whole_pixels(demo_client: FlaskClient) -> None:
    query = "view=map&method=II&top=40"

    answer = demo_client.get(f"/viewer/1/figure.png?{query}")

    figure = pixels(answer.data)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="xfv-1-first-II-map.png"'
    for side in (1, 2):
        picture = pixels(demo_client.get(f"/viewer/1/{side}.png?{query}").data)
        large = picture.repeat(8, axis=0).repeat(8, axis=1)
        left = 48 + (side - 1) * (8 * 112 + 64)
        top = 48 + 46
        assert np.array_equal(figure[top : top + 896, left : left + 896], large)


def test_a_figure_tells_what_it_shows(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/viewer/1/figure.png?method=II&weight_14=2&sign=similar&blend=70")

    with Image.open(io.BytesIO(answer.data)) as picture:
        words = picture.info["Description"]
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    for said in (
        "Pair 1 of Alpha (genuine, fold 0)",
        "X-Map of method II",
        "Model First: ",
        "confidence ",
        "Explanation set default: patches of 7, 14, 28 px, normalised by count",
        "14 px: 2",
        "similar places only",
        "opacity 70 %",
        "XFV 0.1.0",
    ):
        assert said in words


@pytest.mark.parametrize("pair", [1, 2])
def test_raw_maps_come_back_exactly(demo: Flask, pair: int) -> None:
    client = demo.test_client()
    query = "method=II&normalise=coverage&patch=14&patch=28&view=original"

    answer = client.get(f"/viewer/{pair}/2.npy?{query}")
    table = client.get(f"/viewer/{pair}/2.csv?{query}")

    with demo.app_context():
        model = db.session.scalars(select(ExplanationSet)).one().evaluation.model_id
    row = factories.deviations(pair, model)[ROWS.index("II2")]
    values = np.load(io.BytesIO(answer.data), allow_pickle=False)
    spec = OcclusionSpec()
    expected = similarity_map(row, spec, normalise="coverage", patch_sizes=[14, 28])
    assert values.shape == (112, 112)
    assert values.dtype == np.float64
    if pair == 2:  # the flat one
        assert not values.any()
    else:
        assert np.array_equal(values, expected.values * expected.scale)
    assert np.array_equal(np.loadtxt(io.StringIO(table.text), delimiter=","), values)


def test_bibtex_names_paper_picture_and_address(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/viewer/1/cite.bib?method=III&view=map&zoom=3&results=dataset%3Dx")

    assert answer.mimetype == "text/plain"
    assert "@inproceedings{knoche2023explainable," in answer.text
    assert "@misc{xfv-1-first," in answer.text
    assert "Pair 1: heat map of method III, model First" in answer.text
    assert "url          = {http://localhost/viewer/1?method=III&view=map}," in answer.text
    assert answer.text.count("{") == answer.text.count("}")


def test_alternative_texts_say_what_the_pictures_show(demo_client: FlaskClient) -> None:
    page = demo_client.get("/viewer/1?model=first&method=II&view=map").text

    found = re.search(r'alt="(Right face, [^"]*)"', page)
    assert found
    assert ": heat map of method II, model First; most similar near the " in found[1]
    assert re.search(r"most dissimilar near the [a-z ]+ \(column \d+, row \d+\)$", found[1])


def test_a_picture_is_not_sent_twice(demo_client: FlaskClient) -> None:
    first = demo_client.get("/viewer/1/1.png?view=map")

    again = demo_client.get(
        "/viewer/1/1.png?view=map", headers={"If-None-Match": first.headers["ETag"]}
    )

    assert again.status_code == 304
    assert not again.data


def test_what_really_differs_can_be_outlined(demo: Flask, media: MediaStore) -> None:
    mask = Image.new("L", (112, 112))
    mask.paste(255, (20, 30, 60, 50))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    with demo.app_context():
        db.session.get_one(Pair, 1).mask_media = media.write("masks", buffer.getvalue())
        db.session.commit()
    client = demo.test_client()

    drawn = pixels(client.get("/viewer/1/1.png?mask=1").data)

    assert (drawn[30, 20:60] == (255, 214, 0)).all()
    assert 'name="mask"' in client.get("/viewer/1").text


def test_media_are_sent_once_and_for_ever(demo: Flask) -> None:
    with demo.app_context():
        key = db.session.get_one(Pair, 1).image1_row.media
    client = demo.test_client()

    answer = client.get(f"/media/{key}")
    again = client.get(f"/media/{key}", headers={"If-None-Match": answer.headers["ETag"]})

    assert answer.mimetype == "image/png"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert again.status_code == 304


@pytest.mark.parametrize(
    "key",
    [
        "faces/00/" + 64 * "0" + ".png",
        "../xfv.sqlite3",
        "faces/../../xfv.sqlite3",
        "faces/0/x.png",
        "%2e%2e/xfv.sqlite3",
    ],
)
def test_only_pictures_of_the_store_are_sent(demo_client: FlaskClient, key: str) -> None:
    answer = demo_client.get(f"/media/{key}")

    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]


# --------------------------------------------------------------------------------------- API


def test_deviations_come_back_from_16_bits(demo: Flask) -> None:
    client = demo.test_client()
    (described,) = sets_of(client, 1)

    answer = client.get(described["deviations"]["url"])
    with demo.app_context():
        model = db.session.scalars(select(ExplanationSet)).one().evaluation.model_id
    expected = factories.deviations(1, model)
    values = np.frombuffer(answer.data, "<i2").reshape(5, 1058)

    assert described["deviations"]["rows"] == ROWS
    assert len(answer.data) < 15_000
    assert float(answer.headers["X-Deviation-Scale"]) == described["deviations"]["scale"]
    assert np.abs(values).max() == 32767
    assert np.allclose(
        values * described["deviations"]["scale"],
        expected,
        rtol=0,
        atol=described["deviations"]["scale"],
    )


def test_a_described_set_has_all_that_a_client_needs(demo_client: FlaskClient) -> None:
    (described,) = sets_of(demo_client, 1, "?spec=default")

    assert described["name"] == "default"
    assert described["status"] == "ok"
    assert described["count"] == 1058
    assert described["spec"] == factories.SPEC
    assert described["deviations"]["dtype"] == "int16"
    assert described["deviations"]["byteorder"] == "little"
    for scales in (described["scales"], described["shared_scales"]):
        assert sorted(scales) == ["count", "coverage"]
        assert sorted(scales["count"]) == sorted(ROWS)
    assert sorted(described["xmaps"]) == sorted(["I1", "I2", "II1", "II2", "III1", "III2"])
    assert demo_client.get(described["xmaps"]["III2"]).mimetype == "image/png"


def test_the_shared_scale_is_the_largest_of_the_set(demo: Flask) -> None:
    (described,) = sets_of(demo.test_client(), 1)
    with demo.app_context():
        every = db.session.scalars(select(Explanation.scales)).all()

    for normalise in ("count", "coverage"):
        for row in ROWS:
            largest = max(scales[normalise][row] for scales in every)
            assert described["shared_scales"][normalise][row] == pytest.approx(largest)


def test_the_shared_scale_follows_new_pairs(demo: Flask) -> None:
    client = demo.test_client()
    before = sets_of(client, 1)[0]["shared_scales"]["count"]["III"]
    with demo.app_context():
        explained = db.session.scalars(select(ExplanationSet)).one()
        first = db.session.get_one(Explanation, (explained.id, 1))
        scales = {each: dict.fromkeys(ROWS, 7.5) for each in ("count", "coverage")}
        db.session.add(
            Explanation(
                set_id=explained.id,
                pair_id=45,
                status="ok",
                deviations=first.deviations,
                scales=scales,
                xmaps=first.xmaps,
            )
        )
        explained.explained_count += 1
        db.session.commit()

    assert before < 7.5
    assert sets_of(client, 1)[0]["shared_scales"]["count"]["III"] == 7.5


def test_a_flat_pair_has_scale_zero(demo_client: FlaskClient) -> None:
    (described,) = sets_of(demo_client, 2)

    assert described["status"] == "flat"
    assert described["deviations"]["scale"] == 0
    assert set(demo_client.get(described["deviations"]["url"]).data) == {0}


def test_only_the_named_version_is_kept_for_ever(demo_client: FlaskClient) -> None:
    (described,) = sets_of(demo_client, 1)
    plain = demo_client.get(f"/api/v1/pairs/1/explanations/{MODEL}.bin?spec=default")
    named = demo_client.get(described["deviations"]["url"])
    again = demo_client.get(
        f"/api/v1/pairs/1/explanations/{MODEL}.bin",
        headers={"If-None-Match": plain.headers["ETag"]},
    )

    assert plain.data == named.data
    assert plain.headers["Cache-Control"] == "no-cache"
    assert "immutable" in named.headers["Cache-Control"]
    assert again.status_code == 304


def test_a_verified_pair_without_maps_names_its_command(demo_client: FlaskClient) -> None:
    answer = demo_client.get(f"/api/v1/pairs/40/explanations/{MODEL}")

    assert answer.status_code == 200
    assert answer.json == {
        "pair": 40,
        "model": MODEL,
        "sets": [],
        "command": "flask compute --dataset alpha --model first --stage explain --pairs 40",
    }


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("/api/v1/pairs/1/explanations/nobody", 404, "first, second, third"),
        ("/api/v1/pairs/999999/explanations/first", 404, "no pair 999999"),
        ("/api/v1/pairs/999999/explanations/first.bin", 404, "no pair 999999"),
        ("/api/v1/pairs/1/explanations/first?spec=nothing", 404, "Known are: default"),
        ("/api/v1/pairs/1/explanations/first.bin?spec=nothing", 404, "Known are: default"),
        ("/api/v1/pairs/40/explanations/first.bin", 404, "--pairs 40"),
        ("/api/v1/pairs/1/explanations/first?sepc=default", 400, "sepc"),
    ],
)
def test_the_api_names_what_is_missing(
    demo_client: FlaskClient, url: str, status: int, said: str
) -> None:
    answer = demo_client.get(url)

    assert answer.status_code == status
    assert answer.is_json
    assert said in answer.text
