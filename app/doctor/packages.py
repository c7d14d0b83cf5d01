"""Python and the installed packages against the pins of the requirements."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from app.doctor.finding import Finding
from app.settings import ROOT

OLDEST: Final = (3, 11)
SITE: Final = "requirements.txt"
PIPELINE: Final = "requirements/compute.txt"
GPU: Final = "requirements/gpu.txt"
OPENVINO: Final = "requirements/openvino.txt"

_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>\S+)")

Installed = Callable[[str], str | None]
"""Version of a package; None where it is not installed."""


def installed_version(name: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Compare the interpreter with the oldest that the code is written for."""
    text = ".".join(map(str, version))
    if version >= OLDEST:
        return Finding("right", "Python", text)
    needed = ".".join(map(str, OLDEST))
    return Finding(
        "wrong", "Python", f"{text}, expected {needed} or newer", "Build the environment anew."
    )


def check_packages(
    root: Path = ROOT, installed: Installed = installed_version
) -> Iterator[Finding]:
    """Compare what is installed with what is pinned, for the site and for the pipeline."""
    yield _compare(root, SITE, installed)
    if installed("openvino"):
        yield _compare(root, OPENVINO, installed)
    if installed("onnxruntime") and installed("onnxruntime-gpu"):
        yield Finding(
            "wrong",
            "packages",
            "onnxruntime and onnxruntime-gpu are both installed: each hides the other",
            "Run: pip uninstall onnxruntime onnxruntime-gpu, then install one requirements file.",
        )
    elif installed("onnxruntime-gpu"):
        yield _compare(root, GPU, installed)
    elif not serves_only(installed):
        yield _compare(root, PIPELINE, installed)
    else:
        yield Finding(
            "absent",
            "packages",
            "the pipeline is not installed: this environment only serves the site",
            f"To compute here, run: pip install -r {PIPELINE}",
        )


def serves_only(installed: Installed = installed_version) -> bool:
    """Tell whether the environment is one without the pipeline."""
    return not any(
        installed(name) for name in ("onnxruntime", "onnxruntime-gpu", "opencv-python-headless")
    )


def _compare(root: Path, file: str, installed: Installed) -> Finding:
    path = root / file
    if not path.is_file():
        return Finding("absent", "packages", f"{file} is not part of this installation")
    pins = [
        (match["name"], match["version"])
        for match in map(_PIN.match, path.read_text(encoding="utf-8").splitlines())
        if match is not None
    ]
    have = {name: installed(name) for name, _ in pins}
    missing = [name for name, _ in pins if have[name] is None]
    others = [
        f"{name} is {have[name]}, pinned {version}"
        for name, version in pins
        if have[name] not in (None, version)
    ]
    remedy = f"Run: pip install -r {file}"
    if missing:
        text = f"{file}: not installed: {', '.join(missing)}"
        return Finding("wrong", "packages", "; ".join([text, *others]), remedy)
    if others:
        return Finding("doubtful", "packages", f"{file}: {'; '.join(others)}", remedy)
    return Finding("right", "packages", f"{file}: all {len(pins)} as pinned")
