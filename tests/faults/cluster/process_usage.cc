#include "tests/faults/cluster/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace apollo {

ProcessUsage UsageOf(pid_t pid) {
  ProcessUsage usage;
  const std::string folder = "/proc/" + std::to_string(pid);
  std::error_code error;
  std::filesystem::directory_iterator files(folder + "/fd", error);
  if (!error) {
    usage.descriptors = static_cast<int>(
        std::distance(files, std::filesystem::directory_iterator()));
  }
  std::ifstream file(folder + "/statm");
  std::int64_t all = 0, resident = 0;
  if (file >> all >> resident) {
    usage.resident_bytes = resident * sysconf(_SC_PAGESIZE);
  }
  return usage;
}

}  // namespace apollo
