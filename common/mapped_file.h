#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace apollo {

// Facts that change whenever somebody writes into a file or puts another one in
// its place, unless the clock is turned back.
struct FileIdentity {
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
  std::int64_t modified = 0;  // Nanoseconds since 1970, of the contents.
  std::int64_t changed = 0;   // Likewise, of the file's entry too.

  bool operator==(const FileIdentity&) const = default;
};

// NOT_FOUND or PERMISSION_DENIED, naming the path.
absl::StatusOr<FileIdentity> IdentityOf(const std::string& path);

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
  // The identity of the file that is mapped, whatever is at the path now.
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
