#include "common/free_memory.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace apollo {
namespace {

// Returns the number in a file that holds only that, or nullopt, for "max",
// too.
std::optional<std::int64_t> NumberIn(const std::string& path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

// Returns the number after a word at the start of a line.
std::optional<std::int64_t> NumberAfter(const std::string& path,
                                        const std::string& word) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    std::int64_t number = 0;
    if (words >> first >> number && first == word) return number;
  }
  return std::nullopt;
}

struct GroupFiles {
  const char* limit;
  const char* used;
  // Pages of files, in memory.stat.
  const char* active;
  const char* inactive;
};

// Returns what a group allows beyond what it uses, or nullopt if it has no
// limit.
std::optional<std::int64_t> FreeInGroup(const std::string& folder,
                                        const GroupFiles& files) {
  const auto limit = NumberIn(folder + files.limit);
  const auto used = NumberIn(folder + files.used);
  if (!limit || !used) return std::nullopt;
  const std::string stat = folder + "/memory.stat";
  const std::int64_t droppable = NumberAfter(stat, files.active).value_or(0) +
                                 NumberAfter(stat, files.inactive).value_or(0);
  // The numbers are not of the same instant, and the limit of version 1 is near
  // the largest number if there is none.
  const std::int64_t kept = std::max<std::int64_t>(0, *used - droppable);
  return std::max<std::int64_t>(0, *limit - kept);
}

// Takes the limits of a group and of those that contain it into account.
void LimitByGroups(const std::string& mount, const std::string& group,
                   const GroupFiles& files, std::int64_t& free) {
  for (std::filesystem::path path = group;; path = path.parent_path()) {
    const std::string below = path == "/" ? "" : path.string();
    if (const auto allowed = FreeInGroup(mount + below, files)) {
      free = std::min(free, *allowed);
    }
    if (below.empty()) return;
  }
}

}  // namespace

std::optional<std::int64_t> FreeMemory(const std::string& root) {
  const auto kilobytes = NumberAfter(root + "/proc/meminfo", "MemAvailable:");
  if (!kilobytes) return std::nullopt;
  std::int64_t free = *kilobytes << 10;
  // Lines such as "0::/a/b" (version 2) or "4:memory:/a/b".
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t kind = line.find(':');
    const std::size_t path = line.find(':', kind + 1);
    if (kind == std::string::npos || path == std::string::npos) continue;
    const std::string name = line.substr(kind + 1, path - kind - 1);
    const std::string group = line.substr(path + 1);
    if (group.empty() || group.front() != '/') continue;
    if (name.empty()) {
      LimitByGroups(
          root + "/sys/fs/cgroup", group,
          {"/memory.max", "/memory.current", "active_file", "inactive_file"},
          free);
    } else if (name == "memory") {
      LimitByGroups(root + "/sys/fs/cgroup/memory", group,
                    {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                     "total_active_file", "total_inactive_file"},
                    free);
    }
  }
  return free;
}

}  // namespace apollo
