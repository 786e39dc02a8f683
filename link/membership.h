#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The addresses of a group of workers, from a flag: "host:port,host:port", or
// "file:/path" for a file with one address per line (empty lines and lines that
// start with # are skipped), which may change while the process runs. One
// thread.
class Membership {
 public:
  // INVALID_ARGUMENT for an address without a port, naming it. A file need not
  // exist yet.
  static absl::StatusOr<Membership> Parse(std::string_view list);

  // The addresses now, each once. A file that cannot be read, or holds a line
  // that is no address, leaves the list as it was; why is logged once, until it
  // changes.
  const std::vector<std::string>& Current();

  // Whether it names no worker and never will: an empty list that is not a
  // file.
  bool NamesNobody() const { return path_.empty() && addresses_.empty(); }

 private:
  Membership() = default;
  void Report(const absl::Status& status);

  std::string path_;
  std::vector<std::string> addresses_;
  absl::Status file_status_;  // Of the last reading.
};

}  // namespace apollo
