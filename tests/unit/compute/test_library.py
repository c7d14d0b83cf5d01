"""The library's door: its names, and what it may load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import compute

ROOT = Path(compute.__file__).resolve().parent.parent


def test_public_names() -> None:
    assert sorted(compute.__all__) == [
        "CScore",
        "CrossValidation",
        "OcclusionSpec",
        "PairExplanation",
        "cross_validate",
        "explain_pair",
        "fit_cscore",
        "xmap",
    ]


def test_importing_and_explaining_loads_no_heavy_library() -> None:
    script = (
        "import sys, numpy as np, compute, compute.xmaps, compute.blending\n"
        "spec = compute.OcclusionSpec(patch_sizes=(28,), stride=28, blur=7)\n"
        "image = np.full((112, 112, 3), 9, dtype=np.uint8)\n"
        "embed = lambda x: x.mean(axis=(1, 2)).astype(np.float32)\n"
        "found = compute.explain_pair(embed, image, image, spec=spec)\n"
        "compute.xmap(image, found.similarity_map('III', 1))\n"
        "heavy = {'cv2', 'onnxruntime', 'scipy', 'matplotlib', 'torch'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
