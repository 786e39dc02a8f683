#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace apollo {

// Places of payloads in a ring of bytes, in the order in which they come. Both
// ends of a path compute the same places, so that what the sender may use is
// known from two sums alone. One thread.
class RingLayout {
 public:
  struct Place {
    std::size_t offset = 0;
    std::uint64_t taken = 0;  // Bytes, with what is left unused before it.
  };
  // Places begin at multiples of this many bytes.
  static constexpr std::size_t kAlignment = 256;

  explicit RingLayout(std::size_t bytes = 0)
      : bytes_(bytes / kAlignment * kAlignment) {}

  // Larger payloads are never placed: so one fits whatever the position is.
  std::size_t largest() const { return bytes_ / 2; }

  // Returns the next place, or nothing if there is no room for it now.
  std::optional<Place> Next(std::size_t bytes);

  // The sum of what was taken, and how much of that is free again; it never
  // exceeds taken().
  std::uint64_t taken() const { return taken_; }
  std::uint64_t freed() const { return freed_; }
  void SetFreed(std::uint64_t freed) { freed_ = freed; }

 private:
  std::size_t bytes_;
  std::uint64_t taken_ = 0;
  std::uint64_t freed_ = 0;
};

}  // namespace apollo
