"""Curated ways into the explorer: plain URLs of the query grammar."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from app.pages.overview import Overview


@dataclass(frozen=True)
class Collection:
    """A named query."""

    title: str
    about: str
    url: str


def collections_of(overview: Overview) -> list[Collection]:
    """Return the queries that fit the data: around the best model that explains anything."""
    if not overview.rows:
        return []
    row = max(overview.rows, key=lambda each: (each.explained > 0, each.evaluation.accuracy))
    dataset, model = row.dataset.name, row.model.name

    def url(*parameters: tuple[str, str]) -> str:
        start = (("dataset", dataset), ("model", model))
        return "/explorer?" + urlencode([*start, *parameters])

    collections = [
        Collection(
            "Hardest false accepts",
            f"Different people whom {row.model.title} is surest to be the same",
            url(("genuine", "0"), (f"{model}.correct", "0"), ("sort", f"{model}.distance")),
        ),
        Collection(
            "Hardest false rejects",
            f"The same person, and {row.model.title} puts the two pictures furthest apart",
            url(("genuine", "1"), (f"{model}.correct", "0"), ("sort", f"-{model}.distance")),
        ),
        Collection(
            "Least sure",
            "Pairs at the threshold, where the prediction is nearly a coin toss",
            url(("sort", f"{model}.confidence")),
        ),
        Collection(
            "Explained pairs",
            "Only pairs with maps to look at",
            url((f"{model}.explained", "1"), ("sort", f"{model}.confidence")),
        ),
    ]
    others = [r.model.name for r in overview.rows if r.dataset.name == dataset]
    if len(others) > 1:
        query = [("dataset", dataset), *(("model", name) for name in others), ("agree", "0")]
        collections.append(
            Collection(
                "Where models disagree",
                "One says the same, another different: the best place to compare maps",
                "/explorer?" + urlencode(query),
            )
        )
    return collections
