"""Which processors a benchmark may use."""

import os

from .failure import Failure


def keep(threads):
    """Keeps this script and all that it starts to the first `threads` of the processors that it may use.

    So all whom it measures have the same ones, however many threads they start. Returns their numbers.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise Failure(f"--threads is {threads}, but there are only {len(allowed)} processors to use")
    os.sched_setaffinity(0, allowed[:threads])
    return allowed[:threads]
