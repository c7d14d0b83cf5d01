"""Query strings as the site reads and writes them, whatever they ask for.

Nothing is guessed: bytes that are no text, NUL, or more than a server takes is a `BadQuery`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote_plus, urlencode

from app.errors import BadQuery
from app.explorer.columns import shown

MOST_PARAMETERS: Final = 100
MOST_FIELDS: Final = 600
"""Of a form, which sends each tick and each empty field: 500 ticked pairs and what is beside."""
LONGEST_QUERY: Final = 8000
LONGEST_VALUE: Final = 6000
"""Five hundred ids of ten digits; so long may a list be that another page leads back to."""
ROOM: Final = 1000
"""Of a query that carries another one along: what is left for its own parameters."""

Params = list[tuple[str, str]]


def read_query_string(raw: bytes, *, most: int = MOST_PARAMETERS) -> Params:
    """Split a query string; bytes that are not UTF-8 and NUL are refused, never replaced."""
    if len(raw) > LONGEST_QUERY:
        raise BadQuery(f"The query has {len(raw)} bytes; at most {LONGEST_QUERY} are read.")
    try:
        params = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise BadQuery("The query is not text in UTF-8.") from None
    if len(params) > most:
        raise BadQuery(f"The query has {len(params)} parameters; at most {most}.")
    for name, value in params:
        if "\0" in name or "\0" in value:
            raise BadQuery(f"Parameter {shown(name)} holds a NUL byte.", parameter=name)
        if len(value) > LONGEST_VALUE:
            raise BadQuery(
                f"The value of {shown(name)} has {len(value)} characters; at most {LONGEST_VALUE}.",
                parameter=name,
            )
    return params


def values_by_name(
    params: Params, *, single: Iterable[str] = (), repeated: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return the values of each parameter; an unknown one or a second ``single`` is refused.

    Raises
    ------
    BadQuery
        Which names the parameter, and lists those there are.
    """
    once = tuple(single)
    found: dict[str, list[str]] = {name: [] for name in (*once, *repeated)}
    for name, value in params:
        if name not in found:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=found)
        found[name].append(value)
    require_once(params, once)
    return found


def require_once(params: Params, names: Iterable[str]) -> None:
    """Refuse parameters that stand more than once, of those that may not."""
    counts = Counter(name for name, _ in params)
    for name in names:
        if counts[name] > 1:
            raise BadQuery(
                f"{name} stands {counts[name]} times; it may stand once.", parameter=name
            )


def can_be_carried(query: str) -> bool:
    """Return whether a query string can be a value in another one, which leads back to it."""
    encoded = len(query_text([("results", query)]))
    return len(query) <= LONGEST_VALUE and encoded <= LONGEST_QUERY - ROOM


def query_text(params: Params) -> str:
    """Write URL parameters; what reads well unescaped stays readable."""
    return urlencode(params, safe=",:", quote_via=_quoted)


# The hundreds of links of a page say nearly the same.
_quoted = lru_cache(maxsize=1024)(quote_plus)
