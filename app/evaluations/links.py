"""From a mark in a chart to the pairs behind it: addresses in the explorer."""

from __future__ import annotations

from dataclasses import dataclass

from app.explorer.urls import pairs_url
from app.models import Evaluation


@dataclass(frozen=True)
class PairLinks:
    """Addresses of the pairs of one evaluation."""

    dataset: str
    model: str

    @classmethod
    def of(cls, evaluation: Evaluation) -> PairLinks:
        """Return the addresses for an evaluation."""
        return cls(evaluation.dataset.name, evaluation.model.name)

    def pairs(self, *conditions: tuple[str, str]) -> str:
        """Return all pairs that meet the conditions, each a parameter of the query grammar."""
        return pairs_url([("dataset", self.dataset), ("model", self.model), *conditions])

    def correct(self, right: int) -> str:
        """Return the pairs that the model gets right (1) or wrong (0)."""
        return self.pairs((f"{self.model}.correct", str(right)))

    def fold(self, fold: int) -> str:
        """Return the pairs of a fold."""
        return self.pairs(("fold", str(fold)))

    def distances(self, low: float, high: float, *, genuine: bool) -> str:
        """Return the pairs of a label with a distance in [low, high), or up to 2 at the end."""
        column = f"{self.model}.distance"
        end = ("lte", "2") if high >= 2 else ("lt", f"{high:.2f}")
        return self.pairs(
            ("genuine", str(int(genuine))),
            (f"{column}__gte", f"{low:.2f}"),
            (f"{column}__{end[0]}", end[1]),
            ("sort", column),
        )

    def confidences(self, low: float, high: float = 1.0) -> str:
        """Return the pairs with a confidence in [low, high), or up to 1 at the end."""
        column = f"{self.model}.confidence"
        conditions = [(f"{column}__gte", f"{low:.2f}")]
        if high < 1:
            conditions.append((f"{column}__lt", f"{high:.2f}"))
        return self.pairs(*conditions, ("sort", column))
