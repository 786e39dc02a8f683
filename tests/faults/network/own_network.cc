#include "tests/faults/network/own_network.h"

#include <absl/strings/str_cat.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "common/status_macros.h"
#include "tests/faults/network/interface.h"

namespace apollo {
namespace {

bool left = false;

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (file.good()) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
}

// Users may make network namespaces only in a user namespace of their own,
// where they keep their numbers.
absl::Status UnshareAsUser() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return absl::ErrnoToStatus(
        errno, "neither root nor users may make network namespaces here");
  }
  RETURN_IF_ERROR(WriteFile("/proc/self/setgroups", "deny"));
  RETURN_IF_ERROR(
      WriteFile("/proc/self/uid_map", absl::StrCat(user, " ", user, " 1")));
  return WriteFile("/proc/self/gid_map", absl::StrCat(group, " ", group, " 1"));
}

absl::Status Leave() {
  if (unshare(CLONE_NEWNET) != 0) RETURN_IF_ERROR(UnshareAsUser());
  RETURN_IF_ERROR(BringUpLoopback());
  // Shows that more interfaces can be made.
  ASSIGN_OR_RETURN(const int packets, MakeInterface(kFirstAddress));
  close(packets);
  left = true;
  return absl::OkStatus();
}

}  // namespace

absl::Status LeaveMachineNetwork() {
  static const absl::Status result = Leave();
  return result;
}

bool HasLeftMachineNetwork() { return left; }

}  // namespace apollo
