"""The records that the API sends of pairs, from the dataclasses that hold them."""

from __future__ import annotations

from typing import Final

from app.api.contract import (
    FLAG,
    INTEGER,
    NUMBER,
    TEXT,
    URL,
    by_name,
    fields_of,
    listing,
    maybe,
    record,
    words,
)
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS
from app.explorer.rows import PAIR_FIELDS, RESULT_FIELDS, ModelResult, PairRow

RESULT: Final = record(
    fields_of(ModelResult, RESULT_FIELDS, {c.name: c.help for c in MODEL_COLUMNS.values()}),
    title="Result",
)
_PAIR: Final = fields_of(PairRow, PAIR_FIELDS, {c.name: c.help for c in PAIR_COLUMNS.values()}) | {
    "models": words(by_name(maybe(RESULT)), "Results by model; null where it has none")
}
ROW: Final = record(_PAIR, title="PairRow")
PAIRS: Final = record(
    {
        "rows": listing(ROW),
        "next": words(maybe(URL), "Address of the next page"),
        "previous": words(maybe(URL), "Address of the previous page"),
        "count": words(INTEGER, "How many pairs match; counted up to 10,000"),
        "count_exact": words(FLAG, "Whether there are no more than that"),
        "description": words(TEXT, "The query in words"),
    },
    title="Pairs",
)
PAIR: Final = record(
    {
        **_PAIR,
        "images": listing(
            record({"name": TEXT, "identity": TEXT, "quality": maybe(NUMBER), "url": URL})
        ),
        "mask": words(maybe(URL), "Picture that marks what really differs, where it is known"),
        "note": words(maybe(TEXT), "What is known to be wrong with its label or its images"),
        "links": record({"viewer": URL, "explanations": by_name(URL)}),
    },
    title="Pair",
)
