"""Ask a server at times that were fixed in advance, whether or not it keeps up: an open loop.

    python -m benchmarks.open_loop PORT < PLAN.json > ANSWERS.json

A plan is a list of [second, path]. Latency counts from the planned second, so that a server that
stalls is charged for all who would have come meanwhile. Each request is a visitor of its own: a new
connection, a browser's headers, the whole answer read. Only the standard library is loaded, for
this runs beside what it measures.
"""

from __future__ import annotations

import http.client
import json
import resource
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

VISITORS: Final = 64
"""As many may wait for an answer at a time; above, the loop would close."""
PATIENCE: Final = 20.0
"""Seconds until an answer counts as an error."""
HEADERS: Final = {
    "Accept": "text/html,application/json,*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Connection": "close",
}


def ask(port: int, plan: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Carry out a plan.

    Returns
    -------
    ``answers`` in the order of the plan: status (0 for none), milliseconds from the planned second
    to the last byte, milliseconds by which the request itself was sent late, bytes as sent. ``cpu``
    is what this process took of one core, ``seconds`` how long it all took.
    """
    answers: list[tuple[int, float, float, int]] = [(0, 0.0, 0.0, 0)] * len(plan)
    upcoming = iter(range(len(plan)))
    lock = threading.Lock()
    began = time.perf_counter() + 0.1

    def visit() -> None:
        while True:
            with lock:
                number = next(upcoming, None)
            if number is None:
                return
            second, path = plan[number]
            planned = began + second
            time.sleep(max(0.0, planned - time.perf_counter()))
            sent = time.perf_counter()
            status, size = _fetch(port, path)
            done = time.perf_counter()
            answers[number] = (status, (done - planned) * 1000, (sent - planned) * 1000, size)

    visitors = [threading.Thread(target=visit) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "answers": answers,
        "seconds": seconds,
        "cpu": (used.ru_utime + used.ru_stime) / seconds,
    }


def _fetch(port: int, path: str) -> tuple[int, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=HEADERS)
        response = connection.getresponse()
        return response.status, len(response.read())
    except (OSError, http.client.HTTPException):
        return 0, 0
    finally:
        connection.close()


if __name__ == "__main__":
    json.dump(ask(int(sys.argv[1]), json.load(sys.stdin)), sys.stdout)
