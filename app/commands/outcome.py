"""How a command ends: done, done but something skipped, or failed with a message that teaches."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Final, NoReturn, ParamSpec, TypeVar

import click
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from app.settings import Settings

if TYPE_CHECKING:
    from compute.datasets.store import Skipped

DONE, SKIPPED, FAILED = 0, 1, 2

PIPELINE: Final = (
    "cv2",
    "onnx",
    "onnxruntime",
    "pooch",
    "pyarrow",
    "requests",
    "scipy",
    "tomli_w",
    "tqdm",
    "urllib3",
)
"""Libraries of the pipeline, which an environment that only serves the site does not have."""

P = ParamSpec("P")
R = TypeVar("R")


def site_settings() -> Settings:
    """Return the settings that this command runs under."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings


def teaching(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors into a message and exit code 2, also those that nobody foresaw: 1 is success."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            from compute.errors import ComputeError

            return command(*args, **kwargs)
        except ModuleNotFoundError as error:
            if error.name not in PIPELINE:
                _fail_unforeseen()
            fail(
                f"{error.name} is not installed: this environment holds the site only. Run: pip "
                "install -r requirements/compute.txt"
            )
        except ComputeError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error}. Finished work is kept; mend this and run the command again.")
        except SQLAlchemyError as error:
            first = str(error).splitlines()[0]
            fail(f"The database cannot be used ({first}). If it is new, run: flask db upgrade")
        except KeyboardInterrupt:
            fail("Stopped. Finished work is kept; run the command again to go on.")
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception:  # noqa: BLE001  Python's own exit code would be 1
            _fail_unforeseen()

    return wrapper


def fail(message: str) -> NoReturn:
    """Say why on standard error and exit with 2."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(FAILED)


def _fail_unforeseen() -> NoReturn:
    traceback.print_exc()
    fail("This is a mistake of the program, told above. Finished work is kept.")


def agrees(question: str) -> bool:
    """Ask on standard error; no answer, as in a script, is no."""
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        return False


def finish(skipped: Sequence[Skipped]) -> None:
    """List what was left out and exit: 0 where nothing was, else 1."""
    if skipped:
        list_skipped(skipped)
        sys.exit(SKIPPED)


def list_skipped(skipped: Sequence[Skipped]) -> None:
    """Name each thing that was left out (its ``what`` and ``reason``) once, and how many."""
    unique = list(dict.fromkeys(skipped))
    for each in unique:
        click.echo(f"skipped {each.what}: {each.reason}", err=True)
    if unique:
        pairs = sum(each.pair_id is not None for each in unique)
        click.echo(f"{len(unique)} skipped in all, {pairs} of them pairs: see above.", err=True)
