"""Taking a dataset or a model out of the data folder again, while nothing else works in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from compute.datasets.store import dataset_folder, imported_names
from compute.files import exclusive
from compute.registry import ModelRegistry, require_name


def holds_dataset(data: Path, name: str) -> bool:
    """Tell whether the data folder has a dataset, or what a killed import or removal left of it."""
    folders = _folders(data, name)
    return any(each.exists() for folder in folders for each in (folder, _leaving(folder)))


def remove_dataset(data: Path, name: str, withdraw: Callable[[], None]) -> None:
    """Remove what was imported, and the embeddings that models made of it.

    What was downloaded stays, and so does what was derived of it: that is a dataset of its own.

    Parameters
    ----------
    withdraw
        Deletes what the site has of it. It goes first: a killed removal leaves nothing published
        of which the origin is gone, and the same command goes on.

    Raises
    ------
    RunError
        Where an import, a run or a release is at work.
    """
    with _undisturbed(data, dataset=name):
        withdraw()
        for folder in _folders(data, name):
            _delete(folder)


def remove_model(data: Path, name: str, withdraw: Callable[[], None]) -> None:
    """Remove a model's entry, its file, and the embeddings that it made; see ``remove_dataset``."""
    require_name(name)
    with _undisturbed(data, model=name):
        withdraw()
        for dataset in (data / "runs").glob("*"):
            _delete(dataset / name)
        ModelRegistry(data).remove(name)


@contextmanager
def _undisturbed(data: Path, *, dataset: str = "", model: str = "") -> Iterator[None]:
    """Hold every lock that an import, a run or a release takes or may take meanwhile.

    Also those of other datasets and models: a picture may be theirs, too, and they may be about to
    publish it.
    """
    datasets = {*imported_names(data), dataset} - {""}
    models = {*ModelRegistry(data).entries(), model} - {""}
    names = {path.name for path in (data / "locks").glob("*")}
    names |= {f"import-{each}" for each in datasets}
    names |= {f"{each}__{fed}" for each in datasets for fed in models}
    with ExitStack() as held:
        for name in sorted(names):
            held.enter_context(exclusive(data / "locks" / name, doing="at work in the data folder"))
        yield


def _folders(data: Path, name: str) -> list[Path]:
    """Return where a dataset's runs, a begun import of it and it itself are stored."""
    folder = dataset_folder(data, name)
    return [data / "runs" / name, folder.with_name(f".importing-{name}"), folder]


def _leaving(folder: Path) -> Path:
    return folder.with_name(f".removing-{folder.name}")


def _delete(folder: Path) -> None:
    """Delete a folder that is gone at once under its name, and sweep up after a killed removal.

    Of a link the link is deleted: what it leads to may be used from elsewhere, too.
    """
    if folder.is_symlink():
        folder.unlink()
    leaving = _leaving(folder)
    shutil.rmtree(leaving, ignore_errors=True)
    if folder.is_dir():
        folder.rename(leaving)
        shutil.rmtree(leaving)
