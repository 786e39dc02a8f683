#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// The detector with the classifier that is compiled in (classifier.ftz): needs
// no file at run time. Errors as LoadFastTextDetector's.
absl::StatusOr<std::unique_ptr<LanguageDetector>> MakeDefaultDetector(
    const FamilyTable& families);

}  // namespace apollo
