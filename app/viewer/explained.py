"""What is explained of one pair by one model, and the command for what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.models import Explanation, ExplanationSet, Pair, Result
from app.viewer import queries
from compute.occlusion import OcclusionSpec


@dataclass(frozen=True)
class ExplainedPair:
    """One explanation set that holds the pair."""

    explanation_set: ExplanationSet
    explanation: Explanation

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.explanation_set.name

    @property
    def spec(self) -> OcclusionSpec:
        """What the images were occluded with."""
        return OcclusionSpec.from_dict(self.explanation_set.spec)


@dataclass(frozen=True)
class Explanations:
    """All that a model's explanation sets say of a pair.

    Attributes
    ----------
    known
        Names of all sets of the model on the pair's dataset.
    holding
        Those that hold the pair, ``default`` first.
    """

    known: tuple[str, ...]
    holding: tuple[ExplainedPair, ...]

    def named(self, spec: str | None) -> ExplainedPair | None:
        """Return the set ``spec``, or the first; None where the pair is not in it yet.

        Raises
        ------
        NotFound
            For a name that no set has.
        """
        if spec is None:
            return self.holding[0] if self.holding else None
        if spec not in self.known:
            listed = ", ".join(self.known) if self.known else "none yet"
            raise NotFound(f"There is no explanation set {spec!r}. Known are: {listed}.")
        return next((each for each in self.holding if each.name == spec), None)


def explanations_of(
    session: Session, pair: Pair, model: str, *, deviations: bool = False
) -> Explanations:
    """Return what ``model`` explains of a pair; the large deviations only on demand."""
    sets = queries.fetch_sets(session, pair, model)
    found = queries.fetch_explanations(session, pair.id, sets, deviations=deviations)
    return Explanations(
        known=tuple(each.name for each in sets),
        holding=tuple(ExplainedPair(each, found[each.id]) for each in sets if each.id in found),
    )


def explain_command(pair: Pair, model: str, *, verified: bool, spec: str | None = None) -> str:
    """Return the command that explains a pair (and first verifies it, where it has no result)."""
    stage = "explain" if verified else "all"
    command = f"flask compute --dataset {pair.dataset.name} --model {model} --stage {stage}"
    if spec not in (None, "default"):
        command += f" --spec {spec}"
    return f"{command} --pairs {pair.id}"


def choose_result(session: Session, results: Sequence[Result], model: str | None) -> Result | None:
    """Return the result of ``model``; without a name, that of the first model that explains it.

    Raises
    ------
    NotFound
        For a model that the platform does not know.
    """
    if model is not None:
        found = next((each for each in results if each.model.name == model), None)
        if found is None:
            queries.fetch_model(session, model)
        return found
    explained = (each for each in results if each.explained)
    return next(explained, results[0] if results else None)
