#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace apollo {

// Zero-filled memory with its own pages, aligned to 4096 bytes, in huge pages
// where available. Physical memory is allocated when a page is first written.
// Movable; the address does not change. If allocation fails, the buffer is
// empty and its status tells why.
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

  // Returns RESOURCE_EXHAUSTED, with the number of bytes, if allocation failed.
  const absl::Status& status() const { return status_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  absl::Status status_;
};

// Returns RESOURCE_EXHAUSTED: "cannot allocate N bytes of memory for <what>;
// ...".
absl::Status NoMemory(std::size_t bytes, std::string_view what);

}  // namespace apollo
