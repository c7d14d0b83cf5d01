"""The state of the viewer: every choice is a parameter of its URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from app.errors import BadQuery

METHODS: Final = ("I", "II", "III")
VIEWS: Final = ("xmap", "map", "original")
NORMALISATIONS: Final = ("count", "coverage")
SCALES: Final = ("own", "shared")
_SINGLE: Final = ("model", "spec", "method", "view", "normalise", "scale", "blend", "mask")
_KNOWN: Final = (*_SINGLE, "patch", "results")
_LONGEST_RESULTS: Final = 4000


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
        ``xmap``, ``map`` (colours only) or ``original``.
    patch
        Patch sizes to use; empty for all of the set.
    normalise
        ``count`` or ``coverage``.
    scale
        ``own`` scale of each picture, or the one ``shared`` by all pairs of the set.
    blend
        Opacity of map or X-Map over the image, 0 to 100.
    mask
        Outline what really differs, where the dataset knows it.
    results
        Query string of the explorer page to go back to; carried along as it is.
    """

    model: str | None = None
    spec: str | None = None
    method: str = "I"
    view: str = "xmap"
    patch: tuple[int, ...] = ()
    normalise: str = "count"
    scale: str = "own"
    blend: int = 100
    mask: bool = False
    results: str = ""

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Choice:
        """Read the parameters of a URL; ``BadQuery`` names what is wrong and what is allowed."""
        for name in args:
            if name not in _KNOWN:
                raise BadQuery(f"Unknown parameter {name!r}.", parameter=name, allowed=_KNOWN)
        for name in _SINGLE:
            if len(args.getlist(name)) > 1:
                raise BadQuery(f"The parameter {name!r} may be given once.", parameter=name)
        if len(args.get("results", "")) > _LONGEST_RESULTS:
            raise BadQuery(
                f"'results' is longer than {_LONGEST_RESULTS} characters.", parameter="results"
            )
        return cls(
            model=args.get("model") or None,
            spec=args.get("spec") or None,
            method=_one_of(args, "method", METHODS),
            view=_one_of(args, "view", VIEWS),
            patch=tuple(sorted({_whole(text, "patch", 1, 111) for text in args.getlist("patch")})),
            normalise=_one_of(args, "normalise", NORMALISATIONS),
            scale=_one_of(args, "scale", SCALES),
            blend=_whole(args.get("blend") or "100", "blend", 0, 100),
            mask=_one_of(args, "mask", ("0", "1")) == "1",
            results=args.get("results", ""),
        )

    def with_patches_of(self, sizes: Sequence[int]) -> Choice:
        """Check the patch sizes against a set's; all of them chosen is the same as none."""
        for p in self.patch:
            if p not in sizes:
                raise BadQuery(
                    f"The explanation set has no patch size {p}.",
                    parameter="patch",
                    value=str(p),
                    allowed=map(str, sizes),
                )
        return replace(self, patch=()) if set(self.patch) == set(sizes) else self

    def to_query(self, **changes: object) -> str:
        """Return the query string of this choice with ``changes``; defaults are left out."""
        choice = replace(self, **changes)  # type: ignore[arg-type]
        pairs: list[tuple[str, str]] = []
        for name in _SINGLE:
            value, default = getattr(choice, name), getattr(Choice, name)
            if value not in (default, None):
                pairs.append((name, str(int(value)) if isinstance(value, bool) else str(value)))
        pairs.extend(("patch", str(p)) for p in choice.patch)
        if choice.results:
            pairs.append(("results", choice.results))
        return urlencode(pairs)

    @property
    def is_published(self) -> bool:
        """Whether the pictures are the X-Maps as the pipeline published them."""
        plain = replace(self, model=None, spec=None, method="I", results="")
        return plain == Choice()


def _one_of(args: MultiDict[str, str], name: str, allowed: Sequence[str]) -> str:
    value = args.get(name) or allowed[0]
    if value not in allowed:
        raise BadQuery(
            f"{name}={value!r} is unknown.", parameter=name, value=value, allowed=allowed
        )
    return value


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and low <= int(text) <= high):
        raise BadQuery(
            f"{name}={text!r}: expected a whole number from {low} to {high}.",
            parameter=name,
            value=text,
        )
    return int(text)
