"""Which requests may store something: those from this site's own pages, and from no browser.

There are no accounts and no cookies, so a forged request could do no more than its sender; but a
foreign page could make its visitors answer here. Browsers say where a request comes from: the rules
are those of Go's ``http.CrossOriginProtection``, which need no token in the form.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from app.errors import SiteError


class ForeignRequest(SiteError):  # noqa: N818  named for what is told
    """A page of another site made the browser send this."""

    status = HTTPStatus.FORBIDDEN
    code = "cross_site"


def is_cross_site(fetch_site: str | None, origin: str | None, host: str) -> bool:
    """Return whether another site's page caused a request.

    Parameters
    ----------
    fetch_site
        The header ``Sec-Fetch-Site``, which every current browser sends and no page can set.
    origin
        The header ``Origin``, from older browsers.
    host
        The header ``Host``: name and port under which this site was asked.
    """
    if fetch_site:
        return fetch_site not in ("same-origin", "none")
    if not origin:
        return False  # no browser, or one that is too old to be asked
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def refuse_cross_site(fetch_site: str | None, origin: str | None, host: str) -> None:
    """Raise `ForeignRequest` for a request which `is_cross_site`."""
    if is_cross_site(fetch_site, origin, host):
        raise ForeignRequest(
            "Answers are taken from this site's own pages only, and this one was sent by another. "
            "Open /triage here and answer there."
        )
