#pragma once

#include <unistd.h>

#include <utility>

namespace apollo {

// Owns a file descriptor and closes it. Move-only.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    Reset(std::exchange(other.number_, -1));
    return *this;
  }
  ~FileDescriptor() { Reset(); }

  // The descriptor; negative if there is none.
  int get() const { return number_; }
  bool ok() const { return number_ >= 0; }
  // Releases ownership: the caller must close the descriptor.
  int Release() { return std::exchange(number_, -1); }
  // Closes the descriptor and takes ownership of `number`.
  void Reset(int number = -1) {
    if (number_ >= 0) close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

}  // namespace apollo
