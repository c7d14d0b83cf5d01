"""The registry of face verification models: a TOML file, and what it pins by hash.

That is an ONNX file, or the answers of a black box behind a URL.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

import tomli_w

from compute.embedding import ModelIO, Preprocessing
from compute.errors import ComputeError, ModelError
from compute.files import exclusive, require_sha256, sha256_of_file, write_whole
from compute.graphs import onnx_graph
from compute.graphs.intake import take_in
from compute.graphs.probing import probe
from compute.models.feeding import described
from compute.remote.service import RemoteEndpoint, probe_service, require_same

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class ModelEntry:
    """One model of the registry: what it is, how it is fed, what it returns.

    Attributes
    ----------
    sha256
        Pinned hash of the ONNX file, ``<name>.onnx`` beside the registry.
    preprocessing
        What becomes of an RGB image on its way in.
    io
        Names and shapes of input and output, as probed when the model was added.
    given_sha256
        Hash of the file that was given, where it was changed on its way in; else empty.
    changes
        What was changed in it, in words.
    endpoint
        Where a black box answers over HTTP; there is no file then, and ``sha256`` is the
        endpoint's.

    Fields with a default are written only where they say something: a registry without them, of an
    earlier version, reads as it did.
    """

    name: str
    title: str
    licence: str
    source: str
    sha256: str
    preprocessing: Preprocessing
    io: ModelIO
    given_sha256: str = ""
    changes: tuple[str, ...] = ()
    endpoint: RemoteEndpoint | None = None

    @property
    def file_sha256(self) -> str:
        """Hash of the file as it was given: what its owner publishes."""
        return self.given_sha256 or self.sha256

    @property
    def fed(self) -> dict[str, Any]:
        """How the model is fed, as JSON: color, mean, std and layout, or a black box's address."""
        if self.endpoint:
            return {"url": self.endpoint.url, "answers": self.endpoint.answers}
        return {
            "color": self.preprocessing.color,
            "mean": list(self.preprocessing.mean),
            "std": list(self.preprocessing.std),
            "layout": self.io.layout,
        }


class ModelRegistry:
    """Models in ``<data>/models/registry.toml``.

    Attributes
    ----------
    engines
        Folder of what engines keep, and of what was measured of them.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / "models"
        self.engines = data / "engines"
        self._file = self._folder / "registry.toml"

    def entries(self) -> dict[str, ModelEntry]:
        """Return all models by name, in the order they were added.

        Raises
        ------
        ModelError
            Where the registry cannot be read; names the file and the entry.
        """
        if not self._file.is_file():
            return {}
        try:
            content = tomllib.loads(self._file.read_text(encoding="utf-8"))
            models = {name: dict(stored) for name, stored in dict(content["models"]).items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self._file}: not a model registry ({error}). Mend it, or delete it and add the "
                "models again."
            ) from error
        return {name: self._entry(name, stored) for name, stored in models.items()}

    def get(self, name: str) -> ModelEntry:
        """Return one model; ``ModelError`` lists the names there are."""
        entries = self.entries()
        if name not in entries:
            have = ", ".join(entries) or "none yet"
            raise ModelError(
                f"Unknown model {name!r}; in the registry: {have}. Add it with: flask models add "
                f"{name} --onnx FILE"
            )
        return entries[name]

    def is_sound(self, entry: ModelEntry) -> bool:
        """Tell whether the model's file is there with its hash."""
        path = self._folder / f"{entry.name}.onnx"
        return path.is_file() and sha256_of_file(path) == entry.sha256

    def path(self, entry: ModelEntry) -> Path:
        """Return the model's file after checking its hash."""
        path = self._folder / f"{entry.name}.onnx"
        if not path.is_file():
            raise ModelError(f"{path} is missing. Add the file of model {entry.name!r} again.")
        require_sha256(path, entry.sha256, remedy="Add the right file again (flask models add).")
        return path

    def add(
        self,
        name: str,
        onnx: Path,
        *,
        preprocessing: Preprocessing,
        layout: Literal["auto", "nchw", "nhwc"] = "auto",
        output: str | None = None,
        title: str = "",
        licence: str = "",
        source: str = "",
    ) -> ModelEntry:
        """Check a model on fixed probe images, keep its file and pin its hash.

        What is kept is the file as it was given, or as ``intake`` made it: weights beside it taken
        in, denormals zeroed, its batch opened. The entry says which.

        Adding the same file in the same way again changes nothing, but for a copy that was damaged
        or deleted since: it is restored.

        Raises
        ------
        ModelError
            For a name or a file that cannot be used, or a name that means another model.
        """
        require_name(name)
        if not onnx.is_file():
            raise ModelError(f"{onnx}: no such file. Check --onnx.")
        with exclusive(self._folder / ".lock", doing="changing the model registry"):
            entries = self.entries()
            given_sha256 = sha256_of_file(onnx)
            intake = take_in(onnx, preprocessing, layout, output)
            sha256 = hashlib.sha256(intake.data).hexdigest()
            entry = ModelEntry(
                name=name,
                title=title or name,
                licence=licence,
                source=source or onnx.name,
                sha256=sha256,
                preprocessing=preprocessing,
                io=intake.io,
                given_sha256="" if sha256 == given_sha256 else given_sha256,
                changes=intake.changes,
            )
            if sha256_of_file(onnx) != given_sha256:
                raise ModelError(f"{onnx}: the file changed while it was added. Add it again.")
            known = entries.get(name)
            if known is not None:
                _require_same(known, entry)
                # An earlier version may have kept the file as it was given.
                data = intake.data if known.sha256 == sha256 else onnx.read_bytes()
            else:
                data = intake.data
            self._restore(known or entry, data)
            if known is None:
                self._write({**entries, name: entry})
            return known or entry

    def add_service(
        self,
        name: str,
        endpoint: RemoteEndpoint,
        *,
        title: str = "",
        licence: str = "",
        source: str = "",
    ) -> ModelEntry:
        """Check a black box on fixed probe images and pin what it answers.

        Adding the same service again changes how it is spoken to (batch, timeout, rate, key).

        Raises
        ------
        ModelError, RemoteError
            For a name or a service that cannot be used, or a name that means another model.
        """
        require_name(name)
        with exclusive(self._folder / ".lock", doing="changing the model registry"):
            entries = self.entries()
            known = entries.get(name)
            if known is None:
                pinned = probe_service(endpoint)
            elif known.endpoint and known.endpoint.asks_as(endpoint):
                pinned = replace(endpoint, **known.endpoint.pinned)
                require_same(pinned)
            else:
                raise ModelError(
                    f"Model {name!r} is in the registry already, with a file or another URL. "
                    f"{_another_name(name)}"
                )
            entry = ModelEntry(
                name=name,
                title=title or (known.title if known else name),
                licence=licence or (known.licence if known else ""),
                source=source or (known.source if known else endpoint.url),
                sha256=pinned.sha256,
                preprocessing=Preprocessing(),
                io=ModelIO("", "", "nhwc", pinned.batch, pinned.dimension),
                endpoint=pinned,
            )
            self._write({**entries, name: entry})
            return entry

    def remove(self, name: str) -> None:
        """Forget a model and delete its file; one that is not there is nothing to remove."""
        require_name(name)
        with exclusive(self._folder / ".lock", doing="changing the model registry"):
            entries = self.entries()
            if entries.pop(name, None) is not None:
                self._write(entries)
            (self._folder / f"{name}.onnx").unlink(missing_ok=True)

    def verify(self, entry: ModelEntry) -> None:
        """Probe a model again; ``ModelError`` where it is not what was added."""
        if entry.endpoint:
            require_same(entry.endpoint)
            return
        path = self.path(entry)
        model, _ = onnx_graph.read(path)
        found = probe(
            path,
            entry.preprocessing,
            entry.io.layout,
            entry.io.output,
            half=onnx_graph.uses_half(model),
        )
        if found != entry.io:
            raise ModelError(
                f"Model {entry.name!r} was added as {entry.io} and now is {found}: another version "
                "of ONNX Runtime reads it differently. Install the former one."
            )

    def _restore(self, entry: ModelEntry, data: bytes) -> None:
        """Keep the entry's file, unless it is there and sound."""
        target = self._folder / f"{entry.name}.onnx"
        if self.is_sound(entry):
            return
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ModelError(
                f"{target} is damaged or missing, and cannot be made again from the file given: "
                f"another version prepared it. Add the file under another name than {entry.name!r}."
            )
        write_whole(target, data)

    def _write(self, entries: Mapping[str, ModelEntry]) -> None:
        models = {}
        for name, entry in entries.items():
            defaults = {field.name: field.default for field in fields(ModelEntry)}
            models[name] = {
                key: value
                for key, value in asdict(entry).items()
                if key != "name" and value != defaults[key]
            }
        write_whole(self._file, tomli_w.dumps({"models": models}).encode())

    def _entry(self, name: str, stored: dict[str, Any]) -> ModelEntry:
        known = {field.name for field in fields(ModelEntry)} - {"name"}
        required = {field.name for field in fields(ModelEntry) if field.default is MISSING}
        wrong = (set(stored) - known) | (required - {"name"} - set(stored))
        if wrong:
            raise ModelError(
                f"{self._file}, model {name!r}: missing or unknown keys: "
                f"{', '.join(sorted(wrong))}."
            )
        given = stored["preprocessing"]
        try:
            read = {
                "preprocessing": Preprocessing(
                    color=given["color"], mean=tuple(given["mean"]), std=tuple(given["std"])
                ),
                "io": ModelIO(**stored["io"]),
                "changes": tuple(stored.get("changes", ())),
                "endpoint": RemoteEndpoint.from_dict(stored["endpoint"])
                if "endpoint" in stored
                else None,
            }
        except (KeyError, TypeError, ValueError, ComputeError) as error:
            raise ModelError(f"{self._file}, model {name!r}: {error}.") from error
        return ModelEntry(**{**stored, "name": name, **read})


def _require_same(known: ModelEntry, entry: ModelEntry) -> None:
    """Raise ``ModelError`` unless both are one model, fed and read alike."""
    if (
        entry.file_sha256 not in (known.file_sha256, known.sha256)
        or known.preprocessing != entry.preprocessing
        or replace(known.io, batch=0) != replace(entry.io, batch=0)
    ):
        raise ModelError(
            f"Model {known.name!r} is in the registry already, with another file or fed in another "
            f"way (SHA-256 {known.file_sha256[:12]}..., {described(known.preprocessing)}). "
            f"{_another_name(known.name)}"
        )


def _another_name(name: str) -> str:
    return (
        "Choose another name, since published results belong to the old one; or remove that with "
        f"its results: flask models remove {name}"
    )


def require_name(name: str) -> None:
    """Raise ``ModelError`` unless a model can have this name: it is that of its files, too."""
    if not NAME.fullmatch(name) or "__" in name:
        raise ModelError(
            f"Model name {name!r}: expected 1 to 64 of a-z, 0-9, '-' and '_', beginning with a "
            "letter or a digit, without '__'."
        )
