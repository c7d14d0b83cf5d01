"""The commands for data and models: exit codes, messages, and what they refuse."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from numpy.typing import NDArray
from PIL import Image

from app.commands.compute import read_ids
from app.settings import Settings
from compute.alignment import DETECTOR_FILE, TEMPLATE
from compute.datasets import given
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    image_sha256,
    write_dataset,
)
from compute.embedding import OnnxEmbedder, Preprocessing
from compute.files import sha256_of_file
from compute.graphs.probing import probe
from compute.models.checks import probe_distances
from compute.models.known import KnownModel
from tests import onnx_models, web_server


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """Use SQLite alone: these commands read no rows."""
    path = tmp_path / "xfv.sqlite3"
    path.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def run(runner: FlaskCliRunner, *arguments: object) -> Result:
    return runner.invoke(args=[str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "command",
    [
        ["compute"],
        ["demo"],
        ["doctor"],
        ["datasets"],
        ["datasets", "list"],
        ["datasets", "import"],
        ["datasets", "pull"],
        ["datasets", "verify"],
        ["datasets", "derive"],
        ["datasets", "remove"],
        ["models"],
        ["models", "list"],
        ["models", "add"],
        ["models", "verify"],
        ["models", "pull"],
        ["models", "card"],
        ["models", "remove"],
        ["export"],
        ["import"],
    ],
)
def test_every_command_explains_itself(command: list[str], runner: FlaskCliRunner) -> None:
    done = run(runner, *command, "--help")
    assert done.exit_code == 0
    assert done.output.startswith("Usage:")


@pytest.mark.parametrize("error", [RuntimeError("unforeseen"), ModuleNotFoundError(name="gone")])
def test_what_nobody_foresaw_fails_too_and_is_told_whole(
    runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_data: Path) -> None:
        raise error

    monkeypatch.setattr("compute.datasets.states.known_datasets", fail)
    done = run(runner, "datasets", "list")
    assert done.exit_code == 2
    assert "Traceback" in done.output
    assert "This is a mistake of the program" in done.output


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    path = tmp_path / "toy.onnx"
    path.write_bytes(onnx_models.toy())
    return path


def test_migrations_are_run_by_flask_db(runner: FlaskCliRunner) -> None:
    current = runner.invoke(args=["db", "current"])
    assert current.exit_code == 0, current.output
    upgraded = runner.invoke(args=["db", "upgrade"])
    assert upgraded.exit_code == 0, upgraded.output
    assert runner.invoke(args=["db", "check"]).exit_code == 0
    assert "No such command 'up'" in runner.invoke(args=["db", "up"]).output
    assert "upgrade" in runner.invoke(args=["db", "--help"]).output


def test_models_are_added_listed_and_verified(runner: FlaskCliRunner, toy: Path) -> None:
    assert "No models yet" in run(runner, "models", "list").output
    options = ("--color", "bgr", "--mean", "1,2,3", "--std", "127.5", "--layout", "nchw")
    added = run(runner, "models", "add", "toy", "--onnx", toy, *options)
    assert added.exit_code == 0
    assert "toy added: 16-D embeddings, nchw, at any batch" in added.output
    assert run(runner, "models", "add", "toy", "--onnx", toy, *options).exit_code == 0
    listed = run(runner, "models", "list").output
    assert "toy: 16-D, nchw, any batch, --color bgr --mean 1,2,3 --std 127.5, SHA-256" in listed
    verified = run(runner, "models", "verify")
    assert (verified.exit_code, verified.output.count("toy:")) == (0, 1)


def test_a_model_that_changed_does_not_verify(
    runner: FlaskCliRunner, toy: Path, settings: Settings
) -> None:
    assert run(runner, "models", "add", "toy", "--onnx", toy).exit_code == 0
    copy = settings.data_dir / "models" / "toy.onnx"
    copy.write_bytes(onnx_models.toy(seed=9))
    done = run(runner, "models", "verify", "toy")
    assert done.exit_code == 2
    assert f"Error: {copy}: SHA-256 is" in done.output


@pytest.fixture
def known(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnownModel]:
    """Return a known model with terms, the only one there is, on a server of the test."""
    data = toy.read_bytes()
    with web_server.running() as web:
        web.files["/toy.onnx"] = data
        known = KnownModel(
            name="toy",
            title="The toy",
            licence="Toys",
            source="a shelf",
            url=web.url("/toy.onnx"),
            sha256=hashlib.sha256(data).hexdigest(),
            preprocessing=Preprocessing("bgr", (127.5,) * 3, (127.5,) * 3),
            dimension=16,
            terms="For play only.",
            published={"lfw": 99.5},
            figures="its box",
        )
        known = replace(known, probes=known_probes(toy, known))
        monkeypatch.setattr("compute.models.known.known_models", lambda: {"toy": known})
        yield known


def known_probes(file: Path, known: KnownModel) -> tuple[float, ...]:
    assert known.preprocessing is not None
    io = probe(file, known.preprocessing)
    return probe_distances(OnnxEmbedder(file, known.preprocessing, io, threads=1))


def test_a_known_model_is_pulled_once_its_terms_are_agreed_to(
    runner: FlaskCliRunner, known: KnownModel, settings: Settings
) -> None:
    for answer in ("", "n\n"):
        done = runner.invoke(args=["models", "pull", "toy"], input=answer)
        assert done.exit_code == 2
        assert "For play only." in done.output
        assert "not agreed to (--accept-licence does so)" in done.output
    assert not (settings.data_dir / "models").exists()
    done = runner.invoke(args=["models", "pull", "toy"], input="y\n")
    assert done.exit_code == 0, done.output
    assert "toy added: 16-D embeddings" in done.output
    assert "toy: answers on the probe images are those on record" in done.output
    again = run(runner, "models", "pull", "toy", "--accept-licence")
    assert again.exit_code == 0
    done = run(runner, "models", "pull", "other")
    assert done.exit_code == 2
    assert "'other' is not a known model; these can be pulled: toy" in done.output


def test_a_known_file_that_is_fed_wrongly_is_named(
    runner: FlaskCliRunner, known: KnownModel, toy: Path
) -> None:
    wrong = ("--mean", "127.5", "--std", "127.5")
    added = run(runner, "models", "add", "mine", "--onnx", toy, *wrong)
    assert added.exit_code == 0
    assert "Warning: mine is The toy, which its owner feeds --color bgr" in added.output
    card = run(runner, "models", "card", "mine").output
    assert re.search(r"^licence +Toys$", card, re.MULTILINE)  # what is known need not be said
    looked = run(runner, "doctor")
    assert "look   model         mine is The toy, which its owner feeds" in looked.output
    assert (
        run(runner, "models", "add", "toy", "--onnx", toy, "--color", "bgr", *wrong).exit_code == 0
    )
    done = run(runner, "models", "verify")
    assert done.exit_code == 2
    assert "Error: Model 'mine': wrong colour order" in done.output
    assert "toy: answers on the probe images are those on record" in done.output
    assert "Error: 1 of the models did not pass." in done.output


def test_a_detector_that_was_got_by_hand_is_kept_as_what_it_is(
    runner: FlaskCliRunner,
    known: KnownModel,
    toy: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = replace(known, name="yunet", kind="detector", file=DETECTOR_FILE)
    monkeypatch.setattr("compute.models.known.known_models", lambda: {"yunet": detector})
    done = run(runner, "models", "add", "yunet", "--onnx", toy)
    assert done.exit_code == 0, done.output
    assert "toy.onnx is The toy: kept as" in done.output
    assert (settings.data_dir / "models" / DETECTOR_FILE).read_bytes() == toy.read_bytes()
    assert "No models yet" in run(runner, "models", "list").output


def test_how_a_model_is_fed_is_checked_on_a_dataset(
    runner: FlaskCliRunner, known: KnownModel, toy: Path, settings: Settings
) -> None:
    generator = np.random.default_rng(0)
    count = 60
    colours = generator.integers(40, 216, (count, 8, 8, 3)).repeat(14, axis=1).repeat(14, axis=2)
    noisy = colours[:, None] + generator.normal(0, 12, (count, 2, 112, 112, 3))
    images = np.clip(noisy, 0, 255).astype(np.uint8).reshape(-1, 112, 112, 3)
    pairs = [
        PairRecord(
            30001 + i, 2 * i, (2 * i + 1 + 4 * (i % 2)) % 120, genuine=i % 2 == 0, fold=i // 6
        )
        for i in range(count)
    ]
    write_dataset(
        settings.data_dir,
        "demo",
        images=images,
        records=[ImageRecord(str(i), "A", image_sha256(image)) for i, image in enumerate(images)],
        pairs=pairs,
        skipped=[],
        origin={},
    )
    fed = ("--color", "bgr", "--mean", "127.5", "--std", "127.5")
    assert run(runner, "models", "add", "toy", "--onnx", toy, *fed).exit_code == 0
    options = ("--dataset", "demo", "--pairs", "60")
    done = run(runner, "models", "verify", "toy", *options)
    assert done.exit_code == 0, done.output
    assert "toy on demo: no other usual way to feed it sets 60 pairs apart better." in done.output
    assert "% on 60 pairs; none is published." in done.output
    few = run(runner, "models", "verify", "toy", "--dataset", "demo", "--pairs", "3")
    assert (few.exit_code, "--pairs 3: expected 40 or more" in few.output) == (2, True)
    other = toy.with_name("other.onnx")
    other.write_bytes(onnx_models.toy(seed=1))
    assert run(runner, "models", "add", "raw", "--onnx", other).exit_code == 0
    done = run(runner, "models", "verify", "raw", *options)
    assert done.exit_code == 2
    assert "raw on demo: probably wrong normalisation. Fed --color rgb --mean 0" in done.output


def test_values_for_pixels_from_0_to_1_are_pointed_out(runner: FlaskCliRunner, toy: Path) -> None:
    done = run(runner, "models", "add", "half", "--onnx", toy, "--mean", "0.5", "--std", "0.5")
    assert done.exit_code == 0
    assert "these look as if for x in 0..1. Multiply both by 255." in done.output


def test_a_card_says_all_that_is_known(
    runner: FlaskCliRunner, known: KnownModel, tmp_path: Path
) -> None:
    card = run(runner, "models", "card", "toy")
    assert card.exit_code == 0
    for said in ("known, not in the registry", "For play only.", "lfw 99.5 % (its box)", known.url):
        assert said in card.output
    file = tmp_path / "three.onnx"
    file.write_bytes(onnx_models.toy(batch=3))
    added = run(runner, "models", "add", "three", "--onnx", file, "--licence", "Mine")
    assert "three: made for batches of 3, opened to any (checked row by row)." in added.output
    card = run(runner, "models", "card", "three")
    for said in ("Mine", "any batch", "made for batches of 3", sha256_of_file(file), "nothing yet"):
        assert said in card.output
    assert run(runner, "models", "card", "nobody").exit_code == 2
    listed = run(runner, "models", "list", "--known").output
    assert "The toy; LFW 99.5 %; Toys" in listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Toy"], "Model name 'Toy'"),
        (["a__b"], "without '__'"),
        (["toy", "--mean", "1,2"], "expected one number or three, found 2"),
        (["toy", "--mean", "one"], "expected a number, or three separated by commas"),
        (["toy", "--mean", "nan"], "three finite numbers"),
        (["toy", "--std", "0"], "expected numbers above 0"),
        (["toy", "--std", "1,2,-3"], "expected numbers above 0"),
        (["toy", "--color", "grb"], "Invalid value for '--color'"),
        (["toy", "--layout", "nhwc"], "--layout nhwc"),
    ],
)
def test_models_add_refuses_and_names_what_is_wrong(
    arguments: list[str], message: str, runner: FlaskCliRunner, toy: Path, settings: Settings
) -> None:
    done = run(runner, "models", "add", *arguments, "--onnx", toy)
    assert done.exit_code == 2
    assert message in done.output
    assert not (settings.data_dir / "models" / "registry.toml").exists()


def test_models_add_needs_a_file(runner: FlaskCliRunner, tmp_path: Path) -> None:
    assert run(runner, "models", "add", "toy").exit_code == 2
    done = run(runner, "models", "add", "toy", "--onnx", tmp_path / "gone.onnx")
    assert done.exit_code == 2
    assert "gone.onnx: no such file" in done.output
    done = run(runner, "models", "add", "toy", "--onnx", tmp_path)
    assert done.exit_code == 2


def test_a_data_folder_that_cannot_be_made_is_said(
    runner: FlaskCliRunner, toy: Path, settings: Settings
) -> None:
    settings.data_dir.write_text("a file in the way")
    done = run(runner, "models", "add", "toy", "--onnx", toy)
    assert done.exit_code == 2
    assert str(settings.data_dir) in done.output
    assert "mend this and run the command again" in done.output


def test_a_full_disk_is_said(
    runner: FlaskCliRunner, toy: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = run(runner, "models", "add", "toy", "--onnx", toy)
    assert done.exit_code == 2
    assert "No space left on device. Finished work is kept" in done.output
    assert run(runner, "models", "add", "toy", "--onnx", toy).exit_code == 0


class FaceEverywhere:
    """Stands for the detector: the template is the face, in every picture."""

    sha256 = "0" * 64

    def __init__(self, path: Path) -> None:
        self.path = path

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        return np.zeros((5, 2)) if image.mean() < 1 else np.asarray(TEMPLATE)


def photograph(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(9, 256, (130, 120, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels if seed else np.zeros_like(pixels)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """Return an archive of 12 photographs and a list of 6000 pairs over 13 of them."""
    images, pairs = tmp_path / "lfw.tgz", tmp_path / "pairs.txt"
    with tarfile.open(images, "w:gz") as archive:
        for i in range(12):
            info = tarfile.TarInfo(f"lfw/P{i % 6}/P{i % 6}_{1 + i // 6:04d}.jpg")
            data = photograph(i)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    lines = ["10\t300"]
    for _ in range(10):
        lines += [f"P{i % 6}\t1\t2" for i in range(299)] + ["P1\t2\t3"]
        lines += [f"P{i % 6}\t1\tP{(i + 1) % 6}\t2" for i in range(300)]
    pairs.write_text("\n".join(lines), encoding="utf-8")
    return images, pairs


def test_an_import_lists_what_it_skips(
    runner: FlaskCliRunner,
    sources: tuple[Path, Path],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(given, "LandmarkDetector", FaceEverywhere)
    (settings.data_dir / "models").mkdir(parents=True)
    (settings.data_dir / "models" / DETECTOR_FILE).touch()
    images, pairs = sources
    command = ("datasets", "import", "lfw", "--images", images, "--pairs", pairs)
    done = run(runner, *command)
    assert done.exit_code == 1, done.output
    assert "lfw imported: 11 images, 4990 pairs." in done.output
    assert "Next: flask compute --dataset lfw" in done.output
    assert f"skipped P1/P1_0003.jpg: not in {images}" in done.output
    assert "skipped P0/P0_0001.jpg: cannot be aligned" in done.output
    assert "skipped pair 1: needs P0/P0_0001.jpg" in done.output
    assert "skipped pair 300: needs P1/P1_0003.jpg" in done.output
    assert f"{2 + 1010} skipped in all, 1010 of them pairs" in done.output
    again = run(runner, *command)
    assert again.exit_code == 1
    assert "lfw is imported already: 11 images, 4990 pairs." in again.output
    verified = run(runner, "datasets", "verify", "lfw")
    assert "lfw: 11 images and 4990 pairs are sound." in verified.output
    listed = run(runner, "datasets", "list").output
    assert "imported" in next(line for line in listed.splitlines() if line.startswith("lfw "))
    assert "absent" in next(line for line in listed.splitlines() if line.startswith("demo "))


def test_options_that_would_mean_nothing_are_refused(
    runner: FlaskCliRunner, tmp_path: Path
) -> None:
    for arguments, message in (
        (("import", "demo", "--images", tmp_path), "demo is drawn by code: leave --images out"),
        (
            ("derive", "a", "--from", "b", "--degrade", "jpeg=9", "--fold-count", "5"),
            "--fold-count belongs to --folds",
        ),
        (("derive", "a", "--from", "b", "--fold-count", "0"), "0 is not in the range x>=2"),
        (("import", "mine", "--images", tmp_path, "--seed", "-1"), "-1 is not in the range x>=0"),
        (
            ("import", "mine", "--images", tmp_path, "--pairs", tmp_path, "--per-label", "9"),
            "--per-label says how many pairs to draw, but they are listed",
        ),
    ):
        done = run(runner, "datasets", *arguments)
        assert done.exit_code == 2
        assert message in done.output


def test_an_import_says_what_it_needs(
    runner: FlaskCliRunner, sources: tuple[Path, Path], tmp_path: Path, settings: Settings
) -> None:
    images, pairs = sources
    both = ("--images", images, "--pairs", pairs)
    wrong = tmp_path / "yunet.onnx"
    wrong.write_bytes(b"another network")
    for arguments, message in (
        (("lwf",), "Unknown dataset 'lwf': expected one of lfw, calfw, "),
        (("lfw",), "lfw needs --images and --pairs"),
        (("lfw", "--images", images), "lfw needs --images and --pairs"),
        (("lfw", *both), f"The face detector {DETECTOR_FILE} is in none of"),
        (("lfw", *both, "--detector", wrong), f"{wrong}: SHA-256 is"),
        (
            ("lfw", *both, "--detector", tmp_path / "gone"),
            "gone: no such file, and no name of a detector",
        ),
        (("lfw", "--images", images, "--pairs", tmp_path / "gone", "--detector", wrong), "--pairs"),
        (("lfw", "--images", images, "--pairs", images, "--detector", wrong), "not a text file"),
    ):
        done = run(runner, "datasets", "import", *arguments)
        assert done.exit_code == 2, done.output
        assert message in done.output
    assert not (settings.data_dir / "datasets").exists()


def test_an_import_without_its_images_fails(
    runner: FlaskCliRunner,
    sources: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(given, "LandmarkDetector", FaceEverywhere)
    for path in (tmp_path / "gone.tar", sources[1]):
        done = run(
            runner,
            *("datasets", "import", "lfw", "--images", path, "--pairs", sources[1]),
            *("--detector", sources[1]),
        )
        assert done.exit_code == 2
        assert f"{path}: n" in done.output  # no such file; neither a folder nor an archive


def test_a_folder_in_the_way_of_an_import_is_said_before_any_work(
    runner: FlaskCliRunner,
    sources: tuple[Path, Path],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(given, "LandmarkDetector", FaceEverywhere)
    folder = settings.data_dir / "datasets" / "lfw"
    folder.mkdir(parents=True)
    images, pairs = sources
    done = run(
        runner,
        *("datasets", "import", "lfw", "--images", images, "--pairs", pairs),
        *("--detector", pairs),
    )
    assert done.exit_code == 2
    assert f"{folder} is there without its dataset.json" in done.output


def test_verifying_a_dataset_finds_a_damaged_image(
    runner: FlaskCliRunner, settings: Settings
) -> None:
    absent = run(runner, "datasets", "verify", "demo")
    assert (absent.exit_code, "not imported" in absent.output) == (2, True)
    images = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    write_dataset(
        settings.data_dir,
        "demo",
        images=images,
        records=[ImageRecord(str(i), "A", image_sha256(image)) for i, image in enumerate(images)],
        pairs=[PairRecord(30001, 0, 1, genuine=True, fold=0)],
        skipped=[Skipped(f"pair {number}", "needs 3") for number in range(30002, 30601)],
        origin={},
    )
    sound = run(runner, "datasets", "verify", "demo")
    assert sound.exit_code == 1
    assert sound.output.startswith("demo: 2 images and 1 pairs are sound.\n")
    path = settings.data_dir / "datasets" / "demo" / "images.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    done = run(runner, "datasets", "verify", "demo")
    assert done.exit_code == 2
    assert f"{path}: SHA-256 is" in done.output


def test_computing_without_models_or_data_says_so(runner: FlaskCliRunner, toy: Path) -> None:
    done = run(runner, "compute", "--dataset", "demo")
    assert done.exit_code == 2
    assert "There are no models. Add one with" in done.output
    assert run(runner, "models", "add", "toy", "--onnx", toy).exit_code == 0
    done = run(runner, "compute", "--dataset", "demo")
    assert done.exit_code == 2
    assert "'demo' is not imported" in done.output
    assert run(runner, "compute").exit_code == 2
    assert run(runner, "compute", "--dataset", "demo", "--stage", "draw").exit_code == 2


def test_an_interrupt_is_a_failure_without_a_traceback(
    runner: FlaskCliRunner, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("compute.registry.take_in", interrupted)
    done = run(runner, "models", "add", "toy", "--onnx", toy)
    assert done.exit_code == 2
    assert "Stopped. Finished work is kept" in done.output


def test_ids_and_ranges() -> None:
    assert read_ids(None) is None
    assert read_ids("3") == [3]
    assert read_ids("3, 10-12,3") == [3, 10, 11, 12, 3]


@pytest.mark.parametrize(
    "given", ["", ",", "x", "3-", "-3", "1-2-3", "5-3", "1-99999999999", "1.5"]
)
def test_ids_that_are_none_are_refused(given: str, runner: FlaskCliRunner, toy: Path) -> None:
    assert run(runner, "models", "add", "toy", "--onnx", toy).exit_code == 0
    done = run(runner, "compute", "--dataset", "demo", "--pairs", given)
    assert done.exit_code == 2
    assert f"--pairs {given!r}" in done.output.replace("\n", " ")
