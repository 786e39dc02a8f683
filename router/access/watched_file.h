#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <optional>
#include <string>

namespace apollo {

// A small file that is read again and again, for its changes. It may be written
// in place or replaced. Used by one thread at a time.
class WatchedFile {
 public:
  WatchedFile(std::string path, std::size_t max_bytes);

  // Returns the content if it is not that of the last call, also after an
  // error, else nullopt.
  // Errors name the path; each is returned once until something else happens.
  absl::StatusOr<std::optional<std::string>> ReadIfChanged();

  // Makes the next ReadIfChanged return the content, or its error, in any case.
  void Forget();

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  const std::size_t max_bytes_;
  std::optional<std::string> hash_;  // SHA-256 of the last content.
  absl::Status last_error_;
};

}  // namespace apollo
