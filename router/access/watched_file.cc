#include "router/access/watched_file.h"

#include <utility>

#include "common/mapped_file.h"
#include "common/sha256.h"

namespace apollo {

WatchedFile::WatchedFile(std::string path, std::size_t max_bytes)
    : path_(std::move(path)), max_bytes_(max_bytes) {}

absl::StatusOr<std::optional<std::string>> WatchedFile::ReadIfChanged() {
  absl::StatusOr<std::string> text = ReadFile(path_, max_bytes_);
  if (!text.ok()) {
    if (text.status() == last_error_) return std::nullopt;
    last_error_ = text.status();
    hash_.reset();
    return text.status();
  }
  last_error_ = absl::OkStatus();
  std::string hash = Sha256(*text);
  if (hash == hash_) return std::nullopt;
  hash_ = std::move(hash);
  return std::optional<std::string>(*std::move(text));
}

void WatchedFile::Forget() {
  hash_.reset();
  last_error_ = absl::OkStatus();
}

}  // namespace apollo
