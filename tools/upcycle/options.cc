#include "tools/upcycle/options.h"

#include <absl/strings/str_cat.h>

#include <cmath>

namespace apollo {

absl::Status CheckUpcycleOptions(const UpcycleOptions& options,
                                 const BaseConfig& base) {
  constexpr std::int64_t kMaxExperts = 1024;
  const auto check = [](const char* name, std::int64_t value, std::int64_t max,
                        const char* what) {
    if (value >= 1 && value <= max) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "--", name, " is ", value, "; it must be from 1 to ", what, ", ", max));
  };
  absl::Status status =
      check("experts", options.experts, kMaxExperts, "the most supported");
  status.Update(check("sparse-layers", options.sparse_layers, base.num_layers,
                      "the number of layers of the base"));
  status.Update(
      check("top-k", options.top_k, options.experts, "the number of experts"));
  if (status.ok() && (!std::isfinite(options.gate_std) ||
                      options.gate_std < 0 || options.gate_std > 100)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--gate-std is ", options.gate_std, "; it must be from 0 to 100"));
  }
  if (status.ok() && !(options.gate_margin > 0 && options.gate_margin <= 100)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--gate-margin is ", options.gate_margin,
                     "; it must be above 0 and at most 100"));
  }
  if (status.ok() && options.gate_from_texts.empty() &&
      !(options.gate_check_texts.empty() && options.families_file.empty())) {
    return absl::InvalidArgumentError(
        "--gate-check-texts and --families-file need --gate-from-texts");
  }
  return status;
}

}  // namespace apollo
