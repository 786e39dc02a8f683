#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace apollo {

// Zero-filled memory of its own pages, aligned to 4096 bytes, in huge pages
// where the system has them. Pages take memory only once they are written to.
// Movable; the address stays. Where the system gives no memory, the buffer is
// empty and its status says so.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        status_(std::exchange(other.status_, absl::OkStatus())) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(status_, other.status_);
    return *this;
  }
  ~AlignedBuffer();

  template <typename T>
  T* as() {
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }
  std::size_t bytes() const { return bytes_; }

  // RESOURCE_EXHAUSTED with the number of bytes if they could not be had.
  const absl::Status& status() const { return status_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  absl::Status status_;
};

// "the system gives no N bytes of memory for <what>; ...", RESOURCE_EXHAUSTED.
absl::Status NoMemory(std::size_t bytes, std::string_view what);

}  // namespace apollo
