"""Every page of the site by endpoint: what must hold of all pages is tested on each of these."""

from __future__ import annotations

from typing import Final

PAGES: Final[dict[str, tuple[str, ...]]] = {
    "pages.home": ("/",),
    "evaluations.leaderboard": ("/models", "/models?sort=-ece"),
    "evaluations.evaluation": ("/models/first/alpha",),
    "pages.method": ("/method",),
    "docs.page": ("/api/docs",),
    "data.data": ("/data",),
    "data.release": ("/data/alpha/first/1.0.0",),
    "explorer.index": (
        "/explorer",
        "/explorer?dataset=alpha&model=first&first.correct=0&sort=-first.confidence",
        "/explorer?identity1=nobody",
        "/explorer?column=unknown",
    ),
    "explorer.summary": ("/explorer/summary?genuine=1",),
    "viewer.pair": ("/viewer/1?model=first&method=III", "/viewer/40?model=first"),
    "comparison.compare": ("/viewer/1/compare?pin=3&scale=shared",),
    "triage.setup": ("/triage?dataset=alpha&model=first",),
    "triage.queue": ("/triage/queue?dataset=alpha&model=first&reviewer=Axe",),
    "triage.report": ("/triage/report?dataset=alpha&model=first",),
}
"""Addresses on the site of ``tests/browser/conftest.py``; errors are pages, too."""

NO_PAGES: Final = {
    "static",
    "media.picture",
    "comparison.choose",
    "comparison.figure",
    "comparison.picture",
    "data.file",
    "data.releases",
    "docs.document",
    "evaluations.figures",
    "explorer.search",
    "explorer.basket",
    "pages.patch",
    "pages.progress",
    "pages.healthz",
    "pages.readyz",
    "plotly.serve",
    "triage.answer",
    "viewer.array",
    "viewer.choose",
    "viewer.cite",
    "viewer.figure",
    "viewer.picture",
    "viewer.table",
    "api.*",
    "explanations.*",
    "reviews.*",
}
"""What answers with data, a picture, or the way to a page."""

PLOTTED: Final = frozenset({"evaluations.evaluation"})
"""Pages that may load more script than others, for charts to play with."""

ADDRESSES: Final = [address for addresses in PAGES.values() for address in addresses]
