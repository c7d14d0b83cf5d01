"""Posting to a black box: checked addresses only, time limits, retries, a limit of size."""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from app.version import VERSION
from compute.errors import RemoteError
from compute.patience import MOMENTARY, MomentaryError, asked_wait
from compute.progress import say
from compute.remote.addresses import Target, parse_url, redirected, resolve

ATTEMPTS: Final = 6
"""How often a request is made before the run stops; half a second, then twice as long each time."""
LONGEST_WAIT: Final = 600.0
"""Seconds that a service may ask to be left alone for."""
_FIRST_WAIT: Final = 0.5
_LONG: Final = 4.0
"""Seconds from which a wait is announced."""
_CONNECT_SECONDS: Final = 10.0
_MOST_REDIRECTS: Final = 3
_CHUNK: Final = 1 << 16
_SHOWN: Final = 300
_SAME_POST: Final = frozenset({301, 302, 307, 308})
"""Redirects after which the request may be sent once more as it is; 303 asks for a GET."""


@dataclass(frozen=True)
class Manners:
    """How a service is spoken to.

    Attributes
    ----------
    allow_private
        Whether http, and addresses that are not on the public internet, are allowed.
    timeout
        Seconds that a service may be silent, and that its answer may take to arrive.
    rate
        Requests per second at most; 0 for as many as it answers.
    key_env
        Environment variable that holds the key, sent as ``Authorization: Bearer``; ``""`` for none.
    """

    allow_private: bool = False
    timeout: float = 60.0
    rate: float = 0.0
    key_env: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= 3600:
            raise RemoteError(f"--timeout {self.timeout:g}: expected seconds, at most 3600.")
        if not 0 <= self.rate <= 1000:
            raise RemoteError(
                f"--rate {self.rate:g}: expected requests per second, or 0 for no limit."
            )
        if self.key_env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", self.key_env):
            # Not repeated: it may be the key itself.
            raise RemoteError(
                "--key-env: expected the name of an environment variable, made of A-Z, a-z, 0-9 "
                "and '_'. The key itself stands in that variable."
            )


class Transport:
    """Posts JSON to one URL. Proxies of the environment are not used: they would connect unchecked.

    Parameters
    ----------
    url
        Where to post to.
    manners
        Time limits and permissions.
    sleep, clock
        For tests.
    """

    def __init__(
        self,
        url: str,
        manners: Manners,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = parse_url(url, allow_private=manners.allow_private)
        self._manners = manners
        self._key = _key_of(manners.key_env)
        self._sleep = sleep
        self._clock = clock
        self._next_turn = 0.0
        self._addresses: dict[str, list[str]] = {}
        self._pools: dict[tuple[Target, str], urllib3.HTTPConnectionPool] = {}

    def post(self, body: bytes, *, limit: int) -> bytes:
        """Post a JSON body and return that of the answer, at most ``limit`` bytes.

        Raises
        ------
        RemoteError
            Where the service refuses, answers too much, leads to where it must not, or does not
            answer at all after ``ATTEMPTS``. The key is in no message.
        """
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                return self._follow(body, limit, attempt)
            except MomentaryError as error:
                reason = str(error)
                asked = error.wait or 0.0
                if asked > LONGEST_WAIT:
                    raise RemoteError(
                        f"{self._target}: {reason}, and asks to be left alone for {asked:.0f} "
                        "seconds. Run the command again then: finished work is kept."
                    ) from error
                if attempt + 1 < ATTEMPTS:
                    seconds = max(_FIRST_WAIT * 2**attempt, asked)
                    if seconds >= _LONG:
                        say(f"{self._target}: {reason}. Trying again in {seconds:.0f} seconds.")
                    self._sleep(seconds)
        raise RemoteError(
            f"{self._target}: {reason}, {ATTEMPTS} times in a row. Mend the service or the "
            "connection and run the command again: finished work is kept."
        )

    def _follow(self, body: bytes, limit: int, attempt: int) -> bytes:
        target = self._target
        for _ in range(_MOST_REDIRECTS + 1):
            self._wait_for_turn()
            answer = self._send(target, body, limit, attempt)
            if isinstance(answer, bytes):
                return answer
            target = redirected(target, answer, allow_private=self._manners.allow_private)
        raise RemoteError(
            f"{self._target}: redirects more than {_MOST_REDIRECTS} times, the last to {target}. "
            "Give the URL at which the service answers itself."
        )

    def _wait_for_turn(self) -> None:
        if self._manners.rate > 0:
            now = self._clock()
            if now < self._next_turn:
                self._sleep(self._next_turn - now)
            self._next_turn = max(now, self._next_turn) + 1 / self._manners.rate

    def _send(self, target: Target, body: bytes, limit: int, attempt: int) -> bytes | str:
        """Make one request; return the body of the answer, or where it redirects to."""
        deadline = self._clock() + self._manners.timeout
        timeout = urllib3.Timeout(
            connect=min(_CONNECT_SECONDS, self._manners.timeout), read=self._manners.timeout
        )
        headers = {
            "Host": target.authority,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"xfv/{VERSION}",
        }
        if self._key and target.origin == self._target.origin:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            response = self._pool(target, attempt).urlopen(
                "POST",
                target.path,
                body=body,
                headers=headers,
                timeout=timeout,
                redirect=False,
                retries=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                return self._judge(target, response, limit, deadline)
            finally:
                response.release_conn()
        except SSLError as error:
            if not isinstance(error.args[0], ssl.SSLCertVerificationError):
                raise MomentaryError(f"breaks off the TLS handshake ({error})") from None
            raise RemoteError(
                f"{target}: its certificate cannot be trusted ({error}). Mend the certificate, or "
                "name a file with that of your own authority in SSL_CERT_FILE."
            ) from error
        except (HTTPError, OSError) as error:
            # Resolved again for the next attempt: the service may have moved.
            self._addresses.pop(target.host, None)
            raise MomentaryError(
                f"cannot be reached ({_without_key(str(error), self._key)})"
            ) from None

    def _judge(
        self, target: Target, response: urllib3.BaseHTTPResponse, limit: int, deadline: float
    ) -> bytes | str:
        status = response.status
        location = response.headers.get("Location")
        if status in _SAME_POST and location:
            response.close()
            return location
        good = 200 <= status < 300
        data = self._read(target, response, limit if good else _CHUNK, deadline, strict=good)
        if good:
            return data
        said = _shown(_without_key(data.decode("utf-8", "replace"), self._key))
        message = f"answers {status} {response.reason or ''}".rstrip() + (
            f": {said}" if said else ""
        )
        if status in MOMENTARY:
            raise MomentaryError(message, wait=asked_wait(response.headers))
        hint = ""
        if status in (401, 403):
            hint = " Set the variable that --key-env names to a valid key."
        elif 300 <= status < 400:
            hint = " Give the URL at which the service answers POST requests itself."
        raise RemoteError(f"{target}: {message}.{hint}")

    def _read(
        self,
        target: Target,
        response: urllib3.BaseHTTPResponse,
        limit: int,
        deadline: float,
        *,
        strict: bool,
    ) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity")
        if strict and encoding != "identity":
            response.close()
            raise RemoteError(
                f"{target}: the answer is encoded as {encoding!r}, expected as it is. Do not "
                "compress where Accept-Encoding is identity."
            )
        parts: list[bytes] = []
        size = 0
        # read1 returns what one packet brings: a service that sends a byte now and then is stopped.
        while part := response.read1(_CHUNK):
            size += len(part)
            if size > limit:
                response.close()
                if not strict:
                    break
                raise RemoteError(
                    f"{target}: the answer is longer than {limit} bytes, which no answer to this "
                    "request can be. Check what the service sends."
                )
            if self._clock() > deadline:
                response.close()
                raise MomentaryError(
                    f"does not finish its answer in {self._manners.timeout:g} seconds"
                )
            parts.append(part)
        return b"".join(parts)

    def _pool(self, target: Target, attempt: int) -> urllib3.HTTPConnectionPool:
        """Return connections to a checked address of the target; each attempt takes the next."""
        if target.host not in self._addresses:
            self._addresses[target.host] = resolve(
                target, allow_private=self._manners.allow_private
            )
        addresses = self._addresses[target.host]
        address = addresses[attempt % len(addresses)]
        key = (Target(target.scheme, target.host, target.port, ""), address)
        if key not in self._pools:
            self._pools[key] = _connections(target, address)
        return self._pools[key]


def _connections(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    """Connect to the number, but ask for, and check the certificate of, the name."""
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, target.port, maxsize=1)
    return urllib3.HTTPSConnectionPool(
        address,
        target.port,
        maxsize=1,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host,
    )


def _key_of(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not re.fullmatch(r"[!-~]{1,4096}", key):
        state = "holds characters that a header cannot" if key else "is not set"
        raise RemoteError(
            f"The environment variable {variable} {state}; expected the key of the service, in "
            "ASCII without spaces."
        )
    return key


def _without_key(text: str, key: str) -> str:
    return text.replace(key, "[the key]") if key else text


def _shown(text: str) -> str:
    clean = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "..."
