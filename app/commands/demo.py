"""``flask demo``: a filled site in a few minutes, served while it is computed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click
from flask.cli import with_appcontext

from app.commands.compute import run
from app.commands.outcome import site_settings, teaching
from app.settings import ROOT


@click.command("demo")
@click.option("--limit", default=160, show_default=True, help="How many pairs to explain.")
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve the site, too.")
@with_appcontext
@teaching
def demo(limit: int, *, serve: bool) -> None:
    """Set up the demo (database, drawn faces, small model, results) and serve it meanwhile."""
    from flask_migrate import upgrade

    from compute.datasets.importing import import_demo
    from compute.demo import MODEL_PATH
    from compute.embedding import Preprocessing
    from compute.registry import ModelRegistry

    settings = site_settings()
    upgrade()
    server = _serve(settings.port) if serve else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        import_demo(settings.data_dir)
        ModelRegistry(settings.data_dir).add(
            "demo",
            MODEL_PATH,
            preprocessing=Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3),
            title="Demo network",
            licence="Part of this project.",
            source="compute/demo/train.py",
        )
        run("demo", ["demo"], "all", limit=limit)
        if server is not None:
            click.echo(f"The demo is complete: http://127.0.0.1:{settings.port} (Ctrl-C stops it)")
            server.wait()
    except KeyboardInterrupt:
        click.echo("Stopped. `make demo` goes on where this stopped.")
    finally:
        if server is not None:
            server.terminate()
            server.wait()


def _serve(port: int) -> subprocess.Popen[bytes]:
    """Start the site beside this process; computing leaves it the processor when it needs it."""
    address = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "--bind", address, "wsgi:app"]
    quiet = ["--log-level", "warning", "--access-logfile", "/dev/null"]
    server = subprocess.Popen([*command, *quiet], cwd=ROOT)  # noqa: S603  ours
    os.nice(10)
    click.echo(f"The site is at http://{address} while the demo is computed.")
    return server
