"""What auto picks, from given times; how long something takes is for the benchmarks to say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.engines import tuning
from compute.engines.agreement import Agreement
from compute.engines.catalogue import ENGINES, Engine
from compute.engines.tuning import SAMPLE, Way, measure, tuned
from compute.errors import ModelError, UnsuitableError
from compute.occlusion import OcclusionSpec

PLAIN, SPLIT, OPENVINO = (
    ENGINES[name] for name in ("onnxruntime", "onnxruntime+prelu", "openvino")
)


class Opened:
    """Opens what answers nothing, and remembers it; some engines fail."""

    def __init__(self, **errors: ModelError) -> None:
        self.ways: list[tuple[str, int, int]] = []
        self._errors = errors

    def __call__(self, engine: Engine, batch: int, threads: int) -> tuple[Any, Agreement]:
        if engine.name in self._errors:
            raise self._errors[engine.name]
        self.ways.append((engine.name, batch, threads))
        off = 0.0 if engine is PLAIN else 3e-7

        return Embedder(batch), Agreement(off, off)


class Embedder:
    """Answers nothing, whole images or windows."""

    def __init__(self, batch: int) -> None:
        self._batch = batch

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert len(images) == self._batch
        return np.zeros((self._batch, 4), np.float32)

    def occluded(self, image: NDArray[np.uint8], spec: OcclusionSpec) -> NDArray[np.float32]:
        assert image.shape == (112, 112, 3)
        return np.zeros((spec.count, 4), np.float32)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[Way, float]:
    """Let each way run at a given speed, in images a second; 100 where none is given."""
    given: dict[Way, float] = {}

    def seconds(runs: Mapping[Way, Callable[[], object]]) -> dict[Way, float]:
        for run in runs.values():
            run()
        # ONNX Runtime is timed on a sample of occlusions, for it runs them by windows.
        whole = {way: ENGINES[way.engine].windows is None for way in runs}
        return {
            way: (way.batch if whole[way] else SAMPLE.count) / given.get(way, 100.0) for way in runs
        }

    monkeypatch.setattr(tuning, "best_seconds", seconds)
    return given


def test_the_fastest_engine_is_chosen_and_then_its_batch(speeds: dict[Way, float]) -> None:
    speeds[Way("openvino", 16, 2)] = 150
    speeds[Way("openvino", 46, 2)] = 200
    opened = Opened()
    found = measure([PLAIN, SPLIT, OPENVINO], opened, fixed_batch=0, threads=2)
    assert found.chosen == Way("openvino", 46, 2)
    assert found.off == 3e-7
    # 1058 occlusions fill 23 batches of 46, and 66 and a bit of 16.
    assert found.rates[Way("openvino", 46, 2)] == pytest.approx(200)
    assert found.rates[Way("openvino", 16, 2)] == pytest.approx(150 * 1058 / (67 * 16))
    assert found.rates[Way("onnxruntime", 16, 2)] == pytest.approx(100)
    assert opened.ways == [
        ("onnxruntime", 16, 2),
        ("onnxruntime+prelu", 16, 2),
        ("openvino", 16, 2),
        ("openvino", 32, 2),
        ("openvino", 46, 2),
    ]
    assert found.told().startswith(
        "openvino, batch 46, 2 threads is the fastest to within 5% (distances are those of "
        "onnxruntime to 3e-07). Measured: openvino, batch 46, 2 threads: 200 images/s; "
    )


def test_the_plainer_engine_stays_where_another_gains_next_to_nothing(
    speeds: dict[Way, float],
) -> None:
    speeds[Way("openvino", 16, 2)] = 104
    found = measure([PLAIN, OPENVINO], Opened(), fixed_batch=0, threads=2)
    assert found.chosen == Way("onnxruntime", 16, 2)
    assert found.off == 0


def test_half_the_threads_are_tried_where_two_may_share_a_core(speeds: dict[Way, float]) -> None:
    speeds[Way("onnxruntime", 16, 8)] = 300
    found = measure([PLAIN], Opened(), fixed_batch=0, threads=16)
    assert found.chosen == Way("onnxruntime", 16, 8)


def test_a_model_made_for_one_batch_is_measured_at_it(speeds: dict[Way, float]) -> None:
    found = measure([PLAIN, OPENVINO], Opened(), fixed_batch=8, threads=2)
    assert {way.batch for way in found.rates} == {8}


def test_engines_that_cannot_run_a_model_are_left_out_and_named(speeds: dict[Way, float]) -> None:
    opened = Opened(
        **{"openvino": ModelError("differs by 1"), "onnxruntime+prelu": UnsuitableError("no PReLU")}
    )
    found = measure([PLAIN, SPLIT, OPENVINO], opened, fixed_batch=0, threads=2)
    assert found.chosen.engine == "onnxruntime"
    assert found.left_out == ("openvino (differs by 1)",)
    assert found.told().endswith("Left out: openvino (differs by 1)")
    with pytest.raises(ModelError, match="broken"):
        measure([PLAIN], Opened(onnxruntime=ModelError("broken")), fixed_batch=0, threads=2)


def test_a_batch_at_which_the_fastest_does_not_agree_is_left_out(speeds: dict[Way, float]) -> None:
    opened = Opened()

    def refusing(engine: Engine, batch: int, threads: int) -> tuple[Any, Agreement]:
        if batch == 46:
            raise ModelError("differs by 1")
        return opened(engine, batch, threads)

    found = measure([PLAIN], refusing, fixed_batch=0, threads=2)
    assert {way.batch for way in found.rates} == {16, 32}
    assert found.left_out == ("onnxruntime, batch 46, 2 threads (differs by 1)",)


def tune(folder: Path, opened: Opened, sha256: str = "aa", threads: int = 2) -> Way:
    return tuned(folder, sha256, opened, fixed_batch=0, threads=threads).chosen


def test_a_measurement_is_made_once_for_a_model_and_a_machine(
    speeds: dict[Way, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "available", lambda: [PLAIN, SPLIT])
    speeds[Way("onnxruntime+prelu", 16, 2)] = 300
    first = tune(tmp_path, Opened())
    speeds.clear()
    again = Opened()
    assert tune(tmp_path, again) == first == Way("onnxruntime+prelu", 16, 2)
    assert again.ways == []
    tune(tmp_path, again, sha256="bb")
    assert again.ways
    again.ways.clear()
    tune(tmp_path, again, threads=1)
    assert again.ways
    again.ways.clear()
    monkeypatch.setattr(tuning, "machine", lambda: {"processor": "another"})
    tune(tmp_path, again)
    assert again.ways
    again.ways.clear()
    monkeypatch.setattr(tuning, "available", lambda: [PLAIN])  # an engine came or went
    tune(tmp_path, again)
    assert again.ways


def _cut(text: str) -> str:
    return text[:-20]


def _other_engine(text: str) -> str:
    return text.replace('"engine": "onnxruntime"', '"engine": "abacus"')


def _no_batch(text: str) -> str:
    content = json.loads(text)
    content["chosen"]["batch"] = 0
    return json.dumps(content)


def _no_object(text: str) -> str:
    return "[]"


@pytest.mark.parametrize("damage", [_cut, _other_engine, _no_batch, _no_object])
def test_a_damaged_measurement_is_made_again(
    speeds: dict[Way, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[str], str],
) -> None:
    monkeypatch.setattr(tuning, "available", lambda: [PLAIN])
    first = tune(tmp_path, Opened())
    (path,) = tmp_path.glob("*.json")
    whole = path.read_text()
    path.write_text(damage(whole))
    opened = Opened()
    assert tune(tmp_path, opened) == first
    assert opened.ways
    assert path.read_text() == whole


def test_only_engines_in_float32_take_part(
    speeds: dict[Way, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "available", lambda: [PLAIN, ENGINES["cuda-fp16"]])
    speeds[Way("cuda-fp16", 46, 2)] = 1e6
    assert tune(tmp_path, Opened()).engine == "onnxruntime"
