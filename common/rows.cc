#include "common/rows.h"

#include <limits>

namespace apollo {

Rows Rows::Host(int rows, int width) {
  APOLLO_CHECK(rows >= 0 && width >= 0);
  const std::size_t numbers =
      static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
  std::shared_ptr<float[]> memory(new float[numbers]);
  float* const data = memory.get();
  return {data, rows, width, RowType::kF32, {}, std::move(memory)};
}

Rows Rows::FromVector(std::vector<float> numbers, int width) {
  if (numbers.empty()) return {};
  APOLLO_CHECK(width > 0 && numbers.size() % width == 0);
  const std::size_t rows = numbers.size() / width;
  APOLLO_CHECK(rows <= std::numeric_limits<int>::max());
  auto memory = std::make_shared<std::vector<float>>(std::move(numbers));
  float* const data = memory->data();
  return {data, static_cast<int>(rows), width, RowType::kF32,
          {},   std::move(memory)};
}

Rows Rows::Slice(int first, int count) const {
  APOLLO_CHECK(first >= 0 && count >= 0 && first <= rows_ - count);
  const std::size_t at = static_cast<std::size_t>(first) *
                         static_cast<std::size_t>(width_) * BytesOf(type_);
  return {data_ + at, count, width_, type_, device_, owner_};
}

Rows Rows::Reshaped(int width) const {
  if (empty()) return {};
  APOLLO_CHECK(width > 0 && numbers() % width == 0);
  const std::size_t rows = numbers() / width;
  APOLLO_CHECK(rows <= std::numeric_limits<int>::max());
  return {data_, static_cast<int>(rows), width, type_, device_, owner_};
}

}  // namespace apollo
