"""The tutorial of docs/own-data.md, executed: 200 images and a table, two commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from flask import Flask
from numpy.typing import NDArray

from app.settings import ROOT, Settings
from compute.alignment import DETECTOR_FILE, TEMPLATE
from compute.datasets import given
from compute.datasets.store import facts_of
from tests import onnx_models
from tests.pictures import encoded

TUTORIAL = (ROOT / "docs/own-data.md").read_text(encoding="utf-8")
PEOPLE, EACH = 40, 5


class FaceInTheMiddle:
    """Stands for the detector: the face is 20 pixels inside every photograph."""

    sha256 = "0" * 64

    def __init__(self, path: Path) -> None:
        assert path.is_file()

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        assert image.shape == (152, 152, 3), name
        return np.asarray(TEMPLATE + 20)


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    path = tmp_path / "xfv.sqlite3"
    path.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write what the tutorial asks for: photographs of 40 people, and pairs of them."""
    folder = tmp_path / "work"
    random = np.random.default_rng(0)
    for person in range(PEOPLE):
        face = random.integers(0, 256, (19, 19, 3)).repeat(8, axis=0).repeat(8, axis=1)
        (folder / f"photos/p{person}").mkdir(parents=True)
        for number in range(EACH):
            noisy = face + random.integers(-30, 31, (152, 152, 3))
            pixels = np.clip(noisy, 0, 255).astype(np.uint8)
            (folder / f"photos/p{person}/{number}.jpg").write_bytes(encoded(pixels, "JPEG"))
    rows = ["path1,path2,genuine"]
    for person in range(PEOPLE):
        other = (person + 1) % PEOPLE
        rows += [f"p{person}/0.jpg,p{person}/{i}.jpg,1" for i in range(1, EACH)]
        rows += [f"p{person}/{i}.jpg,p{other}/{i}.jpg,0" for i in range(1, EACH)]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def run(app: Flask, line: str) -> Result:
    program, *arguments = shlex.split(line)
    assert program == "flask"
    return app.test_cli_runner().invoke(args=arguments)


def test_the_tutorial_goes_from_images_to_explanations(
    app: Flask, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "LandmarkDetector", FaceInTheMiddle)
    models = settings.data_dir / "models"
    models.mkdir(parents=True)
    (models / DETECTOR_FILE).touch()
    toy = folder / "toy.onnx"
    toy.write_bytes(onnx_models.toy())
    assert run(app, f"flask models add toy --onnx {toy}").exit_code == 0
    [block] = re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL)
    commands = block.splitlines()
    assert len(commands) == 2

    monkeypatch.chdir(folder)
    outputs = []
    for command in commands:
        done = run(app, command)
        assert done.exit_code == 0, done.output
        outputs.append(done.output)

    assert "my-faces imported: 200 images, 320 pairs." in outputs[0]
    assert "4 pairs explained in set 'default'" in outputs[1]
    listed = run(app, "flask datasets list").output.splitlines()
    assert any(re.match(r"my-faces +320 +10 +\d+\.\.\d+ +explained", line) for line in listed)

    client = app.test_client()
    rows = client.get("/api/v1/pairs?dataset=my-faces&toy.explained=1").get_json()["rows"]
    assert len(rows) == 4
    first = facts_of(settings.data_dir, "my-faces").first_pair_id
    assert first > 1_000_000
    assert rows[0]["id"] == first
    assert rows[0]["identity1"] == rows[0]["identity2"] == "p0"
    page = client.get(f"/viewer/{first}")
    assert page.status_code == 200
    assert "My faces" in page.get_data(as_text=True)
    assert client.get("/explorer?dataset=my-faces").status_code == 200
