"""Train the demo model: ``python -m compute.demo.train`` (needs requirements/train.txt).

People and siblings of the training set come from other seeds than the dataset's. The loss is
softmax with a margin over all of them, siblings included, and a linear readout of the codes of
every part, which keeps small parts from being forgotten beside hair and skin.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from compute.demo import MODEL_PATH, draw_demo
from compute.demo.evaluate import accuracy, pair_distances
from compute.demo.faces import render
from compute.demo.families import TRAINING_FAMILIES, training_family, training_rng
from compute.demo.identity import SWAPPABLE, draw_nuisance, part_codes

SIBLINGS = 3
CODED = ("face", "skin", *SWAPPABLE)
EMBEDDING = 64


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class FaceNetwork(nn.Module):
    """Map RGB crops to embeddings.

    Aligned faces have their parts in fixed places, so the last map is flattened, not averaged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _convolution(3, 16, stride=2),
            _convolution(16, 32, stride=2),
            _convolution(32, 48, stride=2),
            _convolution(48, 48),
            _convolution(48, 64, stride=2),
            nn.Conv2d(64, 32, 1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.project = nn.Linear(32 * 7 * 7, EMBEDDING)
        self.scale = nn.BatchNorm1d(EMBEDDING)

    def forward(self, images: Tensor) -> Tensor:
        """Embed.

        Parameters
        ----------
        images : Tensor of float32, shape (N, 3, 112, 112)
            RGB, (x - 127.5) / 127.5.

        Returns
        -------
        Tensor of float32, shape (N, 64)
            Not normalised.
        """
        return self.scale(self.project(torch.flatten(self.features(images), 1)))


@dataclass(frozen=True)
class TrainingSet:
    """Drawings before the camera: images uint8 (N, 112, 112, 3), labels, codes of the parts."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    codes: NDArray[np.float32]


def draw_family(task: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw all members of a family under the same shots: uint8 (members * shots, 112, 112, 3)."""
    index, shots = task
    family = training_family(index, SIBLINGS)
    images, codes = [], []
    for member, identity in enumerate(family.members):
        code = np.concatenate([part_codes(identity, part) for part in CODED])
        for shot in range(shots):
            # Half of the shots are common to the family: then only the parts tell them apart.
            own = 0 if shot % 2 == 0 else member
            nuisance = draw_nuisance(training_rng(index, 1, shot, own))
            images.append(render(identity, nuisance).pixels)
            codes.append(code)
    return np.stack(images), np.stack(codes).astype(np.float32)


def code_columns() -> dict[str, slice]:
    """Columns of `TrainingSet.codes` that belong to each part."""
    columns, start = {}, 0
    identity = training_family(0).members[0]
    for part in CODED:
        end = start + len(part_codes(identity, part))
        columns[part] = slice(start, end)
        start = end
    return columns


def draw_training_set(families: int, shots: int, workers: int) -> TrainingSet:
    """Draw the training set in `workers` processes; the result does not depend on their number."""
    start = time.perf_counter()
    images, codes = [], []
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        tasks = [(index, shots) for index in range(families)]
        for done, (drawn, code) in enumerate(pool.imap(draw_family, tasks, chunksize=8), 1):
            images.append(drawn)
            codes.append(code)
            if done % 100 == 0:
                print(
                    f"drawn {done}/{families} families, {time.perf_counter() - start:.0f} s",
                    flush=True,
                )
    labels = np.repeat(np.arange(families * (SIBLINGS + 1)), shots)
    return TrainingSet(np.concatenate(images), labels, np.concatenate(codes))


class Camera:
    """Blur, noise, shift, exposure and occlusion of training images, from one seed.

    The noise fields are drawn once and shifted about, which is as good as new noise and cheap.
    """

    def __init__(self, seed: int, occluded: float) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._occluded = occluded
        fields = self._rng.standard_normal((200, 112, 112, 3), dtype=np.float32)
        self._grain = 0.8 * fields[..., :1] + 0.6 * fields

    def shoot(self, images: NDArray[np.uint8]) -> Tensor:
        """Take pictures of drawings.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, 112, 112, 3)
            Drawings.

        Returns
        -------
        Tensor of float32, shape (N, 3, 112, 112)
            Channels last in memory, normalised as the model is fed.
        """
        rng = self._rng
        taken = np.empty(images.shape, dtype=np.float32)
        for image, out in zip(images, taken, strict=True):
            blur, gain = rng.uniform(-0.5, 0.95), rng.uniform(0.92, 1.08)
            moved = np.roll(image, tuple(rng.integers(-1, 2, 2)), axis=(0, 1)).astype(np.float32)
            if blur > 0.2:
                moved = cv2.GaussianBlur(moved, (7, 7), blur)
            grain = self._grain[rng.integers(len(self._grain))]
            grain = np.roll(grain, int(rng.integers(112)), axis=0)
            np.clip(
                moved * np.float32(gain) + np.float32(rng.uniform(0.5, 5.5)) * grain,
                0,
                255,
                out=out,
            )
            if rng.random() < self._occluded:
                self._occlude(out)
        taken -= 127.5
        taken /= 127.5
        return torch.from_numpy(taken).permute(0, 3, 1, 2)

    def _occlude(self, image: NDArray[np.float32]) -> None:
        """Hide one to three squares: mostly in black, as explanations do, sometimes any grey."""
        rng = self._rng
        for _ in range(int(rng.integers(1, 4))):
            size = int(rng.integers(5, 31))
            y, x = (int(v) for v in rng.integers(0, 112 - size, 2))
            image[y : y + size, x : x + size] = rng.uniform(0, 255) if rng.random() < 0.25 else 0


class MarginSoftmax(nn.Module):
    """Softmax over cosines with an additive margin on the true class."""

    def __init__(self, classes: int, scale: float, margin: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, EMBEDDING) * 0.5)
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of a batch."""
        cosine = functional.linear(
            functional.normalize(embeddings), functional.normalize(self.centres)
        )
        target = functional.one_hot(labels, len(self.centres))
        return functional.cross_entropy(self.scale * (cosine - self.margin * target), labels)


def train(data: TrainingSet, options: argparse.Namespace) -> FaceNetwork:
    """Train on a drawn set with AdamW on a one-cycle schedule."""
    torch.manual_seed(options.seed)
    network = FaceNetwork().to(memory_format=torch.channels_last)
    head = MarginSoftmax(int(data.labels.max()) + 1, options.scale, options.margin)
    readout = nn.Linear(EMBEDDING, data.codes.shape[1])
    camera = Camera(options.seed, options.occluded)
    rng = np.random.default_rng([options.seed, 2])
    labels, codes = torch.from_numpy(data.labels), torch.from_numpy(data.codes)
    per_epoch = len(labels) // options.batch
    optimiser = torch.optim.AdamW(
        [
            {"params": [*network.parameters(), *readout.parameters()], "lr": options.rate},
            {"params": head.parameters(), "lr": options.rate * 5, "weight_decay": 0.0},
        ],
        weight_decay=5e-3,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [options.rate, options.rate * 5],
        total_steps=options.epochs * per_epoch,
        pct_start=0.15,
    )
    start = time.perf_counter()
    for epoch in range(options.epochs):
        network.train()
        sums = np.zeros(1 + data.codes.shape[1])
        order = rng.permutation(len(labels))[: per_epoch * options.batch]
        for chosen in np.sort(order.reshape(per_epoch, -1), axis=1):
            embeddings = network(camera.shoot(data.images[chosen]))
            identity = head(embeddings, labels[chosen])
            errors = (readout(embeddings) - codes[chosen]).square().mean(dim=0)
            loss = identity + options.readout * errors.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            sums += [identity.item(), *errors.tolist()]
        mean = sums / per_epoch
        parts = ", ".join(
            f"{part} {mean[1:][columns].mean():.3f}" for part, columns in code_columns().items()
        )
        print(
            f"epoch {epoch + 1}/{options.epochs}: softmax {mean[0]:.3f}, "
            f"squared errors of codes: {parts}; {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    return network.eval()


def fold_scale(network: FaceNetwork) -> FaceNetwork:
    """Fold the last batch normalisation into the projection before it; the exporter would not."""
    project, scale = network.project, network.scale
    with torch.no_grad():
        gain = scale.weight / torch.sqrt(scale.running_var + scale.eps)
        project.weight.mul_(gain[:, None])
        project.bias.copy_((project.bias - scale.running_mean) * gain + scale.bias)
    network.scale = nn.Identity()
    return network


def export(network: FaceNetwork, path: Path) -> None:
    """Write the network as ONNX, without the exporter's notes about itself."""
    network = fold_scale(network.to(memory_format=torch.contiguous_format))
    example = torch.zeros(1, 3, 112, 112)
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["input"],
        output_names=["embedding"],
        dynamic_axes={"input": {0: "batch"}, "embedding": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    model.doc_string = ""
    model.producer_name, model.producer_version = "xfv-demo", "1"
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def main() -> None:
    """Draw, train, export, and verify the dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", type=int, default=TRAINING_FAMILIES)
    parser.add_argument("--shots", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=28)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--scale", type=float, default=16.0)
    parser.add_argument("--margin", type=float, default=0.15)
    parser.add_argument("--readout", type=float, default=15.0)
    parser.add_argument("--occluded", type=float, default=0.4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="keep the drawn training set in this .npz file")
    parser.add_argument("--output", type=Path, default=MODEL_PATH)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the result then does not hang on the machine, nor on its neighbours

    if options.cache is not None and options.cache.exists():
        with np.load(options.cache, allow_pickle=False) as kept:
            data = TrainingSet(kept["images"], kept["labels"], kept["codes"])
    else:
        data = draw_training_set(options.families, options.shots, options.workers)
        if options.cache is not None:
            np.savez(options.cache, images=data.images, labels=data.labels, codes=data.codes)
    network = train(data, options)
    export(network, options.output)

    dataset = draw_demo()
    session = onnxruntime.InferenceSession(options.output, providers=["CPUExecutionProvider"])
    report = accuracy(dataset, pair_distances(dataset, session))
    weights = options.output.read_bytes()
    print(report)
    digest = hashlib.sha256(weights).hexdigest()
    print(f"{options.output.name}: {len(weights)} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
