#include "serving/process_flags.h"

#include <absl/flags/flag.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <filesystem>
#include <system_error>

#include "common/status_macros.h"
#include "serving/admin_server.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::string, model, "", "Directory of the model (required).");
ABSL_FLAG(std::string, listen, "",
          "Where to serve gRPC, as host:port; port 0 takes any free one; or as "
          "unix:/path, a Unix socket that only the same user may use. "
          "[::]:PORT serves all addresses of the machine, 0.0.0.0:PORT those "
          "of IPv4. Default: 127.0.0.1:50051 for what clients call, else "
          "127.0.0.1:0.");
ABSL_FLAG(
    int, max_connections, apollo::ServerOptions().max_connections,
    "Maximum number of open connections to the gRPC port, including idle "
    "ones; further ones are closed immediately. Each takes two open files "
    "(ulimit -n).");
ABSL_FLAG(std::string, metrics_listen, "127.0.0.1:0",
          "Where to serve /metrics over HTTP, as host:port; port 0 takes any "
          "free one.");
ABSL_FLAG(std::string, admin_listen, "",
          "Where to serve the administration of this process (apollo admin), "
          "as unix:/path, whose socket only the same user may use, or as a "
          "port of the machine itself, 127.0.0.1:PORT; port 0 takes any free "
          "one. Whoever reaches it may take the process out of service. "
          "Default: nowhere.");
ABSL_FLAG(std::string, address_file, "",
          "File to write both addresses to once the process listens.");
ABSL_FLAG(std::string, name, "",
          "Name of this process in logs and for its peers; must be unique in "
          "the cluster. Default: router, local, dense-worker-0 or "
          "expert-worker-0, so all but the first worker of a role need a "
          "name.");
ABSL_FLAG(
    std::string, families_file, "",
    "File with the language families; must be the same for all processes. "
    "Default: families.txt in the model directory if it exists, else the "
    "published families.");
ABSL_FLAG(bool, strict_model, false,
          "Refuse a model directory with keys of config.json or tensors that "
          "are not known, or that contradict each other, instead of warning.");

namespace apollo {
namespace {

// Far beyond what one process serves; twice as many open files are possible.
constexpr int kMostConnections = 100'000;

// Checks --address_file early: the file is written only after the model is
// loaded.
absl::Status CheckFolderOf(const std::string& address_file) {
  const std::filesystem::path folder =
      std::filesystem::path(address_file).parent_path();
  std::error_code ignored;
  if (folder.empty() || std::filesystem::is_directory(folder, ignored)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--address_file is \"", address_file,
                   "\"; it must be in a directory that exists, but \"",
                   folder.string(), "\" is none"));
}

}  // namespace

absl::StatusOr<ProcessFlags> ReadProcessFlags(
    const std::string& default_name, const std::string& default_listen) {
  ProcessFlags flags;
  flags.model = absl::GetFlag(FLAGS_model);
  if (flags.model.empty()) {
    return absl::InvalidArgumentError(
        "--model is missing; it must be a model directory");
  }
  flags.name = absl::GetFlag(FLAGS_name);
  if (flags.name.empty()) flags.name = default_name;
  flags.families = absl::GetFlag(FLAGS_families_file);
  flags.strict_model = absl::GetFlag(FLAGS_strict_model);
  flags.server.listen = absl::GetFlag(FLAGS_listen);
  if (flags.server.listen.empty()) flags.server.listen = default_listen;
  RETURN_IF_ERROR(CheckSocketOrListenAddress("listen", flags.server.listen));
  flags.server.max_connections = absl::GetFlag(FLAGS_max_connections);
  RETURN_IF_ERROR(CheckFromTo("max_connections", flags.server.max_connections,
                              1, kMostConnections));
  flags.server.metrics_listen = absl::GetFlag(FLAGS_metrics_listen);
  RETURN_IF_ERROR(
      CheckListenAddress("metrics_listen", flags.server.metrics_listen));
  flags.admin_listen = absl::GetFlag(FLAGS_admin_listen);
  RETURN_IF_ERROR(CheckAdminListen(flags.admin_listen));
  flags.server.address_file = absl::GetFlag(FLAGS_address_file);
  RETURN_IF_ERROR(CheckFolderOf(flags.server.address_file));
  return flags;
}

}  // namespace apollo
