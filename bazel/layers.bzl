"""The table of layers: which folder may use which.

The root BUILD.bazel derives visibility from it, so that a forbidden dependency
does not build. tools/check_layers.py proves that, and also checks includes. Plain
data only: that script reads this file as Python.
"""

# Programs, tests and benchmarks, which may use everything.
OUTER = ["benchmarks", "deploy", "tests", "tools"]

# Maps each folder to the other folders that it may use.
LAYERS = {
    "clients": ["proto"],
    "common": [],
    "dense_worker": ["common", "engine", "kernels", "link", "model", "proto", "sequence", "serving", "tracing", "worker"],
    "engine": ["common", "kernels", "model", "sequence"],
    "expert_worker": ["common", "engine", "kernels", "link", "model", "proto", "sequence", "serving", "tracing", "worker"],
    "kernels": ["common"],
    "link": ["common", "proto", "sequence", "tracing"],
    "model": ["common", "kernels"],
    "proto": [],
    "router": ["common", "link", "proto", "sequence", "serving", "text", "tracing"],
    "sequence": ["common", "tracing"],
    "serving": ["common", "proto", "tracing"],
    "tracing": ["common"],
    "worker": ["common", "engine", "kernels", "link", "model", "proto", "sequence", "serving"],
}

# Parts of a folder with more users than the folder. Users of the folder may
# also use the part.
PARTS = {
    "text": ["model/config", "model/language", "model/prompt", "model/tokenizer"],
}

# Maps each library of third_party/system to the prefixes of its headers and the
# folders that may use it directly, besides the outer ones.
LIBRARIES = {
    "absl": (["absl/"], ["clients", "common", "dense_worker", "engine", "expert_worker", "kernels", "link", "model", "proto", "router", "sequence", "serving", "tracing", "worker"]),
    "absl_flags": (["absl/flags/"], ["dense_worker", "engine", "expert_worker", "router", "serving"]),
    "absl_random": (["absl/random/"], ["clients", "router", "tracing"]),
    "c_ares": (["ares.h"], ["serving"]),
    "cjose": (["cjose/"], ["router"]),
    "cld2": (["cld2/"], ["model"]),
    "cli11": (["CLI/"], []),
    "crypto": (["openssl/"], ["common", "serving"]),
    "cuda": (["cuda_", "cublas"], ["engine", "kernels", "link"]),
    "fasttext": (["fasttext/"], ["model"]),
    "grpc": (["grpc/", "grpcpp/"], ["clients", "dense_worker", "expert_worker", "link", "proto", "router", "serving"]),
    "grpc_reflection": (["grpcpp/ext/"], ["serving"]),
    "highway": (["hwy/"], ["kernels"]),
    "icu": (["unicode/"], ["model"]),
    "json": (["nlohmann/"], ["common", "model"]),
    "minja": (["minja/"], ["model"]),
    "libedit": (["histedit.h"], []),
    "opentelemetry": (["opentelemetry/"], ["serving"]),
    "ncurses": (["ncurses.h"], []),
    "pcre2": (["pcre2"], ["model"]),
    "prometheus": (["prometheus/"], ["dense_worker", "expert_worker", "router", "serving", "worker"]),
    "rapidjson": (["rapidjson/"], ["common"]),
    "protobuf": (["google/protobuf/"], ["link", "proto", "router", "serving"]),
    "spdlog": (["spdlog/", "fmt/"], ["common"]),
}

def users_of(folder):
    """Returns the folders that may use a folder or part, without the outer ones.

    Args:
      folder: a key of LAYERS or of PARTS.
    """
    if folder in PARTS:
        whole = [part.split("/")[0] for part in PARTS[folder]]
    else:
        whole = [folder]
    return [
        user
        for user, used in LAYERS.items()
        if user in whole or folder in used or [w for w in whole if w in used]
    ]

def layer_groups():
    """Declares a package group NAME_users for each folder, part and library."""
    names = {name: users_of(name) for name in list(LAYERS) + list(PARTS)}
    for library, (_headers, folders) in LIBRARIES.items():
        names["library_" + library] = folders
    for name, users in names.items():
        native.package_group(
            name = name + "_users",
            packages = ["//%s/..." % user for user in users + OUTER],
        )
