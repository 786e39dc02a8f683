"""The signals that ask this process to end: Ctrl-C, SIGTERM and SIGHUP. Call all of this in the main thread."""

import contextlib
import signal

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _not_ignored():
    return [number for number in NUMBERS if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP.


def interrupt():
    """Lets the first of these signals raise KeyboardInterrupt; later ones do nothing, so that the cleanup completes."""
    def stop(number, frame):
        ignore()
        raise KeyboardInterrupt
    for number in _not_ignored():
        signal.signal(number, stop)


def ignore():
    for number in _not_ignored():  # Not SIG_IGN: Python would report a signal that has arrived just before.
        signal.signal(number, lambda number, frame: None)


@contextlib.contextmanager
def deferred():
    """Defers these signals to the end of the block.

    They are not blocked in the kernel, because programs started in the block would inherit that.
    """
    arrived = []
    before = {number: signal.getsignal(number) for number in _not_ignored()}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: arrived.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in arrived[:1]:
            signal.raise_signal(number)
