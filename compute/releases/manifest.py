"""``release.json`` and ``SHA256SUMS``: what a release says of itself, and whether that holds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from app.data.names import NAME, VERSION
from compute.errors import ReleaseError
from compute.files import sha256_of_file
from compute.occlusion import OcclusionSpec
from compute.releases.layout import (
    CHECKSUMS,
    FORMAT,
    MANIFEST,
    MOST_ROWS,
    MOST_SETS,
    MOST_TEXT_BYTES,
    TABLES,
    array_file,
    explained_table,
)

Facts = dict[str, Any]
"""Columns of a row that is no table of its own here: dataset, model, evaluation, set."""

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]{0,200})")
_MOST_FILES: Final = 2 * MOST_SETS + 20


@dataclass(frozen=True)
class SetFacts:
    """One explanation set of a release.

    Attributes
    ----------
    facts
        Its columns: name, spec, wanted_count and provenance.
    pairs
        How many pairs it explains.
    """

    facts: Facts
    spec: OcclusionSpec
    pairs: int

    @property
    def name(self) -> str:
        """Name of the set."""
        name: str = self.facts["name"]
        return name

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of its array, (P, 5, K)."""
        return self.pairs, 5, self.spec.count


@dataclass(frozen=True)
class Manifest:
    """What a release is of: the rows that stand in no table of it."""

    version: str
    dataset: Facts
    model: Facts
    evaluation: Facts
    sets: tuple[SetFacts, ...]

    @property
    def title(self) -> str:
        """How a message calls the release."""
        return f"{self.model['name']} on {self.dataset['name']}, release {self.version}"

    def to_dict(self, files: list[Facts]) -> Facts:
        """Return ``release.json``; ``files`` describes every file but itself and the checksums."""
        return {
            "format": FORMAT,
            "version": self.version,
            "dataset": self.dataset,
            "model": self.model,
            "evaluation": self.evaluation,
            "explanation_sets": [{**each.facts, "pairs": each.pairs} for each in self.sets],
            "files": files,
        }


def write_checksums(folder: Path) -> None:
    """Write ``SHA256SUMS`` over all files of ``folder``, as ``sha256sum --check`` reads it."""
    names = sorted(path.name for path in folder.iterdir())
    lines = [f"{sha256_of_file(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="ascii")


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by name.

    Raises
    ------
    ReleaseError
        For a missing or malformed list: names are plain file names, each once.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_text(folder / CHECKSUMS).splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in found:
            raise ReleaseError(
                f"{folder / CHECKSUMS}, line {number}: {line[:100]!r} is not the SHA-256 and the "
                "name of a file of the folder, each once."
            )
        found[match[2]] = match[1]
    if not 0 < len(found) <= _MOST_FILES:
        raise ReleaseError(
            f"{folder / CHECKSUMS}: lists {len(found)} files, expected 1 to {_MOST_FILES}."
        )
    return found


def verify_files(folder: Path, advance: Callable[[int], object]) -> dict[str, str]:
    """Check every listed file against its hash, before anything in it is read.

    Parameters
    ----------
    advance
        Called with the bytes of each file when it is checked.

    Returns
    -------
    The checksums by name.
    """
    if not folder.is_dir():
        raise ReleaseError(f"{folder}: no such folder; expected one that `flask export` wrote.")
    checksums = read_checksums(folder)
    for name in (CHECKSUMS, *checksums):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            state = "is a link" if path.is_symlink() else "is missing"
            raise ReleaseError(f"{path} {state}; expected a file. Fetch the release again.")
        if name in checksums:
            actual = sha256_of_file(path)
            if actual != checksums[name]:
                raise ReleaseError(
                    f"{path}: SHA-256 is {actual}, {CHECKSUMS} says {checksums[name]}. The file is "
                    "damaged or was changed: fetch the release again."
                )
        advance(path.stat().st_size)
    return checksums


def read_manifest(folder: Path, checksums: Mapping[str, str]) -> Manifest:
    """Return what ``release.json`` says, checked; every file it needs must have a checksum."""
    path = folder / MANIFEST
    _require_listed(folder, checksums, MANIFEST)
    content = _Reader(path, _json(path))
    if content.whole("format") != FORMAT:
        raise ReleaseError(
            f"{path}: format {content.whole('format')}, this version reads {FORMAT}. Use the "
            "version of XFV that wrote it, or a newer one."
        )
    version = content.text("version")
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{path}: version {version[:50]!r}, expected three numbers as 1.0.0.")
    sets = content.list("explanation_sets", most=MOST_SETS)
    manifest = Manifest(
        version,
        content.object("dataset"),
        content.object("model"),
        content.object("evaluation"),
        tuple(_set_facts(path, facts) for facts in sets),
    )
    for part in (manifest.dataset, manifest.model, *(each.facts for each in manifest.sets)):
        name = part.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or "__" in name:
            raise ReleaseError(
                f"{path}: {str(name)[:100]!r} is no name of a dataset, model or set."
            )
    if len({each.name for each in manifest.sets}) != len(manifest.sets):
        raise ReleaseError(f"{path}: two explanation sets have one name.")
    for table in (*TABLES, *(explained_table(each.name) for each in manifest.sets)):
        _require_listed(folder, checksums, table.file)
    for each in manifest.sets:
        _require_listed(folder, checksums, array_file(each.name))
    return manifest


def _set_facts(path: Path, facts: Any) -> SetFacts:
    if not isinstance(facts, dict):
        raise ReleaseError(f"{path}: an explanation set is {facts!r:.100}, expected an object.")
    reader = _Reader(path, facts)
    pairs = reader.whole("pairs")
    if not 0 <= pairs <= MOST_ROWS:
        raise ReleaseError(f"{path}: a set of {pairs} pairs, expected 0 to {MOST_ROWS:,}.")
    try:
        spec = OcclusionSpec.from_dict(reader.object("spec"))
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"{path}: not an occlusion spec ({error}).") from error
    return SetFacts({k: v for k, v in facts.items() if k != "pairs"}, spec, pairs)


def _require_listed(folder: Path, checksums: Mapping[str, str], name: str) -> None:
    if name not in checksums:
        raise ReleaseError(
            f"{folder / CHECKSUMS} has no line for {name}: the release is incomplete. Fetch it "
            "again."
        )


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        raise ReleaseError(f"{path} is missing: {path.parent} is no release. Fetch it again.")
    if path.stat().st_size > MOST_TEXT_BYTES:
        raise ReleaseError(
            f"{path}: {path.stat().st_size:,} bytes, expected at most {MOST_TEXT_BYTES:,}."
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{path}: is not UTF-8 text ({error}).") from error


def _json(path: Path) -> Facts:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON number")

    try:
        content = json.loads(_text(path), parse_constant=refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{path}: is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ReleaseError(f"{path}: expected a JSON object, found {type(content).__name__}.")
    return content


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is beyond every number")
    return value


class _Reader:
    """Values of a JSON object by name and type."""

    def __init__(self, path: Path, content: Facts) -> None:
        self._path = path
        self._content = content

    def _value(self, name: str, kind: type, words: str) -> Any:
        value = self._content.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ReleaseError(f"{self._path}: {name} is {value!r:.100}, expected {words}.")
        return value

    def whole(self, name: str) -> int:
        number: int = self._value(name, int, "a whole number")
        return number

    def text(self, name: str) -> str:
        text: str = self._value(name, str, "text")
        return text

    def object(self, name: str) -> Facts:
        found: Facts = self._value(name, dict, "an object")
        return found

    def list(self, name: str, *, most: int) -> list[Any]:
        found: list[Any] = self._value(name, list, "a list")
        if len(found) > most:
            raise ReleaseError(f"{self._path}: {name} has {len(found)} entries, at most {most}.")
        return found
