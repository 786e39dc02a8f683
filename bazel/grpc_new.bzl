"""Debian's gRPC, or with --config=grpc_new that of third_party/grpc_new."""

def if_grpc_new(on, off = []):
    """Returns `on` with --config=grpc_new, else `off`. For srcs, deps, linkopts, defines."""
    return select({
        "//bazel:grpc_new_on": on,
        "//conditions:default": off,
    })
