// A safetensors file of any bytes is either rejected or gives tensors that lie
// inside it and can be read.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/check.h"
#include "model/safetensors/convert.h"
#include "model/safetensors/header.h"
#include "model/safetensors/tensor_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const auto tensors = apollo::ParseSafetensors({data, size}, "fuzz");
  if (!tensors.ok()) {
    APOLLO_CHECK(!tensors.status().message().empty());
    return 0;
  }
  std::size_t total = 0;
  for (const auto& [name, view] : *tensors) {
    total += view.data.size();
    if (view.dtype == apollo::DType::kOther) continue;
    const auto count = static_cast<std::size_t>(view.NumElements());
    APOLLO_CHECK(view.data.size() == count * DTypeSize(view.dtype));
    std::vector<float> values(count);
    APOLLO_CHECK(ToFloat32(view, values.data()).ok());
  }
  APOLLO_CHECK(total < size);
  return 0;
}
