"""Errors of calls, for test cases."""

import grpc


def failure_of(call):
    """Returns the error of a function that makes a call, which must fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call has succeeded")


def trailers_of(error):
    return dict(error.trailing_metadata())


def completes(client):
    """Returns whether a call of a client (stub_case.py) succeeds."""
    try:
        client.complete()
        return True
    except grpc.RpcError:
        return False
