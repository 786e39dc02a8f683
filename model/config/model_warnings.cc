#include "model/config/model_warnings.h"

#include <absl/strings/str_cat.h>

#include "common/log.h"

namespace apollo {

absl::Status ReportModelWarnings(const std::vector<std::string>& warnings,
                                 bool strict) {
  if (strict && !warnings.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        warnings.front(),
        "; --strict_model is set, so that there must be no such doubt"));
  }
  for (const std::string& warning : warnings) {
    LogWarning("model_doubtful", {{"reason", warning}});
  }
  return absl::OkStatus();
}

}  // namespace apollo
