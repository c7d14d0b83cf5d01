"""Runs on disk: conditions that hold, and embeddings that are never computed twice."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.datasets.store import PairRecord
from compute.errors import EmbeddingError, RunError
from compute.runs import Conditions, embed_dataset, load_or_start

NOW = Conditions(
    dataset_sha256="d" * 64,
    model_sha256="m" * 64,
    fed={"color": "rgb", "mean": [0.0] * 3, "std": [1.0] * 3, "layout": "nchw"},
    engine="engine 1",
    batch=2,
    threads=2,
    code_version="1",
)


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 256, (count, 112, 112, 3), dtype=np.uint8)


class Embedder:
    """Gives the first three bytes of an image; counts what it is asked for."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(batch))
        return batch[:, 0, 0, :].astype(np.float32)


def run(folder: Path, embed: Embedder, given: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int]:
    told: list[int] = []
    found = embed_dataset(folder, embed, given, batch=2, advance=told.append)
    return found.rows, sum(told)


def test_conditions_are_fixed_when_a_run_starts(tmp_path: Path) -> None:
    assert load_or_start(tmp_path / "run", NOW) == NOW
    later = replace(NOW, batch=64, threads=8, code_version="2")
    assert load_or_start(tmp_path / "run", later) == NOW


@pytest.mark.parametrize("name", ["dataset_sha256", "model_sha256", "engine", "fed"])
def test_results_of_other_conditions_do_not_mix(name: str, tmp_path: Path) -> None:
    load_or_start(tmp_path, NOW)
    changed: Any = {"color": "bgr"} if name == "fed" else "another"
    other = replace(NOW, **{name: changed})
    with pytest.raises(RunError, match=rf"{tmp_path}/run.json: .*{name}.*now it is.*delete"):
        load_or_start(tmp_path, other)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"batch": 3, "surprise": 1}', "5"])
def test_a_damaged_run_file_names_itself_and_the_remedy(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=rf"{tmp_path}/run.json: damaged .*Delete {tmp_path}"):
        load_or_start(tmp_path, NOW)


def test_the_run_file_can_be_read_by_people(tmp_path: Path) -> None:
    load_or_start(tmp_path, NOW)
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == asdict(NOW)


def test_embeddings_are_computed_once_in_whole_batches(tmp_path: Path) -> None:
    embed, given = Embedder(), images(75)
    rows, told = run(tmp_path, embed, given)
    assert np.array_equal(rows, given[:, 0, 0, :])
    assert told == 75
    assert embed.batches == [2] * 37 + [1]
    again = Embedder()
    assert np.array_equal(run(tmp_path, again, given)[0], rows)
    assert again.batches == []


def test_a_run_goes_on_after_the_last_finished_shard(tmp_path: Path) -> None:
    class Dies(Embedder):
        def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            if len(self.batches) == 20:
                raise KeyboardInterrupt
            return super().__call__(batch)

    given = images(75)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Dies(), given)
    embed = Embedder()
    rows, told = run(tmp_path, embed, given)
    assert np.array_equal(rows, given[:, 0, 0, :])
    assert told == 75
    assert sum(embed.batches) == 75 - 32


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "other length"])
def test_a_damaged_shard_is_computed_again(damage: str, tmp_path: Path) -> None:
    given = images(40)
    rows, _ = run(tmp_path, Embedder(), given)
    shard = tmp_path / "embeddings-00001.npy"
    whole = shard.read_bytes()
    if damage == "other length":
        np.save(shard, rows[:3], allow_pickle=False)
    else:
        shard.write_bytes({"cut": whole[:-5], "empty": b"", "noise": b"noise" * 99}[damage])
    embed = Embedder()
    assert np.array_equal(run(tmp_path, embed, given)[0], rows)
    assert sum(embed.batches) == 8
    assert shard.read_bytes() == whole


def test_images_without_a_usable_embedding_are_named_and_zero(tmp_path: Path) -> None:
    given = images(6)
    given[1] = 0

    def embed(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = batch[:, 0, 0, :].astype(np.float32)
        rows[(batch[:, 0, 0] == given[4, 0, 0]).all(axis=1), 1] = np.nan
        return rows

    found = embed_dataset(tmp_path, embed, given, batch=4, advance=lambda _: None)
    assert set(found.failed) == {1, 4}
    assert not found.rows[[1, 4]].any()
    assert found.failed_of(PairRecord(1, 0, 4, genuine=True, fold=0)) == 4
    assert found.failed_of(PairRecord(1, 4, 1, genuine=True, fold=0)) == 4
    assert found.failed_of(PairRecord(1, 0, 2, genuine=True, fold=0)) is None


def test_a_model_that_returns_too_few_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"shape \(1, 3\) for 2 images, expected \(2, D\)"):
        embed_dataset(
            tmp_path,
            lambda batch: batch[:1, 0, 0, :].astype(np.float32),
            images(4),
            batch=2,
            advance=lambda _: None,
        )
    assert not list(tmp_path.iterdir())
