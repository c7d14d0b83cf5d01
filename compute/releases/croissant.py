"""The description of a release for machines: Croissant 1.0, JSON-LD over schema.org."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from compute.releases.layout import LICENCE, PAIRS, Column, Table
from compute.releases.manifest import Facts, Manifest

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.0"
CITE_AS: Final = (
    "@inproceedings{knoche2023explainable, title = {Explainable Model-Agnostic Similarity and "
    "Confidence in Face Verification}, author = {Knoche, Martin and Teepe, Torben and "
    'H{\\"o}rmann, Stefan and Rigoll, Gerhard}, booktitle = {IEEE/CVF Winter Conference on '
    "Applications of Computer Vision Workshops (WACVW)}, year = {2023}, note = {arXiv:2211.13735}}"
)
PAPER: Final = "https://arxiv.org/abs/2211.13735"

_OWN: Final = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty"),
    *("fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField"),
    *("path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
    *("separator", "source", "subField", "transform"),
)
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _OWN},
    "conformsTo": "dct:conformsTo",
}
_TYPES: Final[Mapping[str, str]] = {
    "int64": "sc:Integer",
    "int16": "sc:Integer",
    "double": "sc:Float",
    "bool": "sc:Boolean",
    "string": "sc:Text",
}
_FORMATS: Final[Mapping[str, str]] = {
    ".parquet": "application/x-parquet",
    ".npy": "application/x-npy",
    ".md": "text/markdown",
}


def describe(manifest: Manifest, files: Sequence[Facts], tables: Sequence[Table]) -> Facts:
    """Return the content of ``croissant.json``.

    Parameters
    ----------
    manifest
        What the release is of.
    files
        ``name``, ``bytes``, ``sha256`` and ``help`` of every file to be described.
    tables
        The Parquet files among them, each described column by column.
    """
    dataset, model = manifest.dataset, manifest.model
    date = str(manifest.evaluation["finished"])[:10]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"xfv-{dataset['name']}-{model['name']}",
        "description": (
            f"What the face verification model {model['title']} says of the pairs of "
            f"{dataset['title']}: distances, thresholds, confidence scores over cross-validation "
            "folds, and how each distance moves when parts of a face are hidden. No images."
        ),
        "conformsTo": CONFORMS_TO,
        "version": manifest.version,
        "datePublished": date,
        "license": (
            f"See {LICENCE}. Faces: {dataset['licence']} Model: {model['licence'] or 'not stated.'}"
        ),
        "url": PAPER,
        "citeAs": CITE_AS,
        "creator": {"@type": "sc:Organization", "name": "XFV, eXplainable Face Verification"},
        "keywords": ["face verification", "explainability", "confidence", dataset["title"]],
        "isLiveDataset": False,
        "distribution": [_file_object(file) for file in files],
        "recordSet": [_record_set(table) for table in tables],
    }


def _file_object(file: Facts) -> Facts:
    suffix = file["name"][file["name"].rindex(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": file["name"],
        "name": file["name"],
        "description": file["help"],
        "contentUrl": file["name"],
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": _FORMATS[suffix],
        "sha256": file["sha256"],
    }


def _record_set(table: Table) -> Facts:
    name = table.file.removesuffix(".parquet")
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": table.help,
        "key": {"@id": f"{name}/{table.key}"},
        "field": [_field(name, table, column) for column in table.columns],
    }


def _field(record_set: str, table: Table, column: Column) -> Facts:
    found: Facts = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": column.help,
        "dataType": _TYPES[column.type],
        "source": {"fileObject": {"@id": table.file}, "extract": {"column": column.name}},
    }
    if column.name == PAIRS.key and table is not PAIRS:
        found["references"] = {"field": {"@id": f"pairs/{PAIRS.key}"}}
    return found
