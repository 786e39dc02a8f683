#include "link/nccl/host_id.h"

#include <absl/strings/str_cat.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "common/sha256.h"

namespace apollo {
namespace {

// Returns the device and inode, which tell file systems and namespaces apart.
std::string Identity(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return "";
  return absl::StrCat(status.st_dev, ":", status.st_ino);
}

}  // namespace

std::string HostId(const HostIdPaths& paths) {
  std::string boot;
  std::getline(std::ifstream(paths.boot_id), boot);
  const std::string memory = Identity(paths.shared_memory);
  const std::string network = Identity(paths.network);
  if (boot.empty() || memory.empty() || network.empty()) return "";
  const char* const given = std::getenv("NCCL_HOSTID");
  return Sha256Hex(absl::StrCat(boot, "/", memory, "/", network,
                                given != nullptr ? "/" : "",
                                given != nullptr ? given : ""));
}

}  // namespace apollo
