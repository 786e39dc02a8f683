#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// Returns the detector with the built-in classifier (classifier.ftz), which
// needs no file at run time. Returns the errors of LoadFastTextDetector.
absl::StatusOr<std::unique_ptr<LanguageDetector>> MakeDefaultDetector(
    const FamilyTable& families);

}  // namespace apollo
