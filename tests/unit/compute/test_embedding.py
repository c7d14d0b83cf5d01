"""Models in and out: what is fed, what is refused, and that batches never matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.embedding import DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.errors import ComputeError, EmbeddingError, ModelError
from compute.graphs.probes import probe_images
from compute.graphs.probing import probe
from tests import onnx_models
from tests.onnx_models import DIMENSION, toy, toy_embeddings

HALF = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def written(folder: Path, model: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model)
    return path


def embedder(path: Path, preprocessing: Preprocessing = HALF, **options: Any) -> OnnxEmbedder:
    return OnnxEmbedder(path, preprocessing, probe(path, preprocessing), threads=1, **options)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (toy, ModelIO("image", "embedding", "nchw", DYNAMIC, DIMENSION)),
        (lambda: toy(batch=3), ModelIO("image", "embedding", "nchw", 3, DIMENSION)),
        (lambda: toy(batch=1), ModelIO("image", "embedding", "nchw", 1, DIMENSION)),
        (lambda: toy(layout="nhwc"), ModelIO("image", "embedding", "nhwc", DYNAMIC, DIMENSION)),
        (
            lambda: toy(layout="nhwc", batch=5, input_name="data:0"),
            ModelIO("data:0", "embedding", "nhwc", 5, DIMENSION),
        ),
        (lambda: toy(tail=(1, 1)), ModelIO("image", "tailed", "nchw", DYNAMIC, DIMENSION)),
        (onnx_models.baked_batch, ModelIO("image", "embedding", "nchw", 1, DIMENSION)),
    ],
    ids=["any batch", "batch 3", "batch 1", "nhwc", "nhwc batch 5", "tail", "baked"],
)
def test_a_sound_model_is_understood_and_embeds_as_numpy_does(
    model: Callable[[], bytes], expected: ModelIO, tmp_path: Path
) -> None:
    path = written(tmp_path, model())
    assert probe(path, HALF) == expected
    given = images(7)
    found = embedder(path)(given)
    assert found.shape == (7, DIMENSION)
    assert found.dtype == np.float32
    wanted = toy_embeddings(given, mean=(127.5,) * 3, std=(127.5,) * 3)
    assert np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_colour_order_mean_and_std_per_channel(
    layout: Literal["nchw", "nhwc"], color: Literal["rgb", "bgr"], tmp_path: Path
) -> None:
    mean, std = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
    path = written(tmp_path, toy(layout=layout))
    given = images(3)
    found = embedder(path, Preprocessing(color, mean, std))(given)
    wanted = toy_embeddings(given, color=color, mean=mean, std=std)
    assert np.allclose(found, wanted, atol=1e-4)
    other = toy_embeddings(given, color="bgr" if color == "rgb" else "rgb", mean=mean, std=std)
    assert not np.allclose(found, other, atol=1e-2)


def test_what_is_fed_is_x_minus_mean_by_std_with_x_to_255(tmp_path: Path) -> None:
    white = np.full((1, 112, 112, 3), 255, np.uint8)
    found = embedder(written(tmp_path, toy()), Preprocessing())(white)
    assert np.allclose(found[0], 255 * onnx_models.matrix().sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize("model", [toy(), toy(batch=3), toy(layout="nhwc", batch=2)])
def test_embeddings_do_not_depend_on_how_many_are_asked_for(model: bytes, tmp_path: Path) -> None:
    given = images(19)
    path = written(tmp_path, model)
    embed = embedder(path, batch=8)
    together = embed(given)
    alone = np.concatenate([embed(image[None]) for image in given])
    assert np.array_equal(together, alone)
    others = np.concatenate([embed(given[:5]), embed(given[5:6]), embed(given[6:])])
    assert np.array_equal(together, others)
    for batch in (1, 2, 16, 64):
        assert np.allclose(embedder(path, batch=batch)(given), together, atol=1e-5)


def test_no_images_give_no_rows(tmp_path: Path) -> None:
    assert embedder(written(tmp_path, toy()))(images(0)).shape == (0, DIMENSION)


def test_an_image_that_gives_nan_does_not_touch_its_neighbours_or_padding(tmp_path: Path) -> None:
    given = images(5)
    given[2] = 255
    given[4] = 254
    found = embedder(written(tmp_path, toy(nan_above=0.9)), batch=4)(given)
    assert np.isnan(found[[2, 4]]).all()
    wanted = toy_embeddings(given, mean=(127.5,) * 3, std=(127.5,) * 3)
    assert np.allclose(found[[0, 1, 3]], wanted[[0, 1, 3]], atol=1e-4)


def test_images_are_not_changed(tmp_path: Path) -> None:
    given = images(3)
    given.setflags(write=False)
    before = given.copy()
    embedder(written(tmp_path, toy()), Preprocessing("bgr", (1, 2, 3), (4, 5, 6)))(given)
    assert np.array_equal(given, before)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (onnx_models.two_inputs, r"has 2 inputs \('image', 'flag'\), expected one"),
        (onnx_models.two_outputs, r"has 2 outputs \('embedding', 'second'\), expected one"),
        (onnx_models.double_input, r"input 'double' is tensor\(double\), expected tensor\(float\)"),
        (onnx_models.nan_output, r"embedding 0 is not finite \(4 of 4"),
        (onnx_models.zero_output, r"embedding 0 is zero \(4 of 4"),
        (onnx_models.constant_output, "4 different images the same embedding.*--mean"),
        (onnx_models.neighbourly, "depends on its neighbours in the batch.*inference mode"),
        (onnx_models.scalar_output, r"output 'y' has shape \[1\] .*expected \[1, D\]"),
        (lambda: onnx_models.of_side(224), r"\['N', 3, 224, 224\], expected \[N, 3, 112, 112\]"),
        (lambda: onnx_models.of_side("S"), "fits nchw and nhwc.*--layout"),
        (lambda: b"", "not an ONNX model that can be loaded"),
        (lambda: b"<html>not found</html>", "not an ONNX model that can be loaded"),
        (lambda: toy()[:-100], "not an ONNX model that can be loaded"),
    ],
)
def test_a_bad_model_is_refused_with_file_expected_and_actual(
    model: Callable[[], bytes], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, model())
    with pytest.raises(ModelError, match=rf"^{path}: .*{message}"):
        probe(path, HALF)
    assert capfd.readouterr() == ("", "")


def test_a_layout_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, toy(layout="nhwc"))
    with pytest.raises(ModelError, match=r"\['N', 112, 112, 3\].*--layout nchw"):
        probe(path, HALF, "nchw")


def test_an_open_shape_is_settled_by_the_layout(tmp_path: Path) -> None:
    path = written(tmp_path, onnx_models.of_side(None))
    assert probe(path, HALF, "nchw").dimension == 3


def test_preprocessing_that_drowns_the_image_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, toy())
    with pytest.raises(ModelError, match=r"same embedding.*--mean"):
        probe(path, Preprocessing("rgb", (1e9,) * 3, (1.0,) * 3))


def test_a_model_that_fails_while_running_is_an_error_of_ours(tmp_path: Path) -> None:
    path = written(tmp_path, onnx_models.baked_batch())
    io = ModelIO("image", "embedding", "nchw", DYNAMIC, DIMENSION)
    with pytest.raises(
        EmbeddingError, match=rf"{path}: fails on input of shape \(16, 3, 112, 112\)"
    ):
        OnnxEmbedder(path, HALF, io, threads=1)(images(2))


def test_another_dimension_than_promised_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, toy())
    io = ModelIO("image", "embedding", "nchw", DYNAMIC, 8)
    with pytest.raises(
        EmbeddingError, match=r"has shape \(16, 16\) for 16 images, expected \(16, 8\)"
    ):
        OnnxEmbedder(path, HALF, io, threads=1)(images(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"color": "grb"}, "color='grb': expected 'rgb' or 'bgr'"),
        ({"mean": (1.0, 2.0)}, "mean=.*three finite numbers"),
        ({"mean": (1.0, 2.0, float("nan"))}, "mean=.*three finite numbers"),
        ({"std": (1.0, 0.0, 1.0)}, "std=.*above 0"),
        ({"std": (-1.0, 1.0, 1.0)}, "std=.*above 0"),
        ({"std": (float("inf"),) * 3}, "std=.*three finite numbers"),
    ],
)
def test_preprocessing_is_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**options)


def test_probe_images_are_fixed_and_differ() -> None:
    first, again = probe_images(), probe_images()
    assert np.array_equal(first, again)
    assert first.shape == (4, 112, 112, 3)
    assert first.dtype == np.uint8
    assert len({image.tobytes() for image in first}) == 4
    assert all(issubclass(error, ComputeError) for error in (EmbeddingError, ModelError))
