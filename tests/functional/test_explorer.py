"""The explorer's page, read as HTML: what it shows, and that every link on it leads somewhere."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Element:
    """An element of a page: its tag, attributes and text."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.text = ""

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]


class PageParser(HTMLParser):
    """Collects elements with the text inside them; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert not self._open, [element.tag for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **wanted: str) -> list[Element]:
        names = {name.replace("_", "-").strip("-"): value for name, value in wanted.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag
            and all(value in element.attributes.get(name, "") for name, value in names.items())
        ]


def page(client: FlaskClient, url: str) -> PageParser:
    response = client.get(url)
    assert response.status_code == 200, (url, response.status_code, response.text[:3000])
    return PageParser(response.text)


def test_heading_and_title_say_what_is_shown(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer?dataset=alpha&model=first&first.correct=0&sort=fold")
    (heading,) = shown.all("h1")
    assert heading.text.endswith("Alpha pairs that first gets wrong, sorted by fold, lowest first")
    assert shown.all("title")[0].text.startswith(heading.text)
    rows = shown.all("tr", data_row="")
    assert heading.text.split()[0] == str(len([r for r in rows if "data-row" in r.attributes]))


def test_every_row_shows_two_named_pictures_and_leads_to_its_pair(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer?size=10&dataset=alpha&sort=-id")
    pictures = shown.all("img", loading="lazy")
    assert len(pictures) == 20
    for picture in pictures:
        assert picture["alt"]
        assert (picture["width"], picture["height"], picture["loading"]) == ("56", "56", "lazy")
    assert demo_client.get(pictures[0]["src"]).mimetype == "image/png"
    links = [a for a in shown.all("a") if "data-open" in a.attributes]
    assert [link.text.split()[-1] for link in links] == [str(n) for n in range(60, 50, -1)]
    assert demo_client.get(links[0]["href"]).status_code == 200
    back = dict(parse_qsl(urlsplit(links[0]["href"]).query))["results"]
    assert dict(parse_qsl(back)) == {"size": "10", "dataset": "alpha", "sort": "-id"}


def test_a_row_opens_the_model_that_the_list_is_about(demo_client: FlaskClient) -> None:
    def opened(query: str) -> set[str | None]:
        links = page(demo_client, f"/explorer?{query}").all("a")
        urls = [urlsplit(a["href"]) for a in links if "data-open" in a.attributes]
        return {dict(parse_qsl(url.query)).get("model") for url in urls}

    assert opened("dataset=alpha&sort=-third.confidence&first.correct=1") == {"third"}
    assert opened("dataset=alpha&second.correct=1") == {"second"}
    assert opened("dataset=alpha") == {None}
    # Where the model has not seen a pair, the viewer chooses.
    assert opened("dataset=beta&sort=third.confidence") == {None}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "dataset=alpha&model=second&model=first&sort=-second.confidence,fold&size=10&page=2",
        "first.distance__lt=0.7&identity1__contains=A&fold__in=1,2,3&agree=1&quality1__isnull=0",
        "id=12345",
        "page=9",
    ],
)
def test_every_link_of_a_page_works(demo_client: FlaskClient, query: str) -> None:
    shown = page(demo_client, f"/explorer?{query}")
    urls = {a["href"] for a in shown.all("a")} | {
        a["data-add"] for a in shown.all("a") if "data-add" in a.attributes
    }
    inside = {u for u in urls if u.startswith(("/explorer", "/api/v1/pairs", "/viewer/"))}
    assert inside
    for url in inside:
        assert demo_client.get(url).status_code == 200, url


def test_sorting_by_a_head_turns_and_ends(demo_client: FlaskClient) -> None:
    def head(url: str) -> Element:
        return next(
            a for a in page(demo_client, url).all("a", class_="sort") if a.text.startswith("Fold")
        )

    first = head("/explorer")["href"]
    assert "sort=fold" in first
    second = head(first)["href"]
    assert "sort=-fold" in second
    assert "sort" not in head(second)["href"]
    three = page(demo_client, "/explorer?sort=-first.distance,fold,id")
    sorted_heads = [th for th in three.all("th") if "aria-sort" in th.attributes]
    assert [th["aria-sort"] for th in sorted_heads] == ["descending"]
    badges = [span.text for span in three.all("span", class_="sort-badge")]
    assert sorted(badges) == ["↑2", "↑3", "↓1"]
    added = head("/explorer?sort=-first.distance")["data-add"]
    assert "sort=-first.distance,fold" in added


def test_a_chip_removes_its_condition_and_keeps_the_rest(demo_client: FlaskClient) -> None:
    url = "/explorer?genuine=1&fold__gte=3&sort=-id"
    chips = page(demo_client, url).all("a", class_="chip")
    assert len(chips) == 2
    assert chips[0]["href"] == "/explorer?fold__gte=3&sort=-id"
    assert chips[1]["href"] == "/explorer?genuine=1&sort=-id"


def test_the_form_carries_everything_it_does_not_show(demo_client: FlaskClient) -> None:
    query = [
        ("dataset", "beta"),
        ("model", "second"),
        ("id__gt", "6003"),
        ("identity1__contains", "a"),
        ("identity1__contains", "e"),
        ("second.distance__lte", "1.5"),
        ("sort", "-fold,second.distance"),
        ("size", "30"),
    ]
    shown = page(demo_client, f"/explorer?{urlencode(query)}")
    sent = sent_by(shown, "data-filters")
    assert any(value == "" for _, value in sent)
    response = demo_client.get(f"/explorer/search?{urlencode(sent)}")
    assert response.status_code == 303
    assert sorted(parse_qsl(urlsplit(response.location).query)) == sorted(query)


def sent_by(shown: PageParser, form: str) -> list[tuple[str, str]]:
    """Return what a browser without scripts sends of the form with that attribute."""
    start = next(n for n, e in enumerate(shown.elements) if form in e.attributes)
    sent = []
    select = ""
    for element in shown.elements[start + 1 :]:
        if element.tag == "form":
            break
        name = element.attributes.get("name", "")
        kind = element.attributes.get("type", "")
        if element.tag == "select":
            select = name
        elif element.tag == "option" and "selected" in element.attributes:
            sent.append((select, element["value"]))
        elif (
            element.tag == "input"
            and name
            and element.attributes.get("form") is None
            and (kind != "checkbox" or "checked" in element.attributes)
        ):
            sent.append((name, element.attributes.get("value", "")))
    return sent


def test_a_wrong_entry_in_the_form_is_explained(demo_client: FlaskClient) -> None:
    response = demo_client.get("/explorer/search?fold=x&genuine=")
    assert response.status_code == 400
    assert "fold=&#39;x&#39; is not a whole number" in response.text


def test_a_pair_that_a_model_has_not_seen_says_so(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer?model=third&dataset=beta&size=10")
    cells = shown.all("td", class_="missing")
    assert len(cells) == 10
    assert all(cell["colspan"] == "5" and cell.text == "not evaluated" for cell in cells)


def test_an_empty_list_tells_how_to_relax(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer?genuine=1&first.prediction=impostor&fold=99")
    relax = [a for a in shown.all("a", class_="chip") if a.text.startswith("without")]
    assert len(relax) == 3


def test_an_empty_site_tells_what_to_do(client: FlaskClient) -> None:
    assert "make demo" in client.get("/explorer").text


def test_the_page_links_to_exactly_its_json_and_csv(demo: Flask) -> None:
    client = demo.test_client()
    query = "dataset=alpha&genuine=0&sort=-first.confidence&size=10"
    first = page(client, f"/explorer?{query}")
    following = next(a["href"] for a in first.all("a") if "data-next" in a.attributes)
    shown = page(client, following)
    ids = [a.text.split()[-1] for a in shown.all("a") if "data-open" in a.attributes]
    links = {a.text.split()[0]: a["href"] for a in shown.all("a", class_="btn-small") if a.text}
    rows = json.loads(client.get(links["JSON"]).text)["rows"]
    assert [str(row["id"]) for row in rows] == ids
    lines = client.get(links["CSV"]).text.splitlines()[1:]
    assert [line.split(",")[0] for line in lines][10:20] == ids
    assert len(lines) == 30


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(demo_client: FlaskClient) -> None:
    shown = page(demo_client, "/explorer")
    for element in shown.elements:
        assert "style" not in element.attributes
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("src", "srcset", "action"):
            assert element.attributes.get(name, "/").startswith("/")
    assert all(script["src"] and not script.text for script in shown.all("script"))
    ids = [element["id"] for element in shown.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in shown.all("label") if "for" in label.attributes}
    for field in [*shown.all("select"), *shown.all("input", type="search")]:
        assert field["id"] in labelled
