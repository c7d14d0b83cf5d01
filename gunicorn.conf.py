"""How gunicorn serves the site; ``PORT`` and ``WEB_CONCURRENCY`` come from the environment."""

import ctypes
import gc
import os
import time
from typing import Any

bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4
# The site is loaded once, and the workers share its memory; nothing in it opens a connection yet.
preload_app = True
# The longest that gunicorn takes; the site answers longer queries in its own words before that.
limit_request_line = 8190
# Workers touch a file as a sign of life; on a disk that can stall them.
worker_tmp_dir = "/dev/shm"  # noqa: S108  gunicorn creates it safely
timeout = 30
graceful_timeout = 20
max_requests = 10_000
max_requests_jitter = 1_000
accesslog = "-"
# Nothing here is steered at run time, and a container may have no home to put a socket in.
control_socket_disable = True

# A page takes arrays over all pairs, and glibc would keep their memory for the next in every
# thread: a hundred megabytes. One arena serves all threads, and what is free goes back now and
# then; giving each block back at once would cost a page a third of its time in page faults.
_libc = ctypes.CDLL(None)
_trim = getattr(_libc, "malloc_trim", None)  # glibc's alone
if mallopt := getattr(_libc, "mallopt", None):
    M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8  # malloc.h
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, 2**22)
SECONDS_BETWEEN_TRIMS = 1.0
_trimmed = 0.0


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """Give free memory back, at most once a second."""
    global _trimmed
    if _trim and time.monotonic() - _trimmed > SECONDS_BETWEEN_TRIMS:
        _trimmed = time.monotonic()
        _trim(0)


def when_ready(_server: Any) -> None:
    """Take what start-up made out of the garbage collector's rounds, before workers are forked.

    A page makes thousands of small objects, each round would look at all of the site's own again:
    up to 20 ms in the middle of a request. And what no round touches, the workers go on sharing.
    """
    gc.collect()
    gc.freeze()
