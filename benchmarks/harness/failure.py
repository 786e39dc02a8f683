"""How the benchmark scripts end."""

import signal
import sys

from launch.failure import Failure  # It ends the script with its message.


def run(main):
    """Runs main(). Ctrl-C, SIGTERM and errors all unwind it, so that what it started is ended."""
    def stop(number, frame):
        raise SystemExit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    try:
        main()
    except Failure as failure:
        sys.exit(f"{sys.argv[0]}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
