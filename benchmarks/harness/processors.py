"""Selection of the CPUs for a benchmark."""

import os

from .failure import Failure


def keep(threads):
    """Restricts this script and its children to the first `threads` of the available CPUs, and returns their numbers.

    All measured programs therefore have the same CPUs, whatever number of threads they start.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise Failure(f"--threads is {threads}, but there are only {len(allowed)} processors to use")
    os.sched_setaffinity(0, allowed[:threads])
    return allowed[:threads]
