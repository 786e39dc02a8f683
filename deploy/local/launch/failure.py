"""Errors with messages for the user."""


class Failure(Exception):
    """A failure of a program, a model or a state."""


class Mistake(Failure):
    """An invalid command or option."""
