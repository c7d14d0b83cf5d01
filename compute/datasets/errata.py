"""Known label errors and duplicates of LFW: marked on a pair, while its published label stays.

Published accuracies use the labels as they are, so these notes change no number; they say which
disagreement of a model may be the label's fault. The official errata page is gone. The sources:

- *users*: lists that users of LFW published of what they found, with no statement by its owners;
- *measured*: the aligned images (deep-funneled LFW, protocol images only) as 16 x 16 grey
  thumbnails; the two named pairs correlate at 0.994 and more, all others of two persons at less
  than 0.97, and to the eye each is one photograph.

Images go by their LFW path, so the notes hold for LFW, SLLFW and XQLFW, which keep those names, and
say nothing of the images of CALFW and CPLFW, which number their own.
"""

from __future__ import annotations

from typing import Final

from compute.datasets.formats.lfw import image_name


def _images(*pairs: tuple[str, int, str, int]) -> frozenset[frozenset[str]]:
    return frozenset(frozenset((image_name(a, i), image_name(b, j))) for a, i, b, j in pairs)


ONE_PHOTOGRAPH: Final = _images(
    ("Ricky_Ray", 1, "Bart_Hendricks", 1),  # users
    ("Raul_Ibanez", 1, "Carlos_Beltran", 1),  # users
    ("James_Becker", 1, "Franklin_Damann", 1),  # users
    ("Vecdi_Gonul", 1, "Abdullah_Gul", 12),  # users
    ("Gabrielle_Rose", 1, "Martha_Bowen", 2),  # users (the first), measured
    ("Leslie_Ann_Woodward", 1, "Leslie_Ann_Woodward", 2),  # measured
)
"""Pairs of images that are one photograph."""

ELSEWHERE: Final = frozenset(
    image_name(name, 1)
    for name in ("Emmy_Rossum", "Andrew_Caldecott", "Anja_Paerson", "Morgan_Hentzen")
)
"""Images said to be in LFW under another name too, which the lists do not give (users)."""

SHOWS: Final = {
    image_name("Recep_Tayyip_Erdogan", 4): "Abdullah_Gul",
    image_name("Michael_Schumacher", 8): "Rubens_Barrichello",
}
"""Images said to show somebody else, and whom (users)."""

ONE_PERSON: Final = frozenset(
    frozenset(names)
    for names in (
        ("Felipe_De_Borbon", "Prince_Felipe"),
        ("Noer_Muis", "Noer_Moeis"),
        ("Takahiro_Mori", "Shinya_Taniguchi"),
        ("Yingfan_Wang", "Wang_Yingfan"),
        ("Nan_Wang", "Wang_Nan"),
        ("Sung_Hong_Choi", "Choi_Sung-hong"),
        ("Dai_Chul_Chyung", "Chyung_Dai-chul"),
        ("John_Burnett", "John_Barnett"),
        ("Hassan_Wirajuda", "Hasan_Wirayuda"),
    )
)
"""Names said to be one person's (users)."""


def notes_of(image1: str, image2: str, identity1: str, identity2: str) -> str | None:
    """Return what is known against the label of a pair, in sentences, or None.

    Parameters
    ----------
    image1, image2
        As LFW names them, ``Name/Name_0001.jpg``.
    identity1, identity2
        As LFW names them, ``Name``.
    """
    notes = []
    if frozenset((image1, image2)) in ONE_PHOTOGRAPH:
        notes.append("Both images are one photograph.")
    elif frozenset((identity1, identity2)) in ONE_PERSON:
        notes.append(f"{identity1} and {identity2} are said to be one person.")
    for image in sorted({image1, image2}):
        notes += _notes_of_image(image, beside={image1, image2})
    return " ".join(notes) or None


def _notes_of_image(image: str, *, beside: set[str]) -> list[str]:
    notes = [
        f"{image} is also in LFW as {other}."
        for images in sorted(ONE_PHOTOGRAPH, key=sorted)
        if image in images and images != beside
        for other in images - {image}
    ]
    if image in ELSEWHERE:
        notes.append(f"{image} is said to be in LFW under another name, too.")
    if image in SHOWS:
        notes.append(f"{image} is said to show {SHOWS[image]}.")
    return notes
