"""What can go wrong on the site, and how it is told: a page for people, JSON for programs.

Domain errors carry a status, a short ``code`` and a message that names what was wrong, what was
expected and what to do. No answer ever holds a traceback: those go to the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import psycopg.errors
from flask import Flask, Response, current_app, jsonify, make_response, render_template, request
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from app.database import OutOfTimeError, is_late
from app.settings import Settings

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a request body; a review, the one thing that is sent, has a few hundred."""


class SiteError(Exception):
    """An error that the visitor can understand and do something about."""

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    code: str = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def details(self) -> dict[str, Any]:
        """Return what the JSON answer says besides status, code and message."""
        return {}


class BadQuery(SiteError):  # noqa: N818  named for what is told
    """A query that the grammar does not allow.

    Parameters
    ----------
    message
        What is wrong, in a sentence.
    parameter
        The name as it stood in the URL.
    value
        The value as it stood in the URL, where the value is at fault.
    allowed
        What could have stood there instead.
    """

    status = HTTPStatus.BAD_REQUEST
    code = "bad_query"

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        value: str | None = None,
        allowed: Iterable[str] = (),
    ) -> None:
        self.parameter = parameter
        self.value = value
        self.allowed = tuple(allowed)
        listed = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        super().__init__(message + listed)

    def details(self) -> dict[str, Any]:
        """Return the offending parameter and value, and what is allowed."""
        found = {"parameter": self.parameter, "value": self.value, "allowed": list(self.allowed)}
        return {name: value for name, value in found.items() if value not in (None, [])}


class NotFound(SiteError):  # noqa: N818  named for what is told
    """No such pair, model, dataset or evaluation."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class SlowQuery(SiteError):  # noqa: N818  named for what is told
    """The database was told to stop a query that took too long."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "query_too_slow"


class DatabaseUnavailable(SiteError):  # noqa: N818  named for what is told
    """The database cannot be reached, or was never set up."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "database_unavailable"


HEADINGS: Final = {
    400: "This query cannot be answered",
    403: "This did not come from this site",
    404: "There is nothing here",
    405: "This page can only be read",
    413: "Too large",
    429: "Too many answers at a time",
    500: "Something went wrong on our side",
    503: "Not available right now",
}
MESSAGES: Final = {
    404: "No page has this address.",
    405: "Use GET: this address is only read, nothing is sent to it.",
    413: f"The site reads no request body above {LARGEST_BODY // 1024} KiB.",
    500: "The error is in the log of the server. Trying again may or may not help.",
}
RETRY_AFTER: Final = {429: "60", 503: "10"}


def init_app(app: Flask) -> None:
    """Answer every error of ``app`` in the site's own words."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(_refuse_large_body)
    app.register_error_handler(SiteError, _tell)
    app.register_error_handler(HTTPException, _tell_http)
    app.register_error_handler(DBAPIError, _tell_database)
    app.register_error_handler(OutOfTimeError, _tell_out_of_time)
    app.register_error_handler(Exception, _tell_unexpected)


def _refuse_large_body() -> Response | None:
    if (request.content_length or 0) > LARGEST_BODY:
        return answer(413, "too_large", MESSAGES[413])
    return None


def _tell(error: SiteError) -> Response:
    return answer(error.status, error.code, error.message, error.details())


def _tell_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect is raised too
        return make_response(error.get_response())
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    response = answer(status, code, MESSAGES.get(status) or error.description or code)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _tell_database(error: DBAPIError) -> Response:
    known = explain_database_error(error)
    if known is None:
        return _tell_unexpected(error)
    current_app.logger.warning("%s: %s", known.code, error.orig)
    return _tell(known)


def _tell_out_of_time(_error: OutOfTimeError) -> Response:
    known = _slow_query()
    current_app.logger.warning("%s: between statements", known.code)
    return _tell(known)


def _slow_query() -> SlowQuery:
    settings: Settings = current_app.config["SETTINGS"]
    return SlowQuery(
        f"This query took longer than {settings.query_seconds:g} seconds and was stopped. "
        "Narrow it: choose one dataset, filter by a value, or sort by another column."
    )


def _tell_unexpected(error: Exception) -> Response:
    current_app.logger.error("%s %s", request.method, request.full_path, exc_info=error)
    return answer(500, "internal", MESSAGES[500])


def explain_database_error(error: DBAPIError) -> SiteError | None:
    """Return what a database error means for the visitor; None where it is a fault of the code."""
    if is_late(error):
        return _slow_query()
    cause = error.orig
    unset = isinstance(cause, psycopg.errors.UndefinedTable) or (
        isinstance(cause, sqlite3.OperationalError) and "no such table" in str(cause)
    )
    if unset:
        return DatabaseUnavailable(
            "The database has no tables yet. Whoever runs this site: `flask db upgrade`."
        )
    if error.connection_invalidated or isinstance(
        cause, psycopg.OperationalError | sqlite3.OperationalError
    ):
        return DatabaseUnavailable("The database cannot be read right now. Please try again.")
    return None


def answer(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Response:
    """Return an error as JSON under ``/api``, else as a page."""
    if wants_json():
        body = {"error": {"status": int(status), "code": code, "message": message}}
        body["error"].update(details or {})
        response = jsonify(body)
    else:
        response = make_response(
            render_template(
                "error.html",
                status=int(status),
                heading=HEADINGS.get(status, HTTPStatus(status).phrase),
                message=message,
                allowed=(details or {}).get("allowed", []),
            )
        )
    response.status_code = int(status)
    response.headers["Cache-Control"] = "no-store"
    if status in RETRY_AFTER:
        response.headers["Retry-After"] = RETRY_AFTER[status]
    return response


def wants_json() -> bool:
    """Return whether the request went to the API (its documentation is a page)."""
    path = request.path
    return path.startswith("/api/") and not path.startswith("/api/docs")
