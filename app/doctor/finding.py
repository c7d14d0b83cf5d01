"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["right", "absent", "doubtful", "wrong"]
"""``absent`` is not here and not missed yet; ``doubtful`` works, and should be looked at."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    subject
        What was looked at, in a word or two.
    text
        What is so.
    remedy
        What to do about it; empty where nothing needs to be done.
    """

    level: Level
    subject: str
    text: str
    remedy: str = ""
