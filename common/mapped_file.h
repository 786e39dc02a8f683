#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace apollo {

// Properties of a file that change whenever it is written or replaced, unless
// the system clock is set back.
struct FileIdentity {
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  // Nanoseconds since 1970: last change of the content.
  std::int64_t modified = 0;
  // Nanoseconds since 1970: last change of content or metadata.
  std::int64_t changed = 0;

  bool operator==(const FileIdentity&) const = default;
};

// Returns NOT_FOUND or PERMISSION_DENIED, naming the path.
absl::StatusOr<FileIdentity> IdentityOf(const std::string& path);

// A file mapped read-only as a whole. Pages are read from disk on first access.
// Movable; the address of the bytes does not change. Immutable, therefore
// thread-safe.
class MappedFile {
 public:
  // Returns NOT_FOUND, PERMISSION_DENIED or INVALID_ARGUMENT (not a regular
  // file), each naming the path. An empty file maps to an empty span.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  // The identity of the mapped file, even if the path now names another one.
  const FileIdentity& identity() const { return identity_; }

 private:
  MappedFile(std::string path, const FileIdentity& identity,
             const std::uint8_t* data, std::size_t size)
      : path_(std::move(path)), identity_(identity), data_(data), size_(size) {}
  void Unmap();

  std::string path_;
  FileIdentity identity_;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Advises the system that these bytes of a mapping will hardly be read again.
// Whole pages in the range are evicted, and read from the file again on access.
void ReleasePages(std::span<const std::uint8_t> bytes);

// Advises the system that all of these bytes will be read soon.
void PopulatePages(std::span<const std::uint8_t> bytes);

// Returns the content of a file. Returns RESOURCE_EXHAUSTED if it is larger
// than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::size_t max_bytes);

}  // namespace apollo
