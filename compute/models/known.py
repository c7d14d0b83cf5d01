"""Models that others publish: what is known of them (``known.toml``), and getting them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from compute.embedding import Preprocessing
from compute.errors import ModelError
from compute.fetching.fetch import RemoteFile, fetch
from compute.fetching.unpacking import take_member
from compute.files import sha256_of_file, write_whole
from compute.models.feeding import add_again, described
from compute.progress import say as say_aloud
from compute.registry import ModelEntry, ModelRegistry

_FILE: Final = Path(__file__).with_name("known.toml")


@dataclass(frozen=True)
class KnownModel:
    """One model as its owner publishes it.

    Attributes
    ----------
    url, member
        Where the file lies, or the zip that holds it under the name ``member``; empty where no
        program can fetch it.
    sha256, archive_sha256
        Hashes of the model's file and of the zip.
    size, archive_size
        In bytes; None where nobody says.
    kind
        A recogniser goes into the registry; a detector of faces and a rater of their quality are
        files that ``flask datasets`` takes.
    preprocessing
        What it is fed; None where it is no recogniser.
    dimension
        Length of an embedding; None where nobody says.
    terms
        What must be agreed to before it is fetched; empty for free licences.
    file
        What it is kept as where it is no recogniser.
    published, figures
        Accuracies in percent by dataset, and whose figures they are.
    probes
        Distances between the fixed probe images, pair by pair, as measured here.
    """

    name: str
    title: str
    licence: str
    source: str
    kind: Literal["recogniser", "detector", "quality"] = "recogniser"
    url: str = ""
    member: str = ""
    sha256: str = ""
    size: int | None = None
    archive_sha256: str = ""
    archive_size: int | None = None
    preprocessing: Preprocessing | None = None
    layout: Literal["auto", "nchw", "nhwc"] = "auto"
    dimension: int | None = None
    terms: str = ""
    file: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    figures: str = ""
    probes: tuple[float, ...] = ()

    @property
    def download(self) -> RemoteFile:
        """What is fetched: the file itself, or its archive."""
        note = f"Or get it by hand ({self.source}), then: {self.by_hand}"
        name = self.url.rsplit("/", 1)[-1]
        if self.member:
            return RemoteFile(self.url, name, self.archive_sha256, self.archive_size, note)
        return RemoteFile(self.url, name, self.sha256, self.size, note)

    @property
    def by_hand(self) -> str:
        """The command that takes a file which was got by hand."""
        fed = f" {described(self.preprocessing)}" if self.preprocessing else ""
        return f"flask models add {self.name} --onnx FILE{fed}"


@cache
def known_models() -> dict[str, KnownModel]:
    """Return every known model by name."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {name: _known(name, facts) for name, facts in content.items()}


def known_by_hash(sha256: str) -> KnownModel | None:
    """Return the known model that a file is, by its hash."""
    named = (known for known in known_models().values() if known.sha256)
    return next((known for known in named if known.sha256 == sha256), None)


def fed_otherwise(entry: ModelEntry) -> str:
    """Say that a model of the registry is fed otherwise than its owner feeds it; else nothing."""
    known = known_by_hash(entry.file_sha256)
    if known is None or known.preprocessing in (None, entry.preprocessing):
        return ""
    return (
        f"{entry.name} is {known.title}, which its owner feeds {described(known.preprocessing)}; "
        f"here it is fed {described(entry.preprocessing)}. {add_again(entry.name)}"
    )


def known_model(name: str) -> KnownModel:
    """Return one known model; ``ModelError`` lists those that can be fetched."""
    known = known_models().get(name)
    if known is None:
        have = ", ".join(each.name for each in known_models().values() if each.url)
        raise ModelError(
            f"{name!r} is not a known model; these can be pulled: {have}. Add a file of your own "
            f"with: flask models add {name} --onnx FILE"
        )
    if not known.url:
        raise ModelError(
            f"{name}: no program can fetch it ({known.source}). Get or make the file, then: "
            f"{known.by_hand}"
        )
    return known


def pull(
    data: Path, known: KnownModel, *, say: Callable[[str], None] = say_aloud
) -> ModelEntry | Path:
    """Fetch a known model and put it where it is looked for: the registry, or its file.

    Returns
    -------
    ModelEntry or Path
        The entry of a recogniser; the file of anything else. What is there already is not fetched.

    Raises
    ------
    FetchError, HashMismatchError, ModelError
        Where it cannot be had, is another file, or its name is taken by another model.
    """
    registry = ModelRegistry(data)
    kept = _kept(data, known)
    if known.file and _is(kept, known.sha256):
        return kept
    there = registry.entries().get(known.name)
    if there is not None and there.file_sha256 == known.sha256 and registry.is_sound(there):
        return there
    folder = data / "downloads" / "models"
    (arrived,) = fetch([known.download], folder, data=data, say=say)
    if known.member:
        arrived = take_member(arrived, known.member, folder / known.member, sha256=known.sha256)
    if known.file:
        keep_file(data, known, arrived)
        arrived.unlink()
        return kept
    if known.preprocessing is None:
        raise ModelError(f"{_FILE}: {known.name} does not say what it is fed.")
    entry = registry.add(
        known.name,
        arrived,
        preprocessing=known.preprocessing,
        layout=known.layout,
        title=known.title,
        licence=known.licence,
        source=known.source,
    )
    arrived.unlink()  # the registry has it now
    if known.dimension not in (None, entry.io.dimension):
        say(
            f"{known.name}: {entry.io.dimension}-D embeddings, {known.dimension} were expected: "
            "its owner says something else than the file."
        )
    return entry


def keep_file(data: Path, known: KnownModel, file: Path) -> Path:
    """Put a detector, or a rater of quality, where ``flask datasets`` looks for it."""
    target = _kept(data, known)
    write_whole(target, file.read_bytes())
    return target


def quality_file(data: Path, asked: Path) -> Path:
    """Return the file of a rater of quality: a known one by its name, or the file asked for.

    Raises
    ------
    ModelError
        Where it is not here.
    """
    known = known_models().get(str(asked))
    if known is None or known.kind != "quality":
        if asked.is_file():
            return asked
        names = [name for name, each in known_models().items() if each.kind == "quality"]
        raise ModelError(
            f"--quality {asked}: no such file, and no name of a model of quality; expected a file "
            f"or one of {', '.join(names)}."
        )
    file = _kept(data, known)
    if not _is(file, known.sha256):
        raise ModelError(f"{file} is missing or damaged. Run: flask models pull {known.name}")
    return file


def _kept(data: Path, known: KnownModel) -> Path:
    return data / "models" / known.file


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of_file(path) == sha256


def _known(name: str, facts: dict[str, Any]) -> KnownModel:
    facts = dict(facts)
    fed = {key: facts.pop(key) for key in ("color", "mean", "std") if key in facts}
    preprocessing = None
    if fed:
        preprocessing = Preprocessing(fed["color"], _channels(fed["mean"]), _channels(fed["std"]))
    probes = tuple(facts.pop("probes", ()))
    return KnownModel(name=name, preprocessing=preprocessing, probes=probes, **facts)


def _channels(value: float | list[float]) -> tuple[float, float, float]:
    first, second, third = value if isinstance(value, list) else [value] * 3
    return float(first), float(second), float(third)
