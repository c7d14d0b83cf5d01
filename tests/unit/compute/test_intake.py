"""Models in the wild: what is taken in, what is changed, and that no row ever changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import external_data_helper, helper

from compute.distances import unit_vectors
from compute.embedding import DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.errors import ModelError
from compute.graphs.intake import Intake, take_in
from tests import onnx_models
from tests.onnx_models import DIMENSION, FIXED_WAYS, toy, toy_embeddings

HALF = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)
PLAIN = ModelIO("image", "embedding", "nchw", DYNAMIC, DIMENSION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def taken(path: Path, model: bytes, output: str | None = None) -> Intake:
    path.write_bytes(model)
    return take_in(path, HALF, output=output)


def require_toy(path: Path, intake: Intake, *, atol: float = 1e-5) -> None:
    """Hold what is kept to the toy in NumPy, at several batches."""
    images = np.random.default_rng(0).integers(0, 256, (7, 112, 112, 3), dtype=np.uint8)
    wanted = unit_vectors(toy_embeddings(images, mean=(127.5,) * 3, std=(127.5,) * 3))
    for batch in (1, 2, 5):
        embed = OnnxEmbedder(path, HALF, intake.io, batch=batch, threads=1, data=intake.data)
        assert np.abs(unit_vectors(embed(images)) - wanted).max() < atol


def test_a_plain_model_is_kept_as_it_is(path: Path) -> None:
    assert taken(path, toy()) == Intake(path.read_bytes(), PLAIN, ())


@pytest.mark.parametrize(
    ("way", "batch"),
    # Flattening several images into one row gives no embeddings.
    [(way, batch) for way in FIXED_WAYS for batch in (1, 4) if (way, batch) != ("flatten", 4)],
)
def test_a_fixed_batch_is_opened_where_rows_stay_the_same(way: str, batch: int, path: Path) -> None:
    intake = taken(path, onnx_models.fixed(batch, way))
    opened = way != "token"
    assert intake.io.batch == (DYNAMIC if opened else batch)
    changes = (f"made for batches of {batch}, opened to any (checked row by row)",)
    assert intake.changes == (changes if opened else ())
    assert (intake.data == path.read_bytes()) is not opened
    require_toy(path, intake)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_batch_fixed_in_the_input_alone_is_opened(layout: onnx_models.Layout, path: Path) -> None:
    intake = taken(path, toy(batch=6, layout=layout))
    assert (intake.io.batch, intake.io.layout) == (DYNAMIC, layout)
    require_toy(path, intake)


def test_any_batch_that_means_one_is_opened(path: Path) -> None:
    intake = taken(path, onnx_models.baked_batch())
    assert intake.io == PLAIN
    assert intake.changes[0].startswith("made for batches of 1")
    require_toy(path, intake)


def test_the_same_file_is_prepared_to_the_same_bytes(path: Path) -> None:
    first = taken(path, onnx_models.fixed(4, "sequence first"))
    assert take_in(path, HALF) == first


@pytest.mark.parametrize("version", [9, 11, 13, 14, 15, 18, 20, 22])
def test_opsets_9_to_22(version: int, path: Path) -> None:
    intake = taken(path, onnx_models.opset(version))
    assert (intake.io.output, intake.changes) == ("y", ())
    require_toy(path, intake)


def test_weights_that_are_listed_as_inputs_are_no_inputs(path: Path) -> None:
    require_toy(path, taken(path, onnx_models.opset(9, weights_as_inputs=True)))


def test_the_one_output_that_can_be_an_embedding_is_taken(path: Path) -> None:
    intake = taken(path, onnx_models.several_outputs())
    assert intake.io == PLAIN
    require_toy(path, intake)
    assert take_in(path, HALF, output="embedding") == intake


def test_several_outputs_are_listed_and_chosen_from(path: Path) -> None:
    wanted = r"has 2 outputs \('embedding', 'second'\).*--output NAME.*'second' shape \[1, 16\]"
    with pytest.raises(ModelError, match=wanted):
        taken(path, onnx_models.two_outputs())
    assert take_in(path, HALF, output="second").io.output == "second"
    with pytest.raises(ModelError, match=r"no output 'third'; its outputs: 'embedding', 'second'"):
        take_in(path, HALF, output="third")
    for output, shape in (("cells", r"\[1, 3, 8, 8\]"), ("quality", r"\[1, 1\]"), ("class", "int")):
        with pytest.raises(
            ModelError, match=rf"output '{output}' has .*{shape}.*expected \[1, D\]"
        ):
            taken(path, onnx_models.several_outputs(), output)


def test_float16_is_fed_and_read(path: Path) -> None:
    intake = taken(path, onnx_models.half())
    assert (intake.io.precision, intake.changes) == ("float16", ())
    require_toy(path, intake, atol=2e-3)
    assert taken(path, onnx_models.half_input()).io.precision == "float16"


def test_denormal_weights_are_zeroed(path: Path) -> None:
    intake = taken(path, onnx_models.denormal(5))
    assert intake.changes == ("5 denormal weights set to zero",)
    (weights,) = onnx.load_from_string(intake.data).graph.initializer
    values = onnx.numpy_helper.to_array(weights)
    assert (values[:5, 0] == 0).all()
    assert np.array_equal(values[5:], onnx_models.matrix()[5:])


def split(path: Path, location: str = "weights.bin") -> None:
    model = onnx.load_from_string(onnx_models.fixed(4, "reshape"))
    external_data_helper.convert_model_to_external_data(
        model, location=location, size_threshold=0, convert_attribute=True
    )
    onnx.save(model, str(path))


def test_weights_beside_the_file_are_taken_in_and_its_batch_opened(path: Path) -> None:
    split(path)
    intake = take_in(path, HALF)
    assert [change.split()[0] for change in intake.changes] == ["weights", "made"]
    for file in path.parent.iterdir():
        file.unlink()
    require_toy(path, intake)


def test_weights_that_are_missing_or_cut_off_are_named(path: Path) -> None:
    split(path)
    weights = path.parent / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(ModelError, match=f"^{path}: .*"):
        take_in(path, HALF)
    weights.unlink()
    with pytest.raises(ModelError, match=r"missing: weights\.bin\. Put them into "):
        take_in(path, HALF)


def test_weights_from_elsewhere_are_never_read(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    split(folder / "model.onnx")
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    for tensor in [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute)]:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights.bin"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"wants weights from \.\./weights\.bin, outside"):
        take_in(folder / "model.onnx", HALF)


def test_a_pointer_in_place_of_a_model_is_recognised(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(ModelError, match="a Git LFS pointer, not the model"):
        take_in(path, HALF)


def test_an_opset_of_the_future_is_said(path: Path) -> None:
    model = onnx.load_from_string(toy())
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 99))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=f"^{path}: not an ONNX model that can be loaded"):
        take_in(path, HALF)
