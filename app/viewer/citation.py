"""BibTeX of the method and of a picture of this site."""

from __future__ import annotations

import re
from typing import Final

from app.version import VERSION
from app.viewer.drawing import DrawnPair
from app.viewer.words import settings_text, view_text

PAPER: Final = r"""@inproceedings{knoche2023explainable,
  title     = {Explainable Model-Agnostic Similarity and Confidence in Face Verification},
  author    = {Knoche, Martin and Teepe, Torben and H{\"o}rmann, Stefan and Rigoll, Gerhard},
  booktitle = {IEEE/CVF Winter Conference on Applications of Computer Vision Workshops (WACVW)},
  year      = {2023},
  note      = {arXiv:2211.13735}
}
"""
_SPECIAL: Final = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def citation(drawn: DrawnPair, url: str, *, day: str) -> str:
    """Return two entries: the paper, and the picture at ``url`` as seen on ``day``."""
    pair, model = drawn.pair, drawn.model
    shown = view_text(drawn.choice)
    by = f", model {model.title}" if model else ""
    note = f"Dataset {pair.dataset.title or pair.dataset.name}"
    if drawn.explained:
        note += f"; explanation set {drawn.explained.name}"
        note += f"; {settings_text(drawn.choice, drawn.explained.spec.patch_sizes)}"
        note += f"; {drawn.choice.scale} scale"
    key = re.sub(r"[^a-z0-9]+", "-", f"xfv-{pair.id}-{model.name if model else 'faces'}")
    return f"""{PAPER}
@misc{{{key},
  title        = {{Pair {pair.id}: {escape(shown)}{escape(by)}}},
  howpublished = {{XFV, eXplainable Face Verification, version {escape(VERSION)}}},
  url          = {{{url_of(url)}}},
  urldate      = {{{day}}},
  note         = {{{escape(note)}}}
}}
"""


def escape(text: str) -> str:
    """Write text so that TeX sets it as it stands."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def url_of(url: str) -> str:
    """Return a URL without what would end a BibTeX field; all else stays as it is."""
    return url.replace("{", "%7B").replace("}", "%7D").replace("\\", "%5C")
