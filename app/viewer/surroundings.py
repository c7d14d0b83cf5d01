"""What stands around the stage of a pair: its list, its place among others, a pinned pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.models import Pair, Result
from app.viewer import queries
from app.viewer.context import ViewerContext
from app.viewer.place import Place, place_of
from app.viewer.walk import Walk, walk_from


@dataclass(frozen=True)
class Surroundings:
    """What ``viewer/pair.html`` shows beside the stage.

    Attributes
    ----------
    walk
        The list that the pair was reached from, and the pairs beside it.
    place
        The pair among the training distances of its fold; None where no model judged it.
    pinned
        The pair to compare with; None where there is none.
    agreement
        How far the models agree, in a sentence.
    """

    walk: Walk
    place: Place | None
    pinned: Pair | None
    agreement: str


def surroundings_of(session: Session, context: ViewerContext) -> Surroundings:
    """Read what stands around a pair, in a fixed number of statements."""
    pair, choice, result = context.pair, context.choice, context.result
    return Surroundings(
        walk=walk_from(session, pair, choice.results, result.model_id if result else None),
        place=place_of(session, pair, result) if result else None,
        pinned=queries.fetch_pair(session, choice.pin) if choice.pin else None,
        agreement=agreement_text(context.results),
    )


def agreement_text(results: Sequence[Result]) -> str:
    """Say how many models predict what, and how many of them are right."""
    if not results:
        return "No model has judged this pair yet."
    words = Counter("genuine" if result.prediction else "impostor" for result in results)
    right = sum(result.correct for result in results)
    total = len(results)
    if total == 1:
        return f"One model has judged this pair; it is {'right' if right else 'wrong'}."
    if len(words) == 1:
        both = "Both" if total == 2 else f"All {total}"
        rightly = "rightly" if right else "wrongly"
        return f"{both} models agree on {next(iter(words))}, {rightly}."
    return (
        f"The models disagree: {words['genuine']} of {total} say genuine, {words['impostor']} say "
        f"impostor; {right} {'is' if right == 1 else 'are'} right."
    )
