"""Files appear whole or not at all; locks hold between processes and go with them."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.settings import ROOT
from compute.errors import HashMismatchError, RunError
from compute.files import (
    exclusive,
    require_sha256,
    sha256_of_file,
    write_array,
    write_json,
    write_whole,
)


def test_write_whole_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(call, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new" * 1000)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_write_leaves_the_old_file_and_the_next_write_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    script = (
        "import os, sys; from pathlib import Path; from compute.files import write_whole;"
        "os.fsync = lambda _: os._exit(9);"
        "write_whole(Path(sys.argv[1]), b'new' * 100)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert path.read_bytes() == b"old"
    write_whole(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_arrays_and_json_come_back(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_array(tmp_path / "a.npy", array)
    assert np.array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)
    write_json(tmp_path / "a.json", {"name": "é"})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "name": "é"\n}\n'


def test_arrays_of_objects_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "a.npy", np.array([{}], dtype=object))
    assert not list(tmp_path.iterdir())


def test_require_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    right = hashlib.sha256(b"data").hexdigest()
    assert sha256_of_file(path) == right
    require_sha256(path, right, remedy="")
    with pytest.raises(HashMismatchError, match=f"{path}: SHA-256 is {right}, expected 00.*Again!"):
        require_sha256(path, "00", remedy="Again!")
    with pytest.raises(HashMismatchError, match=r"nothing is missing.*Again!"):
        require_sha256(tmp_path / "nothing", "00", remedy="Again!")


HOLD = """
import sys, time
from pathlib import Path
from compute.files import exclusive
with exclusive(Path(sys.argv[1]), doing="waiting"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_others_out_and_goes_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=f"Another process is computing.*{path}.*Wait"),
            exclusive(path, doing="computing"),
        ):
            pass
        holder.kill()
        holder.wait()
    with exclusive(path, doing="computing"):
        pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / "one", doing="failing"):
        raise KeyError
    with exclusive(tmp_path / "one", doing="going on"):
        pass
