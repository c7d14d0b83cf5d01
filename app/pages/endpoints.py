"""What the API answers, read off the routes themselves."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

API = "/api/v1/"


@dataclass(frozen=True)
class Endpoint:
    """An address of the API and the first sentence of what answers it."""

    path: str
    words: str


def describe_endpoints(app: Flask) -> list[Endpoint]:
    """Return every address of the API, sorted."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API):
            doc = app.view_functions[rule.endpoint].__doc__ or ""
            found.append(Endpoint(rule.rule, doc.strip().split("\n")[0].replace("``", "")))
    return sorted(found, key=lambda endpoint: endpoint.path)
