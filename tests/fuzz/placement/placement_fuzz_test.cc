// A placement file of any bytes is either rejected, naming the file, or names
// only experts and layers that the model has.

#include <absl/strings/match.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "common/check.h"
#include "expert_worker/placement_file.h"

namespace apollo {
namespace {

constexpr SparseShape kShape = {22, 24, 7};

void CheckExperts(const std::set<int>& experts) {
  if (experts.empty()) return;
  APOLLO_CHECK(*experts.begin() >= 0 && *experts.rbegin() < kShape.num_experts);
}

void Try(std::string_view text) {
  const auto placement = ParsePlacement(text, "fuzz.txt", kShape);
  if (!placement.ok()) {
    APOLLO_CHECK(placement.status().code() ==
                 absl::StatusCode::kInvalidArgument);
    APOLLO_CHECK(absl::StrContains(placement.status().message(), "fuzz.txt"));
    return;
  }
  for (const auto& [worker, experts] : *placement) {
    APOLLO_CHECK(!worker.empty());
    CheckExperts(experts.everywhere);
    for (const auto& [layer, in_layer] : experts.in_layer) {
      APOLLO_CHECK(layer >= kShape.first_layer && layer < kShape.end_layer);
      CheckExperts(in_layer);
    }
  }
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  apollo::Try({reinterpret_cast<const char*>(data), size});
  return 0;
}
