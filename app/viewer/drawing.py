"""One pair with all that its pictures are drawn from, read for a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.errors import BadQuery, NotFound
from app.media import MediaKeyError, MediaStore
from app.models import FaceModel, Pair, Result
from app.viewer import queries
from app.viewer.choices import METHODS, Choice
from app.viewer.deviations import ROWS, quantise, row_name, unpack
from app.viewer.explained import ExplainedPair, choose_result, explain_command, explanations_of
from app.viewer.maps import ShownMap, chosen_map, shown_map
from app.viewer.pictures import draw, outline, read_png
from compute.xmaps import SimilarityMap


@dataclass(frozen=True)
class DrawnPair:
    """A pair, its explanation where one is wanted, and the pictures of both as chosen.

    Attributes
    ----------
    pair
        The pair, with dataset and images.
    choice
        What the URL asks for, patches and weights in their shortest form.
    result
        The verdict of the chosen model; None where only the original faces are wanted.
    explained
        The chosen set with the pair's deviations; None likewise.
    shared
        What ±1 stands for on a shared scale; None on an own one.
    media
        Where the faces lie.
    """

    pair: Pair
    choice: Choice
    result: Result | None
    explained: ExplainedPair | None
    shared: float | None
    media: MediaStore

    @property
    def model(self) -> FaceModel | None:
        """The chosen model."""
        return self.result.model if self.result else None

    def file_name(self, ending: str, *, side: int | None = None, pictured: bool = True) -> str:
        """Return a name for what is taken along: pair, model, method, view and side."""
        parts = ["xfv", str(self.pair.id)]
        if self.explained is not None:
            parts += [self.model.name if self.model else "", self.choice.method]
        if pictured:
            parts.append(self.choice.view)
        if side is not None:
            parts.append("left" if side == 1 else "right")
        return f"{'-'.join(filter(None, parts))}.{ending}"

    def map(self, side: int) -> SimilarityMap:
        """Return the map of one side, from the stored deviations in full precision."""
        return self._map(self._stored.astype(np.float64), self.choice.method, side)

    def shown(self, side: int, method: str | None = None) -> ShownMap:
        """Return the map of one side as it is coloured."""
        found = self._map(self._served, method or self.choice.method, side)
        return shown_map(found, self.choice, shared=self.shared)

    def _map(self, rows: NDArray[np.float64], method: str, side: int) -> SimilarityMap:
        row = rows[ROWS.index(row_name(method, side))]
        return chosen_map(row, self._explained.spec, self.choice)

    @property
    def _explained(self) -> ExplainedPair:
        if self.explained is None:
            raise LookupError("The original faces were read without an explanation.")
        return self.explained

    @cached_property
    def _stored(self) -> NDArray[np.float32]:
        return unpack(self._explained.explanation.deviations, self._explained.spec.count)

    @cached_property
    def _served(self) -> NDArray[np.float64]:
        """The deviations as browsers get them: so their pictures are the same to the pixel."""
        flat = self._explained.explanation.status == "flat"
        quantised = quantise(self._stored, flat=flat)
        return quantised.values.astype(np.float64) * quantised.scale

    def face(self, side: int) -> NDArray[np.uint8]:
        """Return one face, (112, 112, 3) uint8 RGB."""
        image = self.pair.image1_row if side == 1 else self.pair.image2_row
        return self._read(image.media)

    def picture(self, side: int) -> NDArray[np.uint8]:
        """Return one side as chosen, (112, 112, 3) uint8 RGB."""
        choice = self.choice
        pixels = self.face(side)
        if self.explained is not None:
            other = self.shown(side, choice.compare) if choice.compare in METHODS else None
            pixels = draw(pixels, self.shown(side), choice, other=other)
        if choice.mask and self.pair.mask_media:
            pixels = outline(pixels, self._read(self.pair.mask_media, mode="L"))
        return pixels

    def _read(self, key: str, *, mode: str = "RGB") -> NDArray[np.uint8]:
        try:
            return read_png(self.media.read(key), mode=mode)
        except MediaKeyError as error:
            raise NotFound(f"{error} Publish the pair again, or mend XFV_MEDIA_URL.") from error


def read_pair(
    session: Session, media: MediaStore, pair_id: int, choice: Choice, *, map_wanted: bool = True
) -> DrawnPair:
    """Read a pair and its explanation; without ``map_wanted`` the original faces need none.

    Raises
    ------
    NotFound
        For an unknown pair, model or set, and with the command to run where the pair is not
        explained yet.
    BadQuery
        For a patch size or a method that the set does not hold.
    """
    pair = queries.fetch_pair(session, pair_id)
    if not map_wanted and choice.view == "original" and choice.compare in ("none", "original"):
        return DrawnPair(pair, choice, None, None, None, media)
    result = choose_result(session, queries.fetch_results(session, pair.id), choice.model)
    name = result.model.name if result else choice.model
    if name is None:
        raise NotFound(f"Pair {pair.id} is not verified by any model yet.")
    explained = explanations_of(session, pair, name, deviations=True).named(choice.spec)
    if explained is None:
        command = explain_command(pair, name, verified=result is not None, spec=choice.spec)
        raise NotFound(f"Pair {pair.id} is not explained by {name!r} yet. To do so: {command}")
    choice = choice.with_patches_of(explained.spec.patch_sizes)
    _require_method(name, explained.explanation.methods, choice)
    return DrawnPair(
        pair, choice, result, explained, read_shared_scale(session, explained, choice), media
    )


def _require_method(model: str, methods: Sequence[str], choice: Choice) -> None:
    for parameter, value in (("method", choice.method), ("compare", choice.compare)):
        if value in METHODS and value not in methods:
            raise BadQuery(
                f"{model!r} gives distances only, which allow no map of method {value}.",
                parameter=parameter,
                value=value,
                allowed=methods,
            )


def read_shared_scale(session: Session, explained: ExplainedPair, choice: Choice) -> float | None:
    """Return what both sides and all pairs of a set share, for a choice that wants it.

    It is the largest scale of the method, over both sides and the whole set, with all patch sizes
    at their default weights.
    """
    if choice.scale != "shared":
        return None
    scales = queries.fetch_shared_scales(session, explained.explanation_set)[choice.normalise]
    return max(scales[row_name(choice.method, side)] for side in (1, 2))
