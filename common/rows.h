#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/check.h"

namespace apollo {

enum class RowType { kF32, kF16, kBf16 };

// Returns the bytes per number.
constexpr std::size_t BytesOf(RowType type) {
  return type == RowType::kF32 ? 4 : 2;
}

// The location of memory.
struct Device {
  enum class Kind { kHost, kCuda };
  Kind kind = Kind::kHost;
  int index = 0;  // Index among the devices of this kind.
  bool operator==(const Device&) const = default;
};

// A handle to a contiguous block of rows [rows, width] in the memory of a
// device. Moving a handle copies no data. Handles can share memory, which lives
// as long as the last of them.
//
// The creator writes the numbers before it passes the handle on; afterwards
// they are immutable. Move-only. A handle may be used by one thread at a time;
// different handles of the same memory by any threads.
class Rows {
 public:
  // An empty block.
  Rows() = default;
  // Wraps memory that `owner` keeps alive.
  Rows(void* data, int rows, int width, RowType type, Device device,
       std::shared_ptr<void> owner)
      : data_(static_cast<std::byte*>(data)),
        rows_(rows),
        width_(width),
        type_(type),
        device_(device),
        owner_(std::move(owner)) {
    APOLLO_CHECK(rows >= 0 && width >= 0);
  }
  Rows(Rows&& other) noexcept { *this = std::move(other); }
  Rows& operator=(Rows&& other) noexcept {
    data_ = std::exchange(other.data_, nullptr);
    rows_ = std::exchange(other.rows_, 0);
    width_ = std::exchange(other.width_, 0);
    type_ = other.type_;
    device_ = other.device_;
    owner_ = std::move(other.owner_);
    return *this;
  }

  // Allocates uninitialized float32 rows in host memory.
  static Rows Host(int rows, int width);
  // Wraps float32 rows in host memory. The size must be a multiple of the
  // width.
  static Rows FromVector(std::vector<float> numbers, int width);

  int rows() const { return rows_; }
  int width() const { return width_; }
  // rows() * width().
  std::size_t numbers() const {
    return static_cast<std::size_t>(rows_) * static_cast<std::size_t>(width_);
  }
  std::size_t bytes() const { return numbers() * BytesOf(type_); }
  bool empty() const { return numbers() == 0; }
  RowType type() const { return type_; }
  Device device() const { return device_; }
  // The address in the memory of the device.
  void* data() { return data_; }
  const void* data() const { return data_; }

  // The numbers. Requires float32 rows in host memory.
  std::span<float> host() {
    CheckHost();
    return {reinterpret_cast<float*>(data_), numbers()};
  }
  std::span<const float> host() const {
    CheckHost();
    return {reinterpret_cast<const float*>(data_), numbers()};
  }

  // Returns `count` rows starting at `first`, in the same memory.
  Rows Slice(int first, int count) const;

  // Returns the same numbers as rows of another width, which must divide
  // numbers().
  Rows Reshaped(int width) const;

 private:
  void CheckHost() const {
    APOLLO_CHECK(device_.kind == Device::Kind::kHost && type_ == RowType::kF32);
  }

  std::byte* data_ = nullptr;
  int rows_ = 0;
  int width_ = 0;
  RowType type_ = RowType::kF32;
  Device device_;
  std::shared_ptr<void> owner_;
};

}  // namespace apollo
