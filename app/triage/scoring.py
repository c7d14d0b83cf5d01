"""What reviews are worth: the machine alone, the reviewer alone, both together. Pure functions.

The rule of "both together": **the more certain of the two decides**. The reviewer's certainty, in
percent, stands against the model's confidence (the C-Score); on a tie the reviewer decides, and an
answer ``unsure`` leaves the pair to the machine.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

Z: Final = 1.959963984540054
"""Of the standard normal distribution: 95 % lie within."""


@dataclass(frozen=True)
class Judgement:
    """One reviewer's answer on one pair beside the machine's.

    Attributes
    ----------
    pair_id, reviewer
        What was judged, and by whom.
    genuine
        The truth.
    prediction, confidence
        The machine's decision (true: genuine) and its C-Score when the answer was given.
    answer, certainty
        ``same``, ``different`` or ``unsure``, and percent from 50 to 100.
    machine_shown
        Whether the reviewer saw the machine's decision first.
    in_queue
        Whether the pair belongs to the queue that a report is about.
    """

    pair_id: int
    reviewer: str
    genuine: bool
    prediction: bool
    confidence: float
    answer: str
    certainty: int
    machine_shown: bool = True
    in_queue: bool = True

    @property
    def decision(self) -> bool | None:
        """What the reviewer calls the pair: true for genuine, None for unsure."""
        return None if self.answer == "unsure" else self.answer == "same"

    @property
    def joint(self) -> bool:
        """What both together call the pair: the decision of the more certain."""
        if self.decision is None or self.certainty / 100 < self.confidence:
            return self.prediction
        return self.decision


@dataclass(frozen=True)
class Share:
    """``hits`` of ``of``, and what that says of all that is like it."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson."""
        return wilson(self.hits, self.of)


def wilson(hits: int, of: int, z: float = Z) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion; [0, 1] where nothing was counted.

    It stays within [0, 1] and holds for few cases and for shares near 0 and 1 (E. B. Wilson,
    Probable inference, the law of succession, and statistical inference, JASA 22, 1927).
    """
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == of else min(1.0, middle + half)
    return low, high


@dataclass(frozen=True)
class Tally:
    """What came of a number of answers.

    Attributes
    ----------
    pairs, answers
        How many pairs were answered, and how many answers there are (several reviewers may have
        answered one pair).
    machine, joint
        How many of all answers' pairs the machine gets right alone, and both together.
    reviewer
        How many the reviewer gets right of those that were decided.
    unsure
        Answers that left it open.
    fixed, broken
        Answers on which both together are right where the machine alone is wrong, and wrong where
        it is right.
    """

    pairs: int
    answers: int
    machine: Share
    reviewer: Share
    unsure: int
    joint: Share
    fixed: int
    broken: int

    @property
    def with_half(self) -> float | None:
        """The reviewer's share of all answers, an unsure one counted as half right."""
        return (self.reviewer.hits + self.unsure / 2) / self.answers if self.answers else None


def tally(judgements: Sequence[Judgement]) -> Tally:
    """Count who is right on the pairs of ``judgements``."""
    machine = [each.prediction == each.genuine for each in judgements]
    joint = [each.joint == each.genuine for each in judgements]
    decided = [each for each in judgements if each.decision is not None]
    return Tally(
        pairs=len({each.pair_id for each in judgements}),
        answers=len(judgements),
        machine=Share(sum(machine), len(machine)),
        reviewer=Share(sum(each.decision == each.genuine for each in decided), len(decided)),
        unsure=len(judgements) - len(decided),
        joint=Share(sum(joint), len(joint)),
        fixed=sum(both and not alone for both, alone in zip(joint, machine, strict=True)),
        broken=sum(alone and not both for both, alone in zip(joint, machine, strict=True)),
    )


def by_reviewer(judgements: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    """Return the judgements of each reviewer, by name."""
    groups: dict[str, list[Judgement]] = defaultdict(list)
    for each in judgements:
        groups[each.reviewer].append(each)
    return dict(sorted(groups.items()))


def by_certainty(judgements: Iterable[Judgement]) -> list[tuple[int, Share]]:
    """Return, for every certainty that was given with a decision, how often it was right."""
    groups: dict[int, list[bool]] = defaultdict(list)
    for each in judgements:
        if each.decision is not None:
            groups[each.certainty].append(each.decision == each.genuine)
    return [(level, Share(sum(right), len(right))) for level, right in sorted(groups.items())]


@dataclass(frozen=True)
class Agreement:
    """How alike two reviewers answered the pairs that both saw.

    ``kappa`` is Cohen's, over the three answers: 1 for full agreement, 0 for what chance would
    give; None where both gave one and the same answer throughout, for which it is not defined.
    """

    first: str
    second: str
    alike: Share
    kappa: float | None


def agreements(judgements: Iterable[Judgement]) -> list[Agreement]:
    """Return the agreement of every two reviewers that share a pair, most shared pairs first."""
    answers = {
        name: {each.pair_id: each.answer for each in group}
        for name, group in by_reviewer(judgements).items()
    }
    found = []
    for (first, one), (second, other) in combinations(answers.items(), 2):
        shared = sorted(one.keys() & other.keys())
        if shared:
            alike = Share(sum(one[pair] == other[pair] for pair in shared), len(shared))
            kappa = cohens_kappa([one[p] for p in shared], [other[p] for p in shared])
            found.append(Agreement(first, second, alike, kappa))
    return sorted(found, key=lambda each: -each.alike.of)


def cohens_kappa(one: Sequence[str], other: Sequence[str]) -> float | None:
    """Return Cohen's kappa of two equally long lists of answers; None where not defined."""
    number = len(one)
    observed = sum(a == b for a, b in zip(one, other, strict=True))
    expected = sum(one.count(answer) * other.count(answer) for answer in set(one))
    # In whole numbers: a float would miss that chance alone gives full agreement.
    if expected == number * number:
        return None
    return (observed * number - expected) / (number * number - expected)


@dataclass(frozen=True)
class Whole:
    """The machine on its whole evaluation, and on the queue of the report.

    Attributes
    ----------
    all
        How many pairs it gets right of all.
    queue
        How many it gets right of those in the queue.
    """

    all: Share
    queue: Share

    @property
    def rest(self) -> Share:
        """Right and all outside the queue: what the machine decides alone."""
        return Share(self.all.hits - self.queue.hits, self.all.of - self.queue.of)

    @property
    def coverage(self) -> float | None:
        """The share of pairs that the machine decides alone."""
        return self.rest.of / self.all.of if self.all.of else None


@dataclass(frozen=True)
class Estimate:
    """The accuracy on the whole evaluation, were the queue decided as the reviewed part was."""

    value: float
    low: float
    high: float


def extrapolate(whole: Whole, judgements: Sequence[Judgement]) -> Estimate | None:
    """Estimate the accuracy on all pairs if both together decided the whole queue.

    The machine alone decides the rest of the pairs, which is known. Of the queue, the reviewed
    pairs are known too, and the others are taken to go as those did: within Wilson's interval. So
    the estimate is only as good as the reviewed pairs are typical of the queue.

    Returns
    -------
    Estimate or None
        None where no pair of the queue was reviewed.
    """
    inside = [each for each in judgements if each.in_queue]
    if not inside or not whole.all.of:
        return None
    found = tally(inside)
    seen, unseen = found.pairs, max(whole.queue.of - found.pairs, 0)
    rate = found.joint.hits / found.joint.of

    def accuracy(of_unseen: float) -> float:
        right = whole.rest.hits + seen * rate + unseen * of_unseen
        return right / (whole.rest.of + seen + unseen)

    low, high = found.joint.interval
    return Estimate(accuracy(rate), accuracy(low), accuracy(high))
