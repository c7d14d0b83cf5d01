"""``flask datasets``: list, import, check, derive and remove datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from flask.cli import AppGroup

from app.commands.outcome import fail, finish, site_settings, teaching
from app.commands.removal import AGREED, confirm_removal, is_published, withdraw

if TYPE_CHECKING:
    from compute.datasets.importing import ImportReport

datasets = AppGroup("datasets", help="List, import, check, derive and remove datasets.")

_FILE = click.Path(path_type=Path)
_SEED = click.IntRange(0)


@datasets.command("list")
@teaching
def datasets_list() -> None:
    """Show every known dataset: licence and source, then pairs, folds, ids and state.

    The state is the last of: absent, pulled (downloaded), imported (aligned and stored), verified
    (by one model or more), explained (pairs of it).
    """
    from app.commands.published import published_states
    from compute.datasets.states import known_datasets

    known = known_datasets(site_settings().data_dir)
    published = published_states()
    for each in known:
        source = each.facts.source.rstrip(".")
        click.echo(f"{each.facts.name}: {source}. Licence: {each.facts.licence}")
    width = max(len(each.facts.name) for each in known)
    click.echo(f"\n{'name':{width}} {'pairs':>6} {'folds':>5} {'ids':>21}  state")
    for each in known:
        facts = each.facts
        state = published.get(facts.name, each.state) if each.state == "imported" else each.state
        ids = f"{facts.first_pair_id}..{facts.last_pair_id}"
        click.echo(f"{facts.name:{width}} {facts.pairs:6} {each.folds:5} {ids:>21}  {state}")


@datasets.command("import")
@click.argument("name")
@click.option("--images", type=_FILE, help="The images: tar, tgz, zip or folder.")
@click.option("--pairs", type=_FILE, help="The official pair list; for your own images a CSV.")
@click.option("--tfrecord", type=_FILE, help="Pairs of aligned pictures as TFRecord.")
@click.option(
    "--bin", "bin_file", type=_FILE, help="Pairs of aligned pictures as InsightFace .bin."
)
@click.option("--scores", type=_FILE, help="The quality scores (xqlfw).")
@click.option(
    "--align",
    type=click.Choice(["detect", "landmarks", "none"]),
    help="Find the faces, take landmark files, or take pictures that are aligned already; by "
    "default landmarks for calfw and cplfw, else detect.",
)
@click.option("--landmarks", type=_FILE, help="Landmark files, where they are not in --images.")
@click.option(
    "--detector",
    type=_FILE,
    help="A file, or the name of a detector that was pulled; yunet by default.",
)
@click.option(
    "--per-label", type=int, help="Without --pairs: how many pairs to draw of each label."
)
@click.option("--seed", type=_SEED, default=0, show_default=True, help="Seed of what is drawn.")
@click.option("--title", default="", help="How the site calls your own dataset.")
@click.option("--licence", default="", help="Licence of your own dataset, shown on the site.")
@click.option("--source", default="", help="Where your own dataset is from, shown on the site.")
@teaching
def datasets_import(
    name: str,
    images: Path | None,
    pairs: Path | None,
    tfrecord: Path | None,
    bin_file: Path | None,
    scores: Path | None,
    align: Literal["detect", "landmarks", "none"] | None,
    landmarks: Path | None,
    detector: Path | None,
    per_label: int | None,
    seed: int,
    title: str,
    licence: str,
    source: str,
) -> None:
    """Read, align and store the dataset NAME: one of `flask datasets list`, or your own.

    Your own are images and a CSV with the columns path1, path2, genuine (1 or 0) and, if known,
    fold, identity1, identity2, quality1, quality2; or, without a CSV, one folder of images per
    identity, from which pairs are drawn. A killed import goes on where it was.
    """
    from compute.alignment import find_detector
    from compute.datasets.given import Given, import_given
    from compute.datasets.importing import import_demo
    from compute.datasets.own import Said

    settings = site_settings()
    if name == "demo":
        _require_no_options()
        _imported(name, import_demo(settings.data_dir))
        return
    given = Given(
        images=images,
        pairs=pairs,
        landmarks=landmarks,
        scores=scores,
        tfrecord=tfrecord,
        bin=bin_file,
        align=align,
        find_detector=lambda: find_detector(settings.detector_folders, detector),
        per_label=per_label,
        seed=seed,
        said=Said(title, licence, source),
    )
    _imported(name, import_given(settings.data_dir, name, given))


def _require_no_options() -> None:
    context = click.get_current_context()
    for option in context.command.params:
        if isinstance(option, click.Option) and option.name is not None:
            source = context.get_parameter_source(option.name)
            if source is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError(f"demo is drawn by code: leave {option.opts[0]} out.")


def _imported(name: str, report: ImportReport) -> None:
    state = "is imported already" if report.already else "imported"
    click.echo(f"{name} {state}: {report.images} images, {report.pairs} pairs.")
    click.echo(f"Next: flask compute --dataset {name} --limit 10")
    finish(report.skipped)


@datasets.command("verify")
@click.argument("name")
@teaching
def datasets_verify(name: str) -> None:
    """Check every file, count and image of the imported dataset NAME against its hash."""
    from compute.datasets.soundness import require_counts, require_images
    from compute.datasets.store import read_dataset

    dataset = read_dataset(site_settings().data_dir, name)
    require_counts(dataset)
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


@datasets.command("derive")
@click.argument("name")
@click.option("--from", "base", required=True, help="The imported dataset that it is made of.")
@click.option(
    "--degrade",
    "steps",
    multiple=True,
    metavar="KIND=AMOUNT",
    help="What is done to every face, repeated in turn: downsample=FACTOR, jpeg=QUALITY, "
    "blur=SIGMA, noise=DEVIATION, occlusion=PART.",
)
@click.option(
    "--folds", type=click.Choice(["identity-disjoint"]), help="Folds that share no identity."
)
@click.option("--fold-count", type=click.IntRange(2), help="How many such folds; 10 if left out.")
@click.option(
    "--quality",
    type=_FILE,
    help="A model that rates every face: an ONNX file, or the name of one that was pulled.",
)
@click.option(
    "--seed", type=_SEED, default=0, show_default=True, help="Seed of noise, places and folds."
)
@click.option("--title", default="", help="How the site calls it; says what was done by default.")
@teaching
def datasets_derive(
    name: str,
    base: str,
    steps: tuple[str, ...],
    folds: str | None,
    fold_count: int | None,
    quality: Path | None,
    seed: int,
    title: str,
) -> None:
    """Make the dataset NAME of another: degraded faces, disjoint folds, quality by a model.

    The same seed gives the same bytes. Pairs that no identity-disjoint fold can hold are listed.
    """
    from compute.datasets.degrade import parse_degradation
    from compute.datasets.derive import Derivation, derive
    from compute.datasets.pairs import FOLDS
    from compute.models.known import quality_file

    if fold_count is not None and folds is None:
        raise click.UsageError("--fold-count belongs to --folds identity-disjoint.")
    data = site_settings().data_dir
    derivation = Derivation(
        tuple(parse_degradation(step) for step in steps),
        (fold_count or FOLDS) if folds else None,
        quality and quality_file(data, quality),
        seed,
    )
    report = derive(data, name, base, derivation, title=title)
    _imported(name, report)


@datasets.command("remove")
@click.argument("name")
@AGREED
@teaching
def datasets_remove(name: str, *, agreed: bool) -> None:
    """Remove the imported dataset NAME, and all that the site published of it.

    What was downloaded, derived of it or released stays.
    """
    from compute.datasets.store import facts_of
    from compute.removal import holds_dataset, remove_dataset

    data = site_settings().data_dir
    if not holds_dataset(data, name) and not is_published("dataset", name):
        facts_of(data, name)  # a name that is nowhere known lists those that are
        fail(f"{name} is neither imported nor published: nothing to remove.")
    confirm_removal("dataset", name, agreed=agreed)
    remove_dataset(data, name, lambda: withdraw("dataset", name))
    click.echo(f"{name} removed.")
