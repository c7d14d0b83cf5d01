"""Two rooms and one door: what may import what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from app.settings import ROOT

WRITES = "compute/publish/"
READS = "compute/releases/rows.py"
"""Reads the published rows for a release; all writing is left to ``compute/publish``."""
HEAVY = (
    "cv2",
    "onnx",
    "onnxruntime",
    "scipy",
    "tqdm",
    "matplotlib",
    "torch",
    "pyarrow",
    "pandas",
    "plotly",
    "narwhals",
    "pooch",
    "requests",
)


def test_the_site_loads_nothing_of_the_pipelines_libraries() -> None:
    program = (
        "import sys; from app import create_app; app = create_app(); "
        "app.test_client().get('/healthz'); app.test_client().get('/method'); "
        "app.test_client().get('/data'); "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def _imports(package: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in (ROOT / package).rglob("*.py"):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        found[path.relative_to(ROOT).as_posix()] = names
    return found


def test_the_site_starts_without_the_libraries_of_its_commands() -> None:
    program = "import sys; from app import create_app; create_app(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"alembic", "flask_migrate", "mako"} & set(done.stdout.split())


def test_only_publish_writes_through_the_tables() -> None:
    doors = {
        path
        for path, names in _imports("compute").items()
        if any(name == "app.models" or name.startswith("app.models.") for name in names)
    }
    assert {path for path in doors if not path.startswith(WRITES)} == {READS}


def test_what_only_reads_the_tables_never_writes() -> None:
    text = (ROOT / READS).read_text()
    assert not re.search(r"\b(insert|update|delete|add|add_all|merge|commit|flush)\(", text)


def test_the_site_reads_releases_without_the_pipeline() -> None:
    for path, names in _imports("app/data").items():
        assert not any(name.split(".")[0] == "compute" for name in names), path


def test_the_site_uses_only_the_pure_part_of_compute() -> None:
    pure = {"compute.occlusion", "compute.xmaps", "compute.blending"}
    for path, names in _imports("app").items():
        if path == "app/cli.py" or path.startswith("app/commands/"):
            continue
        modules = {".".join(name.split(".")[:2]) for name in names if name.startswith("compute")}
        assert modules - {"compute"} <= pure, path
