"""Shards: what a worker leaves, when it refuses, and that a doubled task changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    image_sha256,
    read_dataset,
    write_dataset,
)
from compute.embedding import Preprocessing
from compute.engines.catalogue import PLAIN
from compute.engines.tuning import Way
from compute.errors import ComputeError, DatasetError, RunError
from compute.judging import EmbeddingJudge
from compute.occlusion import OcclusionSpec
from compute.opening import open_embedder
from compute.parallel import shard as shards
from compute.parallel.judge import ShardedJudge
from compute.parallel.shard import Run, Shard, explain_shard, read_explained, seen_dataset
from compute.registry import ModelEntry, ModelRegistry
from compute.rendering import as_stored
from compute.runs import Conditions, current_conditions
from compute.schedule import by_component
from tests.onnx_models import toy

SPEC = OcclusionSpec(patch_sizes=(28,), stride=28)
BATCH = 3


class Here:
    """A worker that is this very process."""

    def __init__(self) -> None:
        self.tasks: list[Any] = []
        self.seen: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def threads(self) -> int:
        return 1

    def memory(self, total: float) -> float:
        return total

    def room(self) -> int:
        return 2

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future[Any]:
        self.tasks.append(task)
        future: Future[Any] = Future()
        try:
            future.set_result(work(task))
        except ComputeError as error:
            future.set_exception(error)
        return future

    def result(self, future: Future[Any]) -> Any:
        return future.result()

    def await_one(self) -> None: ...

    def everywhere(self, work: Callable[..., Any], *given: Any) -> dict[str, Any]:
        return self.seen


def images() -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(5, 256, (60, 112, 112, 3), dtype=np.uint8)


@pytest.fixture
def dataset(tmp_path: Path) -> StoredDataset:
    pixels = images()
    write_dataset(
        tmp_path,
        "demo",
        images=pixels,
        records=[ImageRecord(f"{i}.png", f"id{i}", image_sha256(p)) for i, p in enumerate(pixels)],
        # Thirty components of a chain of two images each, and one that links the last three.
        pairs=[
            PairRecord(30001 + i, a, b, genuine=i % 2 == 0, fold=i % 4)
            for i, (a, b) in enumerate(
                [*((2 * i, 2 * i + 1) for i in range(30)), (55, 56), (57, 58), (0, 0)]
            )
        ],
        skipped=[],
        origin={},
    )
    (tmp_path / "toy.onnx").write_bytes(toy())
    ModelRegistry(tmp_path).add("toy", tmp_path / "toy.onnx", preprocessing=Preprocessing())
    return read_dataset(tmp_path, "demo")


@pytest.fixture
def entry(tmp_path: Path, dataset: StoredDataset) -> ModelEntry:
    return ModelRegistry(tmp_path).get("toy")


@pytest.fixture
def whole(tmp_path: Path, dataset: StoredDataset, entry: ModelEntry) -> EmbeddingJudge:
    judge = EmbeddingJudge(
        dataset,
        "toy on demo",
        lambda batch, threads: open_embedder(
            ModelRegistry(tmp_path), entry, batch=batch, threads=threads
        ),
        tmp_path / "run",
        dimension=entry.io.dimension,
        memory=2**20,
    )
    judge.judge(batch=BATCH, threads=1)
    return judge


@pytest.fixture
def sharded(
    tmp_path: Path, dataset: StoredDataset, entry: ModelEntry, whole: EmbeddingJudge
) -> tuple[ShardedJudge, Here]:
    workers = Here()
    judge = ShardedJudge(
        whole,
        workers,
        dataset,
        "toy",
        conditions_of(dataset, entry),
        tmp_path,
        tmp_path / "run",
        memory=2**20,
        settle=lambda: None,
    )
    judge.judge(batch=BATCH, threads=1)
    return judge, workers


def conditions_of(dataset: StoredDataset, entry: ModelEntry) -> Conditions:
    way = Way(PLAIN.name, BATCH, 1)
    return current_conditions(dataset_sha256=dataset.sha256, entry=entry, way=way)


@pytest.fixture
def shard(tmp_path: Path, dataset: StoredDataset, entry: ModelEntry, whole: object) -> Shard:
    run = Run(
        data=tmp_path,
        dataset="demo",
        model="toy",
        folder=tmp_path / "run",
        embedded_at=BATCH,
        image_count=60,
        conditions=conditions_of(dataset, entry),
        spec=SPEC,
        memory=2**20,
    )
    return Shard(
        run, tuple(dataset.pairs[-5:]), {i: dataset.records[i] for i in (0, 1, *range(54, 60))}
    )


def explained(
    judge: EmbeddingJudge | ShardedJudge, pairs: list[PairRecord], spec: OcclusionSpec = SPEC
) -> dict[int, bytes]:
    """Return what is stored of each pair."""
    results = {}
    for pair, found in judge.explain(pairs, spec, batch=BATCH, threads=1, advance=lambda _: None):
        assert not isinstance(found, Skipped)
        results[pair.id] = as_stored(found, spec).tobytes()
    return results


def test_shards_give_the_bytes_of_one_process(
    dataset: StoredDataset,
    whole: EmbeddingJudge,
    sharded: tuple[ShardedJudge, Here],
    tmp_path: Path,
) -> None:
    judge, workers = sharded
    pairs = by_component(dataset.pairs)
    expected = explained(whole, pairs)
    done: list[int] = []
    found = {
        pair.id: as_stored(result, SPEC).tobytes()  # type: ignore[arg-type]
        for pair, result in judge.explain(pairs, SPEC, batch=BATCH, threads=1, advance=done.append)
    }
    assert found == expected
    assert len(workers.tasks) > 2
    # The longest component is shared out at the price of two images.
    assert sum(done) == judge.planned(pairs, SPEC) == 62 * SPEC.count
    assert "62 images under 9 occlusions each, 2 images embedded again" in judge.told(SPEC)
    assert not list((tmp_path / "run").glob("explained-*"))


def test_what_killed_runs_left_is_taken_and_only_the_rest_is_explained(
    dataset: StoredDataset, whole: EmbeddingJudge, sharded: tuple[ShardedJudge, Here], shard: Shard
) -> None:
    judge, workers = sharded
    path = Path(explain_shard(shard))
    damaged = path.with_name("1-damaged.npz")
    damaged.write_bytes(path.read_bytes()[:-200])
    straggler = Path(explain_shard(replace(shard, pairs=(dataset.pairs[0],))))
    other = Path(explain_shard(replace(shard, run=replace(shard.run, spec=OcclusionSpec()))))
    pairs = by_component(dataset.pairs)[:40]
    wanted = [pair for pair in pairs if pair.id != 30001] + [dataset.pairs[-2]]
    assert explained(judge, wanted) == explained(whole, wanted)
    asked = {pair.id for task in workers.tasks for pair in task.pairs}
    assert asked.isdisjoint(pair.id for pair in shard.pairs)
    assert not path.exists() and not damaged.exists() and not straggler.exists()
    assert other.exists(), "the file of another spec"


def test_the_file_of_a_shard_stays_until_its_pairs_are_settled(
    dataset: StoredDataset,
    sharded: tuple[ShardedJudge, Here],
    shard: Shard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge, _ = sharded
    explain_shard(shard)  # by a run that was killed
    taken: set[int] = set()
    safe: set[int] = set()

    def settle() -> None:
        left = [read_explained(path) for path in (tmp_path / "run").glob("explained-*/*.npz")]
        kept = {number for found in left if found for number in found.deviations}
        assert taken > safe
        assert taken - safe <= kept
        safe.update(taken)

    monkeypatch.setattr(judge, "_settle", settle)
    pairs = by_component(dataset.pairs)
    for pair, _ in judge.explain(pairs, SPEC, batch=BATCH, threads=1, advance=lambda _: None):
        taken.add(pair.id)
    assert safe == {pair.id for pair in pairs}


def test_a_doubled_task_leaves_the_file_as_it_is_and_a_damaged_one_is_made_again(
    shard: Shard,
) -> None:
    path = Path(explain_shard(shard))
    assert path == shard.file
    before = path.stat().st_mtime_ns
    assert explain_shard(shard) == str(path)
    assert path.stat().st_mtime_ns == before
    whole = read_explained(path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert read_explained(path) is None
    explain_shard(shard)
    again = read_explained(path)
    assert whole is not None and again is not None
    assert repr(again) == repr(whole)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset_sha256": "0" * 64},
        {"model_sha256": "0" * 64},
        {"engine": "another"},
        {"batch": 4},
        {"threads": 2},
        {"fed": {"color": "bgr"}},
        {"code_version": "0"},
    ],
)
def test_other_conditions_are_another_folder(shard: Shard, change: dict[str, Any]) -> None:
    other = replace(shard.run, conditions=replace(shard.run.conditions, **change))
    assert other.results != shard.run.results
    assert replace(shard.run, spec=OcclusionSpec()).results != shard.run.results


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine": "onnxruntime 0.1"}, r"worker on .*: Engine onnxruntime 0\.1 is not here"),
        ({"model_sha256": "0" * 64}, "has model_sha256"),
        ({"code_version": "0"}, "has code_version"),
        ({"dataset_sha256": "0" * 64}, "SHA-256 of the dataset is .*, expected 000"),
    ],
)
def test_a_worker_with_other_things_refuses(
    shard: Shard, change: dict[str, Any], message: str
) -> None:
    run = replace(shard.run, conditions=replace(shard.run.conditions, **change))
    with pytest.raises(ComputeError, match=message):
        explain_shard(replace(shard, run=run))


def test_a_worker_with_other_pixels_refuses(shard: Shard, tmp_path: Path) -> None:
    path = tmp_path / "datasets" / "demo" / "images.npy"
    pixels = images()
    pixels[56, 3, 4] ^= 1
    np.save(path, pixels)
    with pytest.raises(DatasetError, match=r"56\.png of demo, on .*XFV_DATA_DIR must be one"):
        explain_shard(shard)


def test_embeddings_that_are_not_there_are_said(shard: Shard, tmp_path: Path) -> None:
    (tmp_path / "run" / "embeddings-00001.npy").unlink()
    with pytest.raises(RunError, match=r"embeddings-00001\.npy, on .*XFV_DATA_DIR must be"):
        explain_shard(shard)


def test_a_model_is_opened_once_in_a_process(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counted(registry: ModelRegistry, entry: ModelEntry, **more: Any) -> Any:
        opened.append(entry.name)
        return open_embedder(registry, entry, **more)

    shards._opened.clear()
    monkeypatch.setattr(shards, "open_embedder", counted)
    for pair in shard.pairs:
        explain_shard(replace(shard, pairs=(pair,)))
    assert opened == ["toy"]


def test_a_machine_that_sees_another_folder_is_told_before_anything_is_measured(
    tmp_path: Path, dataset: StoredDataset, sharded: tuple[ShardedJudge, Here]
) -> None:
    assert seen_dataset(tmp_path, "demo", dataset.sha256) == ""
    (tmp_path / "datasets" / "demo" / "images.npy").rename(tmp_path / "away.npy")
    assert "No such file" in seen_dataset(tmp_path, "demo", dataset.sha256)
    (tmp_path / "away.npy").rename(tmp_path / "datasets" / "demo" / "images.npy")
    judge, workers = sharded
    workers.seen = {
        "tcp://a:1": seen_dataset(tmp_path, "demo", dataset.sha256),
        "tcp://b:1": seen_dataset(tmp_path / "elsewhere", "demo", dataset.sha256),
    }
    with pytest.raises(RunError, match=r"tcp://b:1 does not see the run's data: .*not imported"):
        judge.judge(batch=BATCH, threads=1)


def test_why_a_worker_went_slowly_is_told(
    dataset: StoredDataset, sharded: tuple[ShardedJudge, Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(registry: ModelRegistry, entry: ModelEntry, **more: Any) -> Any:
        embedder = open_embedder(registry, entry, **more)
        monkeypatch.setattr(type(embedder), "obstacle", "outside the graph: too old", raising=False)
        return embedder

    shards._opened.clear()
    monkeypatch.setattr(shards, "open_embedder", opened)
    judge, _ = sharded
    explained(judge, dataset.pairs)
    assert judge.told(SPEC).endswith(", occluded outside the graph: too old")
