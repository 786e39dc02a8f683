"""Error handling of the benchmark scripts."""

import signal
import sys

from launch.failure import Failure  # It ends the script with its message.


def run(main):
    """Runs main(). Ctrl-C, SIGTERM and errors unwind it, so that all processes it started are ended."""
    def stop(number, frame):
        raise SystemExit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except Failure as failure:
        sys.exit(f"{sys.argv[0]}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
