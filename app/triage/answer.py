"""What the form of a review sends: an answer, how certain it is, and when the page was made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.errors import BadQuery
from app.explorer.columns import shown
from app.explorer.query_string import Params
from app.triage.study import read_pair_id

ANSWERS: Final = ("same", "different", "unsure")
CERTAINTIES: Final = (60, 70, 80, 90, 100)
"""Percent, as the form offers them; any whole number from 50 to 100 is taken."""
UNSURE: Final = 50
"""An answer ``unsure`` is a coin toss, whatever certainty came with it."""
LONGEST: Final = 86_400.0
"""Seconds; a page that was open for longer says nothing about how long an answer took."""
FIELDS: Final = ("pair", "answer", "certainty", "sent")


@dataclass(frozen=True)
class Answer:
    """One answer: ``certainty`` in percent, ``sent`` the page's time in ms since 1970, UTC."""

    pair_id: int
    answer: str
    certainty: int
    sent: int | None

    def seconds(self, now: float) -> float | None:
        """Return the time that the answer took, until ``now`` (seconds since 1970, UTC)."""
        if self.sent is None:
            return None
        taken = round(now - self.sent / 1000, 1)
        return taken if 0 <= taken <= LONGEST else None


def read_answer(params: Params) -> Answer:
    """Read the fields of the form; `BadQuery` names what is missing or wrong."""
    found: dict[str, str] = {}
    for name, value in params:
        if name not in FIELDS:
            raise BadQuery(f"Unknown field {shown(name)}.", parameter=name, allowed=FIELDS)
        if name in found:
            raise BadQuery(f"{name} may stand once.", parameter=name)
        found[name] = value
    pair_id = read_pair_id(found.get("pair"), "pair")
    if pair_id is None:
        raise BadQuery("The answer does not say which pair it is about.", parameter="pair")
    answer = found.get("answer", "")
    if answer not in ANSWERS:
        raise BadQuery(
            f"answer={shown(answer)} is not known.",
            parameter="answer",
            value=answer,
            allowed=ANSWERS,
        )
    certainty = UNSURE if answer == "unsure" else _certainty(found.get("certainty", ""))
    sent = found.get("sent", "")
    return Answer(pair_id, answer, certainty, int(sent) if _is_time(sent) else None)


def _certainty(text: str) -> int:
    if not re.fullmatch(r"[0-9]{2,3}", text) or not UNSURE <= int(text) <= 100:
        raise BadQuery(
            f"certainty={shown(text)} is not a whole number of percent from {UNSURE} to 100. Say "
            "how certain you are, or answer unsure.",
            parameter="certainty",
            value=text,
        )
    return int(text)


def _is_time(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,15}", text) is not None
