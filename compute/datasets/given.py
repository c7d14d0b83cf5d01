"""What a user gives for an import, and which way in that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from compute.alignment import LandmarkDetector
from compute.datasets.catalogue import CATALOGUE, DatasetFacts, require_name
from compute.datasets.downloads import pulled, sources_of
from compute.datasets.formats import calfw, cplfw, lfw, sllfw, xqlfw
from compute.datasets.formats.folder_pairs import folder_images, pairs_of_folders
from compute.datasets.formats.pair_table import read_table
from compute.datasets.identities import with_identities
from compute.datasets.importing import ImportReport, Listing, Source, import_dataset
from compute.datasets.own import Said, own_facts
from compute.datasets.pairs import NamedPair
from compute.datasets.photographs import Alignment, ListedPhotographs
from compute.datasets.records import PairList, PictureRecords
from compute.datasets.sources import open_source
from compute.datasets.store import facts_of
from compute.errors import DatasetError

Align = Literal["detect", "landmarks", "none"]

_LISTS: Final[dict[str, Callable[[Path], list[NamedPair]]]] = {
    "lfw": lfw.read_pairs,
    "calfw": calfw.read_pairs,
    "cplfw": cplfw.read_pairs,
    "sllfw": sllfw.read_pairs,
    "xqlfw": xqlfw.read_pairs,
}
"""Readers of the official pair lists. The others of the catalogue come as records only."""

_WITH_LANDMARKS: Final = ("calfw", "cplfw")
"""Distributions that hold a landmark file for each image, and aligned copies beside them."""


@dataclass(frozen=True)
class Given:
    """The options of ``flask datasets import``; None where one is left out."""

    images: Path | None = None
    pairs: Path | None = None
    landmarks: Path | None = None
    scores: Path | None = None
    tfrecord: Path | None = None
    bin: Path | None = None
    align: Align | None = None
    find_detector: Callable[[], Path] | None = None
    per_label: int | None = None
    seed: int = 0
    said: Said = field(default_factory=Said)


def import_given(data: Path, name: str, given: Given) -> ImportReport:
    """Import a dataset of the catalogue, or one's own under a new name, from the files given.

    Raises
    ------
    DatasetError
        Where the files do not make a dataset; says what is missing or too much.
    """
    require_name(name)
    known = CATALOGUE.get(name)
    if known is not None and given.said != Said():
        raise DatasetError(
            f"{name} is in the catalogue: its title, licence and source are known. Leave them out, "
            "or import your own dataset under another name."
        )

    def describe(pairs: int) -> DatasetFacts:
        return known or own_facts(data, name, pairs, given.said)

    if given.per_label is not None and (given.pairs or given.tfrecord or given.bin):
        raise DatasetError(
            f"{name}: --per-label says how many pairs to draw, but they are listed. Leave it out."
        )
    source = _source(data, name, known, _with_pulled(data, name, given))
    return import_dataset(data, name, source, describe)


def _with_pulled(data: Path, name: str, given: Given) -> Given:
    """Fill in what was pulled, where no picture is given: from the best source that is here."""
    if given.images or given.tfrecord or given.bin:
        return given
    for source in sources_of(name):
        files = pulled(data, name, source)
        if files:
            listed = _first(files, "pair")
            return replace(
                given,
                images=files[0] if source == "original" else None,
                tfrecord=files[0] if source == "tfrecord" else None,
                bin=files[0] if source == "bin" else None,
                pairs=given.pairs or listed,
                scores=given.scores or (_first(files, "scores") if listed else None),
            )
    return given


def _first(files: Sequence[Path], word: str) -> Path | None:
    return next((path for path in files if word in path.stem), None)


def _source(data: Path, name: str, known: DatasetFacts | None, given: Given) -> Source:
    ways = {"images": given.images, "tfrecord": given.tfrecord, "bin": given.bin}
    chosen = [(kind, path) for kind, path in ways.items() if path is not None]
    if len(chosen) > 1:
        raise DatasetError(
            f"{name}: --{chosen[0][0]} and --{chosen[1][0]} are two sources of the same pictures. "
            "Give one."
        )
    if not chosen:
        facts_of(data, name)  # a name that is nowhere known is said first
        raise DatasetError(f"{name} needs {_needs(name)}.")
    kind, path = chosen[0]
    if kind == "images":
        return _photographs(name, path, given)
    for option, value in (("align", given.align), ("landmarks", given.landmarks)):
        if value is not None:
            raise DatasetError(
                f"{name}: the faces of a --{kind} are aligned already. Leave --{option} out."
            )
    named = _pair_list(name, given, given.pairs) if given.pairs else None
    if given.scores and named is None:
        raise DatasetError(
            f"{name}: --scores go by the names of images, which a --{kind} does not hold. Give the "
            "official list with --pairs, too."
        )
    return PictureRecords(path, kind, facts=known, named=named)


def _needs(name: str) -> str:
    if name not in CATALOGUE:
        return "--images, and --pairs unless its images lie in one folder per identity"
    files = (
        "--images and --pairs, or --tfrecord, or --bin"
        if name in _LISTS
        else ("--tfrecord or --bin, since no list of named images is known of it")
    )
    return f"{files}; or fetch it first: flask datasets pull {name}"


def _photographs(name: str, images: Path, given: Given) -> ListedPhotographs:
    if name in CATALOGUE and (name not in _LISTS or given.pairs is None):
        raise DatasetError(f"{name} needs {_needs(name)}.")
    drawn: dict[str, Any] = {}
    if given.pairs is None:
        listed, drawn = _drawn(images, given)
    else:
        listed = _pair_list(name, given, given.pairs)
    with_landmarks = name in _WITH_LANDMARKS
    align = given.align or ("landmarks" if with_landmarks or given.landmarks else "detect")
    if given.landmarks and align != "landmarks":
        raise DatasetError(f"{name}: --landmarks are not used with --align {align}. Leave one out.")
    return ListedPhotographs(
        images,
        listed.listing,
        dict(listed.lists),
        _alignment(align, images, given),
        folder="images" if with_landmarks and align != "none" else "",
        drawn=drawn,
    )


def _alignment(align: Align, images: Path, given: Given) -> Alignment:
    if align == "none":
        return Alignment()
    if align == "landmarks":
        return Alignment(landmarks=given.landmarks or images)
    if given.find_detector is None:
        raise DatasetError("Faces are to be found, but no detector is given: --detector FILE.")
    return Alignment(LandmarkDetector(given.find_detector()))


def _pair_list(name: str, given: Given, path: Path) -> PairList:
    """Read the list of a dataset, and the quality of its images where that is given."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such file. Check --pairs.")
    if name in CATALOGUE and name not in _LISTS:
        raise DatasetError(f"{name}: no official list of names is known. Leave --pairs out.")
    if name not in _LISTS:
        if given.scores:
            raise DatasetError("--scores is a file of XQLFW; your own go into quality1, quality2.")
        return PairList(_table(path), {"pairs": path})
    pairs = _LISTS[name](path)
    if given.scores is None:
        return PairList(Listing(pairs), {"pairs": path})
    if name != "xqlfw":
        raise DatasetError(f"{name}: --scores is a file of XQLFW. Leave it out.")
    names = {image for pair in pairs for image in (pair.image1, pair.image2)}
    scores = xqlfw.read_scores(given.scores, images=names)
    return PairList(Listing(pairs, quality=scores), {"pairs": path, "scores": given.scores})


def _table(path: Path) -> Listing:
    rows = read_table(path)
    folds = [row.fold for row in rows if row.fold is not None]
    quality = {
        image: value
        for row in rows
        for image, value in ((row.pair.image1, row.quality1), (row.pair.image2, row.quality2))
        if value is not None
    }
    pairs = with_identities([row.pair for row in rows], where=str(path))
    return Listing(pairs, folds, quality)


def _drawn(images: Path, given: Given) -> tuple[PairList, dict[str, Any]]:
    """Draw pairs from one folder per identity."""
    with open_source(images) as source:
        names = folder_images(source)
    pairs = pairs_of_folders(names, per_label=given.per_label, seed=given.seed)
    return PairList(Listing(pairs), {}), {"drawn": len(pairs), "seed": given.seed}
