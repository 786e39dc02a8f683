"""What is wrong, in words for the user."""


class Failure(Exception):
    """Something did not work: a program, a model, a state."""


class Mistake(Failure):
    """Something was asked for that cannot be."""
