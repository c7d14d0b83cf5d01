"""The state of the viewer: every choice is a parameter of its URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from app.errors import BadQuery

METHODS: Final = ("I", "II", "III")
VIEWS: Final = ("xmap", "map", "masked", "original")
SIGNS: Final = ("all", "similar", "dissimilar", "absolute")
BASES: Final = ("colour", "grey")
COLOURS: Final = ("piyg", "rdbu")
NORMALISATIONS: Final = ("count", "coverage")
SCALES: Final = ("own", "shared")
COMPARISONS: Final = ("none", "original", "xmap", "map", *METHODS)
LARGEST_ZOOM: Final = 16
LARGEST_WEIGHT: Final = 100.0
TOP_OF_MASK: Final = 20
"""Per cent of the picture that a masked view leaves, where the URL does not say."""

_STAGE: Final = ("zoom", "x", "y", "pin")
"""How the stage is looked at and what stands beside it; the pictures do not depend on it."""
_SINGLE: Final = (
    *("model", "spec", "method", "view", "sign", "top", "base", "colours", "normalise", "scale"),
    *("blend", "compare", "split", "mask", *_STAGE),
)
_KNOWN: Final = (*_SINGLE, "patch", "weight_<patch size>", "results")
_WEIGHT: Final = re.compile(r"weight_([1-9][0-9]{0,2})")
_NUMBER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")


@dataclass(frozen=True)
class Choice:
    """What the viewer shows and how; ``None`` and ``()`` stand for "not chosen".

    Attributes
    ----------
    model, spec
        Names of a model and of one of its explanation sets.
    method
        ``I``, ``II`` or ``III``.
    view
        ``xmap`` (Algorithm 2), ``map`` (colours over the face), ``masked`` (the face where the map
        is strongest, nothing elsewhere) or ``original``.
    sign
        Which values count: ``all``, ``similar``, ``dissimilar``, or their ``absolute`` size. A
        masked view has no colour to tell the signs apart and therefore refuses ``all``; not
        chosen, it is ``absolute`` there.
    top
        Per cent of the picture, by size of the value, of which the map is shown, 1 to 100; not
        chosen, 20 in a masked view and 100 elsewhere.
    base
        What lies under the map: the face in ``colour`` or ``grey``.
    colours
        The diverging table, ``piyg`` or ``rdbu``.
    patch
        Patch sizes to use; empty for all of the set.
    weights
        Pairs of patch size and weight, each relative to that of eq. (10) (for coverage: to equal
        ones); sizes not named have 1. In the URL: ``weight_14=2``.
    normalise
        ``count`` or ``coverage``.
    scale
        ``own`` scale of each picture, or the one ``shared`` by all pairs of the set.
    blend
        Opacity of map or X-Map over the base, 0 to 100.
    compare
        What stands right of the slider in both pictures: another view, or the same view of another
        method; ``none`` for no slider.
    split
        Where the slider stands, 0 to 100 per cent of the width.
    mask
        Outline what really differs, where the dataset knows it.
    zoom
        Screen pixels per pixel of the faces, 1 to 16; 0 for what fits.
    x, y
        Column and row in the middle of a zoomed stage.
    pin
        Id of the pair to compare others with; 0 for none.
    results
        Query string of the explorer page to go back to; carried along as it is.

    Raises
    ------
    BadQuery
        For a masked view of all signs, and where ``from_args`` meets what it does not know.
    """

    model: str | None = None
    spec: str | None = None
    method: str = "I"
    view: str = "xmap"
    sign: str = "all"
    top: int = 100
    base: str = "colour"
    colours: str = "piyg"
    patch: tuple[int, ...] = ()
    weights: tuple[tuple[int, float], ...] = ()
    normalise: str = "count"
    scale: str = "own"
    blend: int = 100
    compare: str = "none"
    split: int = 50
    mask: bool = False
    zoom: int = 0
    x: int = 56
    y: int = 56
    pin: int = 0
    results: str = ""

    def __post_init__(self) -> None:
        if self.view == "masked" and self.sign == "all":
            raise BadQuery(
                "A masked view shows the face and no colours: with sign='all' nobody could tell "
                "similar places from dissimilar ones.",
                parameter="sign",
                value="all",
                allowed=SIGNS[1:],
            )

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Choice:
        """Read the parameters of a URL; ``BadQuery`` names what is wrong and what is allowed."""
        for name in args:
            if name not in (*_SINGLE, "patch", "results") and not _WEIGHT.fullmatch(name):
                raise BadQuery(f"Unknown parameter {name!r}.", parameter=name, allowed=_KNOWN)
            if name != "patch" and len(args.getlist(name)) > 1:
                raise BadQuery(f"The parameter {name!r} may be given once.", parameter=name)
        view = _one_of(args, "view", VIEWS)
        return cls(
            model=args.get("model") or None,
            spec=args.get("spec") or None,
            method=_one_of(args, "method", METHODS),
            view=view,
            sign=_one_of(args, "sign", SIGNS, default=_default("sign", view)),
            top=_whole(args, "top", 1, 100, default=_default("top", view)),
            base=_one_of(args, "base", BASES),
            colours=_one_of(args, "colours", COLOURS),
            patch=tuple(
                sorted({_whole_of(text, "patch", 1, 111) for text in args.getlist("patch")})
            ),
            weights=_weights(args),
            normalise=_one_of(args, "normalise", NORMALISATIONS),
            scale=_one_of(args, "scale", SCALES),
            blend=_whole(args, "blend", 0, 100, default=100),
            compare=_one_of(args, "compare", COMPARISONS),
            split=_whole(args, "split", 0, 100, default=50),
            mask=_one_of(args, "mask", ("0", "1")) == "1",
            zoom=_whole(args, "zoom", 0, LARGEST_ZOOM, default=0),
            x=_whole(args, "x", 0, 111, default=56),
            y=_whole(args, "y", 0, 111, default=56),
            pin=_pair_id(args.get("pin") or "0"),
            results=args.get("results", ""),
        )

    def with_patches_of(self, sizes: Sequence[int]) -> Choice:
        """Check patch sizes and weights against a set's, and write them in the shortest way.

        All sizes chosen is the same as none, a weight of 0 the same as a size not chosen.
        """
        named = dict.fromkeys(self.patch, "patch") | {p: f"weight_{p}" for p, _ in self.weights}
        for p, name in named.items():
            if p not in sizes:
                raise BadQuery(
                    f"The explanation set has no patch size {p}.",
                    parameter=name,
                    value=str(p),
                    allowed=map(str, sizes),
                )
        used = self.size_weights(sizes)
        if not used:
            raise BadQuery(
                "Every patch size has the weight 0: there is no map without one.",
                parameter=f"weight_{sizes[0]}",
            )
        return replace(
            self,
            patch=() if len(used) == len(sizes) else tuple(sorted(used)),
            weights=tuple((p, w) for p, w in sorted(used.items()) if w != 1),
        )

    def of_method(self, method: str) -> Choice:
        """Return the same choice of another method."""
        return replace(self, method=method)

    def with_method_of(self, methods: Sequence[str]) -> Choice:
        """Return a choice of what a set holds: another method gives way to the first there is."""
        return replace(
            self,
            method=self.method if self.method in methods else methods[0],
            compare="none"
            if self.compare in METHODS and self.compare not in methods
            else self.compare,
        )

    def size_weights(self, sizes: Sequence[int]) -> dict[int, float]:
        """Return the weight of each patch size that is used, relative to the default's."""
        given = dict(self.weights)
        chosen = {p: given.get(p, 1.0) for p in sizes if not self.patch or p in self.patch}
        return {p: weight for p, weight in chosen.items() if weight > 0}

    def to_query(self, **changes: object) -> str:
        """Return the query string of this choice with ``changes``; defaults are left out."""
        choice = replace(self, **changes)  # type: ignore[arg-type]
        pairs: list[tuple[str, str]] = []
        for name in _SINGLE:
            value = getattr(choice, name)
            if value not in (_default(name, choice.view), None):
                pairs.append((name, str(int(value)) if isinstance(value, bool) else str(value)))
        pairs.extend(("patch", str(p)) for p in choice.patch)
        pairs.extend((f"weight_{p}", f"{weight:g}") for p, weight in choice.weights if weight != 1)
        if choice.results:
            pairs.append(("results", choice.results))
        return urlencode(pairs, safe=",:")

    def to_picture_query(self, **changes: object) -> str:
        """Return the query string of what a picture depends on: neither zoom nor results."""
        still = {name: getattr(Choice, name) for name in (*_STAGE, "results")}
        return self.to_query(**{**still, **changes})

    @property
    def is_published(self) -> bool:
        """Whether the pictures are the X-Maps as the pipeline published them."""
        same = {name: getattr(Choice, name) for name in ("model", "spec", "method", "results")}
        looked_at = {name: getattr(Choice, name) for name in _STAGE}
        return replace(self, **same, **looked_at) == Choice()


def _default(name: str, view: str) -> object:
    """Return what a parameter is where the URL does not name it."""
    if view == "masked" and name in ("sign", "top"):
        return "absolute" if name == "sign" else TOP_OF_MASK
    return getattr(Choice, name)


def _one_of(
    args: MultiDict[str, str], name: str, allowed: Sequence[str], *, default: object = None
) -> str:
    value = args.get(name) or str(default or allowed[0])
    if value not in allowed:
        raise BadQuery(
            f"{name}={value!r} is unknown.", parameter=name, value=value, allowed=allowed
        )
    return value


def _whole(args: MultiDict[str, str], name: str, low: int, high: int, *, default: object) -> int:
    return _whole_of(args.get(name) or str(default), name, low, high)


def _whole_of(text: str, name: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and low <= int(text) <= high):
        raise BadQuery(
            f"{name}={text!r}: expected a whole number from {low} to {high}.",
            parameter=name,
            value=text,
        )
    return int(text)


def _pair_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        raise BadQuery(f"pin={text!r}: expected the id of a pair.", parameter="pin", value=text)
    return int(text)


def _weights(args: MultiDict[str, str]) -> tuple[tuple[int, float], ...]:
    weights = []
    for name, text in args.items():
        found = _WEIGHT.fullmatch(name)
        if not found or not text:
            continue
        if not _NUMBER.fullmatch(text) or float(text) > LARGEST_WEIGHT:
            raise BadQuery(
                f"{name}={text!r}: expected a number from 0 to {LARGEST_WEIGHT:g}, with a point "
                "and up to three decimals.",
                parameter=name,
                value=text,
            )
        if float(text) != 1:
            weights.append((int(found[1]), float(text)))
    return tuple(sorted(weights))
