#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace apollo {

// A whole file mapped read-only. Pages are read from disk when first touched.
// Movable; the bytes stay where they are. Immutable, so safe from any thread.
class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT (not a regular file), each
  // naming the path. An empty file maps to an empty span.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const std::uint8_t* data, std::size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  void Unmap();

  std::string path_;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Tells the system that these bytes of a mapping will hardly be read again:
// whole pages among them leave memory, and come back from the file when
// touched.
void ReleasePages(std::span<const std::uint8_t> bytes);

// Tells the system that these bytes will be read soon, all of them.
void PopulatePages(std::span<const std::uint8_t> bytes);

// The contents of a file of at most `max_bytes`; RESOURCE_EXHAUSTED beyond
// that.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::size_t max_bytes);

}  // namespace apollo
