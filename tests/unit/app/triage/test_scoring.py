"""What reviews are worth, against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.triage.scoring import (
    Judgement,
    Share,
    Whole,
    agreements,
    by_certainty,
    cohens_kappa,
    extrapolate,
    tally,
    wilson,
)


def judged(answer: str, certainty: int = 80, **more: object) -> Judgement:
    """Return an answer on a genuine pair that the machine calls impostor at 0.7: it is wrong."""
    pair = Judgement(1, "Ada", True, False, 0.7, answer, certainty)
    return replace(pair, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "certainty", "joint"),
    [
        ("same", 80, True),  # surer than 0.7: the reviewer decides
        ("same", 60, False),  # less sure: the machine does
        ("same", 70, True),  # a tie goes to the reviewer
        ("different", 100, False),
        ("unsure", 50, False),
    ],
)
def test_the_more_certain_of_the_two_decides(answer: str, certainty: int, joint: bool) -> None:
    assert judged(answer, certainty).joint is joint


def test_unsure_leaves_even_a_coin_toss_to_the_machine() -> None:
    assert judged("unsure", 50, confidence=0.5, prediction=True).joint is True


def test_a_tally_by_hand() -> None:
    judgements = [
        judged("same", 90, pair_id=1),  # machine wrong, reviewer right, both right: mended
        judged("same", 60, pair_id=2),  # machine wrong, reviewer right, machine surer: both wrong
        judged("different", 90, pair_id=3, prediction=True),  # machine right, both wrong: made
        judged("unsure", 50, pair_id=4, prediction=True),  # machine right, both right
        judged("unsure", 50, pair_id=4, reviewer="Bo", prediction=True),
    ]

    found = tally(judgements)

    assert (found.pairs, found.answers) == (4, 5)
    assert found.machine == Share(3, 5)
    assert found.reviewer == Share(2, 3)
    assert found.unsure == 2
    assert found.with_half == pytest.approx(3 / 5)
    assert found.joint == Share(3, 5)
    assert (found.fixed, found.broken) == (1, 1)


def test_a_tally_of_nothing_has_no_shares() -> None:
    found = tally([])

    assert found.machine.value is found.reviewer.value is found.with_half is None
    assert found.joint.interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("hits", "of", "interval"),
    [
        (8, 10, (0.4902, 0.9433)),
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (50, 100, (0.4038, 0.5962)),
        (1, 1, (0.2065, 1.0)),
    ],
)
def test_wilsons_interval(hits: int, of: int, interval: tuple[float, float]) -> None:
    assert wilson(hits, of) == pytest.approx(interval, abs=5e-5)


def test_kappa_by_hand() -> None:
    # 20 times both same, 15 both different, 5 and 10 apart: 0.7 observed, 0.5 by chance.
    one = ["same"] * 25 + ["different"] * 25
    other = ["same"] * 20 + ["different"] * 5 + ["same"] * 10 + ["different"] * 15

    assert cohens_kappa(one, other) == pytest.approx(0.4)
    assert cohens_kappa(["same", "different"], ["different", "same"]) == pytest.approx(-1)
    assert cohens_kappa(["same"] * 3, ["same"] * 3) is None
    assert cohens_kappa(["same"] * 3, ["different"] * 3) == 0


def test_only_shared_pairs_count_for_agreement() -> None:
    found = agreements(
        [
            judged("same", pair_id=1),
            judged("different", pair_id=2),
            judged("same", pair_id=3),
            judged("same", pair_id=1, reviewer="Bo"),
            judged("same", pair_id=2, reviewer="Bo"),
            judged("same", pair_id=9, reviewer="Bo"),
            judged("same", pair_id=5, reviewer="Cy"),
        ]
    )

    (only,) = found
    assert (only.first, only.second, only.alike) == ("Ada", "Bo", Share(1, 2))


def test_certainty_is_set_against_being_right() -> None:
    answers = [judged("same", 60), judged("different", 60), judged("same", 100), judged("unsure")]

    assert by_certainty(answers) == [(60, Share(1, 2)), (100, Share(1, 1))]


def whole() -> Whole:
    """Return 100 pairs, 90 right; of the 20 in the queue, 12 right: outside 78 of 80."""
    return Whole(all=Share(90, 100), queue=Share(12, 20))


def test_what_the_machine_decides_alone() -> None:
    assert whole().rest == Share(78, 80)
    assert whole().coverage == 0.8


def test_a_half_reviewed_queue_is_extrapolated() -> None:
    # Ten of twenty reviewed, eight right together: (78 + 8 + 10 * 0.8) / 100.
    reviewed = [judged("same", 100, pair_id=n, genuine=n < 8) for n in range(10)]

    found = extrapolate(whole(), reviewed)

    assert found is not None
    assert found.value == pytest.approx(0.94)
    assert found.low == pytest.approx((86 + 10 * 0.4901625) / 100, abs=1e-6)
    assert found.high == pytest.approx((86 + 10 * 0.9433178) / 100, abs=1e-6)


def test_a_fully_reviewed_queue_is_no_estimate_any_more() -> None:
    reviewed = [judged("same", 100, pair_id=n, genuine=n < 15) for n in range(20)]

    found = extrapolate(whole(), reviewed)

    assert found is not None
    assert found.low == found.value == found.high == pytest.approx(0.93)


def test_pairs_outside_the_queue_say_nothing_about_it() -> None:
    assert extrapolate(whole(), [judged("same", in_queue=False)]) is None
    assert extrapolate(whole(), []) is None
