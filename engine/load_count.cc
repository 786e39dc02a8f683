#include "engine/load_count.h"

#include <utility>

namespace apollo {

std::int64_t SourceBytes(const WeightSource& source,
                         std::span<const TensorInfo> tensors) {
  std::int64_t bytes = 0;
  for (const TensorInfo& tensor : tensors) bytes += source.Bytes(tensor.name);
  return bytes;
}

LoadCount::LoadCount(const WeightSource& source, std::int64_t total,
                     LoadProgress progress)
    : source_(source), total_(total), progress_(std::move(progress)) {}

void LoadCount::Loaded(std::span<const std::string> names) {
  for (const std::string& name : names) {
    done_ += source_.Bytes(name);
    if (progress_) progress_(done_, total_);
  }
}

}  // namespace apollo
