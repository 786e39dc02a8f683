"""The libraries that third_party/grpc_new/build.sh has built, as a repository."""

_HINT = "run third_party/grpc_new/build.sh first: it has not built %s in %s (see docs/development.md)"

# Queries load what is not built, too. What needs it fails with the hint.
_NOT_BUILT = """
package(default_visibility = ["//visibility:public"])

genrule(
    name = "not_built",
    outs = ["not_built.cc"],
    cmd = "echo '{hint}' >&2; exit 1",
)

[
    cc_library(
        name = name,
        srcs = [":not_built"],
    )
    for name in ["all", "reflection"]
]

[
    filegroup(
        name = name,
        srcs = [":not_built"],
    )
    for name in ["protoc", "grpc_cpp_plugin", "well_known"]
]
"""

def _prefix(ctx, version):
    cache = ctx.os.environ.get("XDG_CACHE_HOME", "")
    if not cache:
        cache = ctx.os.environ.get("HOME", "/root") + "/.cache"
    default = "%s/apollo-moe/grpc-%s" % (cache, version)
    return ctx.os.environ.get("APOLLO_GRPC_NEW", default)

def _version(sources):
    for line in sources.splitlines():
        if line.startswith("grpc "):
            return line.split(" ")[1]
    fail("third_party/grpc_new/sources.txt does not name grpc")

def _grpc_new_repository_impl(ctx):
    version = _version(ctx.read(ctx.attr.sources))
    prefix = ctx.path(_prefix(ctx, version))
    if not prefix.get_child("built_from.txt").exists:
        hint = _HINT % ("gRPC " + version, prefix)
        ctx.file("BUILD", _NOT_BUILT.format(hint = hint))
        return
    for folder in ["bin", "include", "lib"]:
        ctx.symlink(prefix.get_child(folder), folder)
    ctx.symlink(ctx.attr.build_file, "BUILD")

# Is built from with --config=grpc_new only.
grpc_new_repository = repository_rule(
    implementation = _grpc_new_repository_impl,
    attrs = {
        "build_file": attr.label(mandatory = True),
        "sources": attr.label(mandatory = True),
    },
    environ = [
        "APOLLO_GRPC_NEW",
        "HOME",
        "XDG_CACHE_HOME",
    ],
    local = True,
)
