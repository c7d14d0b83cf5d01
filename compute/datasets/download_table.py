"""Where each dataset can be had: its files on the web, or why a person must get them.

Three sources, the best first: ``tfrecord`` (aligned, hashes by the owner), ``original`` (as its
authors give it) and ``bin`` (InsightFace's packs). Hashes say who vouches for them; a file without
one is pinned at its first download. All files lie in ``<data>/downloads``, whatever dataset they
are for: LFW and SLLFW share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compute.fetching.fetch import RemoteFile

SOURCES: Final = ("tfrecord", "original", "bin")

_FUSION: Final = "https://github.com/Martlgap/human-machine-fusion/releases/download/v.1.0.0/"
_XQLFW: Final = "https://github.com/Martlgap/xqlfw/releases/download/1.0/"
_FIGSHARE: Final = "https://ndownloader.figshare.com/files/"
_SETS: Final = "https://huggingface.co/datasets/Icar/val_sets/resolve/1f7800d9d5ba295554573a4e292e870b64a49b74/"
_ONE: Final = "one third party, not its owner"
_SKLEARN: Final = "scikit-learn, which reads the same file"
_TWO: Final = "two third parties, not its owner"


@dataclass(frozen=True)
class Download:
    """Files that a command can fetch.

    Attributes
    ----------
    files
        What the dataset cannot do without.
    lists
        What tells names, identities or quality besides; without them the import works, too.
    """

    files: tuple[RemoteFile, ...]
    lists: tuple[RemoteFile, ...] = ()


@dataclass(frozen=True)
class ByHand:
    """Files that only a person with a browser can get: a sentence that says where."""

    where: str


def _note(name: str) -> str:
    return (
        f"If you have the file from elsewhere and trust it, name it: flask datasets import {name} "
        "--help"
    )


def _tfrecord(name: str, sha256: str, *lists: RemoteFile) -> Download:
    file = f"{name}.tfrecord"
    return Download((RemoteFile(_FUSION + file, file, sha256, note=_note(name)),), lists)


def _bin(
    name: str, file: str, size: int, sha256: str, *lists: RemoteFile, vouched: str = _ONE
) -> Download:
    wanted = RemoteFile(_SETS + file, file, sha256, size, note=_note(name), vouched=vouched)
    return Download((wanted,), lists)


def _drive(file: str, drive: str, *, page: str = "") -> ByHand:
    return ByHand(
        "Google Drive is the only place known for it, and answers no program: open "
        f"{page and page + ' or '}https://drive.google.com/file/d/{drive} and take {file}."
    )


_LFW_IMAGES: Final = RemoteFile(
    f"{_FIGSHARE}5976018",
    "lfw.tgz",
    "055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0",
    180_566_744,
    note=_note("lfw"),
    vouched=_SKLEARN,
)
_LFW_PAIRS: Final = RemoteFile(
    f"{_FIGSHARE}5976006",
    "pairs.txt",
    "ea42330c62c92989f9d7c03237ed5d591365e89b3e649747777b70e692dc1592",
    155_335,
    note=_note("lfw"),
    vouched=_SKLEARN,
)
_SLLFW_PAIRS: Final = RemoteFile(
    "http://whdeng.cn/SLLFW/pair_SLLFW.txt", "pair_SLLFW.txt", note=_note("sllfw")
)
_XQLFW_IMAGES: Final = RemoteFile(
    f"{_XQLFW}xqlfw.zip",
    "xqlfw.zip",
    "1af459679fba23a12f4d83c82a81523eb930a4aec759eebefcbdde69a678962c",
    195_229_543,
    note=_note("xqlfw"),
    vouched=_ONE,
)
_XQLFW_PAIRS: Final = RemoteFile(
    f"{_XQLFW}xqlfw_pairs.txt",
    "xqlfw_pairs.txt",
    "636852f90b886f3f56c73b13c9775f7ffcd37662dbb189c694f6a0a605b63b84",
    160_795,
    note=_note("xqlfw"),
    vouched=_ONE,
)
_XQLFW_SCORES: Final = RemoteFile(
    f"{_XQLFW}xqlfw_scores.txt", "xqlfw_scores.txt", note=_note("xqlfw")
)

DOWNLOADS: Final[dict[str, dict[str, Download | ByHand]]] = {
    "lfw": {
        "tfrecord": _tfrecord(
            "lfw", "7f37bc11e7cd1d74f80a7a1f077b33cc246fedb699c5e71bebd568772ad47a48", _LFW_PAIRS
        ),
        "original": Download((_LFW_IMAGES, _LFW_PAIRS)),
        "bin": _bin(
            "lfw",
            "lfw.bin",
            64_738_112,
            "9b711dca71a47fc9f295a28514abe8cc4e457632a8d634264691398c99569593",
            _LFW_PAIRS,
            vouched=_TWO,
        ),
    },
    "calfw": {
        "tfrecord": _tfrecord(
            "calfw", "f4f5ffc78a6156cfac75993ef2bdc35a44e7e60f61096c326627e8b8acb45e63"
        ),
        "original": _drive(
            "calfw.zip", "1_cYgy7VFCy6JqkR8EvOxCVS02jHN1ozm", page="http://whdeng.cn/CALFW/"
        ),
        "bin": _bin(
            "calfw",
            "calfw.bin",
            74_157_257,
            "f643466e875865670a91d6d836dcd0af7ac41730f279ba13de1ed5ae6546c4db",
        ),
    },
    "cplfw": {
        "tfrecord": _tfrecord(
            "cplfw", "25dd42dc7ee860e0147d83a9b57343f2a5937a3915b03d4554b59e70bcc002b3"
        ),
        "original": _drive(
            "CPLFW.zip (unpack the images.rar in it)",
            "1aInOZtuvKkiV-Gtitcv1-daZshL-8PAE",
            page="http://www.whdeng.cn/CPLFW/index.html",
        ),
        "bin": _bin(
            "cplfw",
            "cplfw.bin",
            62_610_952,
            "2d18b80537ef3dce1ba163d8829c5994d1408d4c2a84eee499bba5563d8da2fc",
        ),
    },
    "sllfw": {
        "tfrecord": _tfrecord(
            "sllfw",
            "2acd1d63f5de1949f0a3b3b1c76a18d406dda8bea769f85bf45d1c8b29110330",
            _SLLFW_PAIRS,
        ),
        "original": Download((_LFW_IMAGES, _SLLFW_PAIRS)),
        "bin": _drive("sllfw.bin", "1oJZb-8jcJqAfXpg62bzGWpkHeabiqO0Q"),
    },
    "xqlfw": {
        "tfrecord": _tfrecord(
            "xqlfw",
            "5fa489c07a2056911ccd02e6abaa7a2ae27b20f8ab02445b3fe24124b33e6123",
            _XQLFW_PAIRS,
            _XQLFW_SCORES,
        ),
        "original": Download((_XQLFW_IMAGES, _XQLFW_PAIRS), (_XQLFW_SCORES,)),
    },
    "mlfw": {
        "tfrecord": _tfrecord(
            "mlfw", "5b55052a36c163dcba790b4102b52b874d4049b777cb7ab652fa3f6bbac9f64c"
        ),
        "original": ByHand(
            "Its authors give it through their page alone: open http://whdeng.cn/mlfw and take "
            "MLFW.zip."
        ),
    },
    "agedb-30": {
        "bin": _bin(
            "agedb-30",
            "agedb_30.bin",
            76_525_089,
            "1af672c0ea829b95951b12628687956fe54263614b60b0ec5af9cdfdc4480b30",
            vouched=_TWO,
        ),
    },
    "cfp-fp": {
        "bin": _bin(
            "cfp-fp",
            "cfp_fp.bin",
            76_267_779,
            "76306c783c2ef59c8569ebdcdd2f529f450bcc3fad57c94a5fc2b91df0f10370",
        ),
    },
}
"""By dataset, then by source, the best source first."""
