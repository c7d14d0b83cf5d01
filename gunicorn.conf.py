"""How gunicorn serves the site; ``PORT`` and ``WEB_CONCURRENCY`` come from the environment."""

import ctypes
import gc
import os
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

# A page takes arrays over all pairs, and glibc would keep their memory for the next, in every
# thread: half as much again as a worker needs. Blocks of 64 KiB and more go back at once.
if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
    mallopt(M_MMAP_THRESHOLD, 65536)
    mallopt(M_TRIM_THRESHOLD, 131072)


def when_ready(_server: Any) -> None:
    """Take what start-up made out of the garbage collector's rounds, before workers are forked.

    A page makes thousands of small objects, each round would look at all of the site's own again:
    up to 20 ms in the middle of a request. And what no round touches, the workers go on sharing.
    """
    gc.collect()
    gc.freeze()
