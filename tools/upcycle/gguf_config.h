#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_model.h"

namespace apollo {

// An architecture of GGUF files that can be converted.
struct GgufArchitecture {
  std::string_view name;  // Value of general.architecture.
  // llama.cpp's converter interleaves the two halves of each head of q and k,
  // so that its rotary kernel can rotate adjacent elements.
  bool interleaves_heads = false;
  bool qk_norm = false;  // Each head of q and k has an RMSNorm.
};

// Returns INVALID_ARGUMENT, naming the file, for other architectures.
absl::StatusOr<GgufArchitecture> FindGgufArchitecture(const GgufFile& keys);

// Reads and checks the configuration. Returns NOT_FOUND or INVALID_ARGUMENT,
// naming file and key or tensor, if something is missing or asks for another
// computation.
absl::StatusOr<BaseConfig> ReadGgufConfig(const GgufModel& model,
                                          const GgufArchitecture& architecture);

}  // namespace apollo
