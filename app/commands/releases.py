"""``flask export`` and ``flask import``: evaluations as releases, out and in."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.commands.outcome import site_settings, teaching

_FOLDER = click.Path(path_type=Path)


@click.command("export")
@click.option("--dataset", required=True, help="A dataset of this site.")
@click.option("--model", required=True, help="A model that is evaluated on it.")
@click.option(
    "--explanations",
    "sets",
    multiple=True,
    metavar="SET",
    help="Repeat for several; all sets by default.",
)
@click.option("--no-explanations", is_flag=True, help="Scores and folds only.")
@click.option("--version", help="Three numbers, as 1.0.0; the next version by default.")
@click.option("--to", "folder", type=_FOLDER, help="Write it here, not into the media store.")
@with_appcontext
@teaching
def export_release(
    dataset: str,
    model: str,
    sets: tuple[str, ...],
    version: str | None,
    folder: Path | None,
    *,
    no_explanations: bool,
) -> None:
    """Write an evaluation and its explanation sets as a release: Parquet, arrays, checksums.

    The site then lists it under /data. A release never changes: what is there already with the
    same content is left as it is, other content is the next version. No release holds an image.
    """
    from compute.releases.export import Wanted, export

    if no_explanations and sets:
        raise click.UsageError("--explanations and --no-explanations exclude each other.")
    chosen = () if no_explanations else sets or None
    settings = site_settings()
    report = export(
        Wanted(dataset, model, chosen, version, folder), settings.media_url, settings.data_dir
    )
    title = f"{model} on {dataset}, release {report.key.version}"
    for note in report.notes:
        click.echo(note)
    if report.already:
        click.echo(f"{title}: is there already with the same content, in {report.place}.")
    else:
        click.echo(f"{title}: {report.size / 2**20:.1f} MiB in {report.place}.")


@click.command("import")
@click.argument("folder", type=_FOLDER)
@with_appcontext
@teaching
def import_release(folder: Path) -> None:
    """Read the release in FOLDER back: check it, then publish its evaluation and explanations.

    Hashes come first, and nothing is written unless everything is sound. The dataset must be here,
    on the site or imported, with the same hash: a release holds no images.
    """
    from app.media import MediaStore
    from compute.publish import Publisher
    from compute.releases.restore import restore

    settings = site_settings()
    media = MediaStore(settings.media_url)
    for line in restore(folder, Publisher(media), media, settings.data_dir):
        click.echo(line)
