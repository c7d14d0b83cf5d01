"""Image quality by a model, where a dataset brings none: one number per face, higher is better.

The model is fed as the published eDifFIQA files are: RGB, (x - 127.5) / 127.5, (N, 3, 112, 112)
(Z. Babnik et al., eDifFIQA: Towards Efficient Face Image Quality Assessment, 2024).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.embedding import DEFAULT_BATCH, DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.onnx_runtime import load
from compute.errors import EmbeddingError, ModelError
from compute.progress import progress_bar

_FED: Final = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)
_AT_A_TIME: Final = 16 * DEFAULT_BATCH


def rate(path: Path, images: NDArray[np.uint8]) -> list[float]:
    """Rate faces.

    Parameters
    ----------
    path
        An ONNX model with one input and one output, a number for each image.
    images
        (N, 112, 112, 3) uint8 RGB.

    Returns
    -------
    One finite number for each image, of float32 precision.

    Raises
    ------
    ModelError
        Where the file is no such model, or rates a face with what is no number.
    """
    model = OnnxEmbedder(path, _FED, _io(path))
    ratings: list[float] = []
    try:
        with progress_bar(f"rate by {path.name}", len(images), "image") as progress:
            for start in range(0, len(images), _AT_A_TIME):
                rows = model(np.asarray(images[start : start + _AT_A_TIME]))
                ratings += rows[:, 0].tolist()
                progress.update(len(rows))
    except EmbeddingError as error:
        raise ModelError(f"{error} Expected one number for each image.") from error
    if not np.isfinite(ratings).all():
        raise ModelError(f"{path}: rates a face with what is not finite. Use another model.")
    return ratings


def _io(path: Path) -> ModelIO:
    session = load(path, threads=1)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4:
        raise ModelError(
            f"{path}: {len(inputs)} inputs and {len(outputs)} outputs, expected one input (N, 3, "
            "112, 112) and one output. It is no model of image quality."
        )
    batch = inputs[0].shape[0]
    fixed = batch if isinstance(batch, int) and batch > 0 else DYNAMIC
    return ModelIO(inputs[0].name, outputs[0].name, "nchw", fixed, dimension=1)
