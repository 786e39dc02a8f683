#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/weights/load_progress.h"
#include "model/weights/tensor_registry.h"
#include "model/weights/weight_source.h"

namespace apollo {

// Returns the size of the tensors in the source, in bytes.
std::int64_t SourceBytes(const WeightSource& source,
                         std::span<const TensorInfo> tensors);

// Counts the bytes of loaded tensors and reports them. One thread.
class LoadCount {
 public:
  // The source must outlive the count. `total`: the bytes of all tensors that
  // will be loaded. `progress` may be null.
  LoadCount(const WeightSource& source, std::int64_t total,
            LoadProgress progress);

  // Reports after each of the tensors.
  void Loaded(std::span<const std::string> names);

 private:
  const WeightSource& source_;
  const std::int64_t total_;
  const LoadProgress progress_;
  std::int64_t done_ = 0;
};

}  // namespace apollo
