#pragma once

#include <cstddef>

namespace apollo::cuda {

// Divides one allocation into arrays that are aligned to 256 bytes. Without an
// allocation it only counts the bytes, so that one function describes both the
// size and the division:
//
//   MemoryLayout layout(memory);  // Or nullptr.
//   a = layout.Array<float>(n);
//   layout.bytes()
class MemoryLayout {
 public:
  explicit MemoryLayout(std::byte* memory) : memory_(memory) {}

  template <typename T>
  T* Array(std::size_t count) {
    T* const array =
        memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += (count * sizeof(T) + 255) / 256 * 256;
    return array;
  }

  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* const memory_;
  std::size_t bytes_ = 0;
};

}  // namespace apollo::cuda
