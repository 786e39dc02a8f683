#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// Returns the detector with the built-in classifier (classifier.ftz), which
// needs no file at run time. `expected` and errors are those of
// LoadFastTextDetector.
absl::StatusOr<std::unique_ptr<LanguageDetector>> MakeDefaultDetector(
    const FamilyTable& families, const std::vector<std::string>& expected = {});

}  // namespace apollo
