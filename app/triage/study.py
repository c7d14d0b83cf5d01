"""The state of the triage pages: which pairs, in which order, shown how, to whom."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import LARGEST_INTEGER, find, shown
from app.explorer.query_string import Params

ORDERS: Final = ("least", "mixed")
"""Least sure first; or a fixed order that has nothing to do with the pairs, as for a sample."""
SHOWS: Final = ("first", "after")
"""Whether the machine's decision and maps are there at once, or after one's own answer."""
LIMIT: Final = 0.9
LONGEST_NAME: Final = 40
STUDY: Final = ("dataset", "model", "below", "order", "show", "explained", "reviewer")


class NotEvaluated(BadQuery):
    """The model did not see the dataset."""


@dataclass(frozen=True)
class Study:
    """What a reviewer chose.

    Attributes
    ----------
    dataset, model
        The evaluation whose pairs are reviewed.
    below
        Pairs of a confidence below this are the queue.
    order
        One of `ORDERS`.
    show
        One of `SHOWS`.
    explained
        Whether only pairs with X-Maps are in the queue.
    reviewer
        The name that answers are stored under; empty before one is chosen.
    """

    dataset: Named
    model: Named
    below: float = LIMIT
    order: str = ORDERS[0]
    show: str = SHOWS[0]
    explained: bool = False
    reviewer: str = ""

    def params(self, **more: object) -> Params:
        """Return the URL parameters of this study and ``more``; defaults are left out."""
        found: Params = [("dataset", self.dataset.name), ("model", self.model.name)]
        if self.below != LIMIT:
            found.append(("below", self.below_text))
        found += [
            (name, value)
            for name, value, default in (
                ("order", self.order, ORDERS[0]),
                ("show", self.show, SHOWS[0]),
                ("explained", str(int(self.explained)), "0"),
                ("reviewer", self.reviewer, ""),
            )
            if value != default
        ]
        return found + [(name, str(value)) for name, value in more.items() if value is not None]

    def of(self, reviewer: str) -> Study:
        """Return the same study of another reviewer."""
        return replace(self, reviewer=reviewer)

    @property
    def below_text(self) -> str:
        """The limit as in the URL."""
        return repr(self.below)

    @property
    def is_blind(self) -> bool:
        """Whether reviewers answer before they see the machine's decision."""
        return self.show == "after"


def read_study(
    params: Params, catalogue: Catalogue, *, also: Sequence[str] = (), instead: bool = False
) -> tuple[Study, dict[str, str]]:
    """Read the parameters of a page: the study, and what else the page takes (``also``).

    Dataset and model default to the first that were evaluated. Empty values, which a form without
    scripts sends, are as good as none. With ``instead``, a model that did not see the dataset gives
    way to the first that did.

    Raises
    ------
    NotEvaluated
        For a model that did not see the dataset.
    BadQuery
        For an unknown parameter or value, and where there is no evaluation to review.
    """
    allowed = (*STUDY, *also)
    found: dict[str, str] = {}
    for name, value in params:
        if name not in allowed:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=allowed)
        if name in found:
            raise BadQuery(f"{name} may stand once.", parameter=name)
        found[name] = value
    chosen = {name: value for name, value in found.items() if value}
    dataset, model = _evaluation(chosen, catalogue, instead=instead)
    study = Study(
        dataset=dataset,
        model=model,
        below=_limit(chosen.get("below", repr(LIMIT))),
        order=_one_of("order", chosen, ORDERS),
        show=_one_of("show", chosen, SHOWS),
        explained=_one_of("explained", chosen, ("0", "1")) == "1",
        reviewer=read_name(chosen.get("reviewer", "")),
    )
    return study, {name: chosen[name] for name in also if name in chosen}


def _evaluation(
    chosen: dict[str, str], catalogue: Catalogue, *, instead: bool
) -> tuple[Named, Named]:
    def named(what: str, known: tuple[Named, ...]) -> Named | None:
        name = chosen.get(what)
        return None if name is None else find(name, known, what=what, parameter=what)

    dataset, model = named("dataset", catalogue.datasets), named("model", catalogue.models)
    for candidate in catalogue.datasets if dataset is None else (dataset,):
        models = catalogue.models_of([candidate])
        if models and (model is None or model in models):
            return candidate, model or models[0]
    if dataset is not None and model is not None:
        seen_by = catalogue.models_of([dataset])
        if instead and seen_by:
            return dataset, seen_by[0]
        raise NotEvaluated(
            f"{model.name} was not evaluated on {dataset.name}.",
            parameter="model",
            value=model.name,
            allowed=[each.name for each in seen_by],
        )
    raise BadQuery("Nothing was evaluated yet, so there is nothing to review.")


def _limit(text: str) -> float:
    value = float(text) if re.fullmatch(r"[0-9]*\.?[0-9]+", text) and len(text) < 25 else math.nan
    if not 0.5 < value <= 1:
        raise BadQuery(
            f"below={shown(text)} is not a confidence above 0.5 and up to 1, such as 0.9.",
            parameter="below",
            value=text,
        )
    return value


def _one_of(name: str, chosen: dict[str, str], allowed: Sequence[str]) -> str:
    value = chosen.get(name, allowed[0])
    if value not in allowed:
        raise BadQuery(
            f"{name}={shown(value)} is not known.", parameter=name, value=value, allowed=allowed
        )
    return value


def read_name(text: str) -> str:
    """Return a reviewer's name: as typed, without spaces around it, in Unicode's form NFC.

    Raises
    ------
    BadQuery
        Where it is too long, or holds what cannot be seen (control characters, marks that turn the
        direction of text, line breaks), which would make two names look alike.
    """
    name = unicodedata.normalize("NFC", text.strip())
    if len(name) > LONGEST_NAME:
        raise BadQuery(
            f"The reviewer's name has {len(name)} characters; at most {LONGEST_NAME}.",
            parameter="reviewer",
        )
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"):
            raise BadQuery(
                f"The reviewer's name holds U+{ord(character):04X}, which cannot be seen or "
                "printed. Use letters, digits, marks and spaces.",
                parameter="reviewer",
            )
    return name


def read_pair_id(text: str | None, name: str) -> int | None:
    """Return the id of a pair as a URL spells it; None where it is not there."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST_INTEGER:
        raise BadQuery(f"{name}={shown(text)} is not the id of a pair.", parameter=name, value=text)
    return int(text)
