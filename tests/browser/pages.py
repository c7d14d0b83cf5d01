"""Every page of the site by endpoint: what must hold of all pages is tested on each of these."""

from __future__ import annotations

from typing import Final

PAGES: Final[dict[str, tuple[str, ...]]] = {
    "pages.home": ("/",),
    "pages.models": ("/models",),
    "pages.evaluation": ("/models/first/alpha",),
    "pages.method": ("/method",),
    "pages.api_docs": ("/api/docs",),
    "explorer.index": (
        "/explorer",
        "/explorer?dataset=alpha&model=first&first.correct=0&sort=-first.confidence",
        "/explorer?identity1=nobody",
        "/explorer?column=unknown",
    ),
    "viewer.pair": ("/viewer/1?model=first&method=III", "/viewer/40?model=first"),
}
"""Addresses on the site of ``tests/browser/conftest.py``; errors are pages, too."""

NO_PAGES: Final = {
    "static",
    "media.picture",
    "viewer.picture",
    "explorer.search",
    "pages.progress",
    "pages.healthz",
    "pages.readyz",
    "api.*",
    "explanations.*",
}
"""What answers with data, a picture, or the way to a page."""

PLOTTED: Final = frozenset({"pages.evaluation"})
"""Pages that may load more script than others, for charts to play with."""

ADDRESSES: Final = [address for addresses in PAGES.values() for address in addresses]
