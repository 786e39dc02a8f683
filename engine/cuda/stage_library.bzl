"""Parts of the stages on GPUs, which are also built on the emulation."""

load("//bazel:cuda.bzl", "CUDA_ONLY")

# For tests that change the state of the emulated device.
EMULATED_ONLY = select({
    "//bazel:cuda_on": ["@platforms//:incompatible"],
    "//conditions:default": [],
})

def stage_library(name, parts = [], deps = [], **kwargs):
    """Declares `name`, with --config=cuda only, and `name`_emulated, for tests.

    Args:
      name: name of the cc_library.
      parts: names of stage_library targets of this package that it needs.
      deps: other libraries, which need no CUDA.
      **kwargs: passed to both cc_libraries.
    """
    native.cc_library(
        name = name,
        target_compatible_with = CUDA_ONLY,
        deps = deps + [":" + part for part in parts] + [
            "//kernels/cuda:device",
            "//kernels/cuda:operations",
        ],
        **kwargs
    )
    native.cc_library(
        name = name + "_emulated",
        testonly = True,
        deps = deps + [":%s_emulated" % part for part in parts] + [
            "//kernels/cuda:emulated",
        ],
        **kwargs
    )

def tested(parts):
    """Returns the deps of a test of parts: on a GPU with --config=cuda, else emulated.

    Args:
      parts: names of stage_library targets of this package.
    """
    return select({
        "//bazel:cuda_on": [":" + part for part in parts],
        "//conditions:default": [":%s_emulated" % part for part in parts],
    })
