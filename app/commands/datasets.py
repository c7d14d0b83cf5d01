"""``flask datasets``: list, import and check datasets."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from app.commands.outcome import finish, site_settings, teaching

datasets = AppGroup("datasets", help="List, import and check datasets.")

_FILE = click.Path(path_type=Path)


@datasets.command("list")
@teaching
def datasets_list() -> None:
    """Show every known dataset and whether it is imported."""
    from compute.datasets.catalogue import CATALOGUE
    from compute.datasets.store import is_imported

    click.echo(f"{'name':8} {'pairs':>6} {'ids':>13}  {'state':9} licence")
    for facts in CATALOGUE.values():
        state = "imported" if is_imported(site_settings().data_dir, facts.name) else "absent"
        ids = f"{facts.first_pair_id}..{facts.first_pair_id + facts.pairs - 1}"
        click.echo(f"{facts.name:8} {facts.pairs:6} {ids:>13}  {state:9} {facts.licence}")


@datasets.command("import")
@click.argument("name")
@click.option("--images", type=_FILE, help="The images: tar, tgz, zip or folder (lfw).")
@click.option("--pairs", type=_FILE, help="The official pair list (lfw).")
@click.option("--detector", type=_FILE, help="The YuNet file; in the data folder by default.")
@teaching
def datasets_import(
    name: str, images: Path | None, pairs: Path | None, detector: Path | None
) -> None:
    """Read, align and store the dataset NAME (lfw, demo). A killed import goes on where it was."""
    from compute.alignment import find_detector
    from compute.datasets.catalogue import facts_of
    from compute.datasets.importing import import_demo, import_lfw

    settings = site_settings()
    if facts_of(name).name == "demo":
        report = import_demo(settings.data_dir)
    elif images is None or pairs is None:
        raise click.UsageError(f"{name} needs --images and --pairs.")
    else:
        folders = [settings.data_dir / "models"]
        if settings.real_data is not None:
            folders.append(settings.real_data / "models")
        report = import_lfw(
            settings.data_dir,
            images=images,
            pairs=pairs,
            detector=detector or find_detector(folders),
        )
    state = "is imported already" if report.already else "imported"
    click.echo(f"{name} {state}: {report.images} images, {report.pairs} pairs.")
    finish(report.skipped)


@datasets.command("verify")
@click.argument("name")
@teaching
def datasets_verify(name: str) -> None:
    """Check every file and every image of the imported dataset NAME against its hash."""
    from compute.datasets.store import read_dataset, require_images

    dataset = read_dataset(site_settings().data_dir, name)
    require_images(dataset)
    click.echo(f"{name}: {len(dataset.records)} images and {len(dataset.pairs)} pairs are sound.")
    finish(dataset.skipped)


@datasets.command("pull")
@click.argument("name")
@click.option("--source", help="tfrecord, original or bin; by default the first that NAME has.")
@teaching
def datasets_pull(name: str, source: str | None) -> None:
    """Download the files of the dataset NAME, each checked. A stopped download goes on."""
    from compute.datasets.downloads import pull

    report = pull(site_settings().data_dir, name, source)
    for path in report.paths:
        click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    click.echo(f"{name} pulled from {report.source}. Next: flask datasets import {name}")
    finish(report.skipped)
