#include "model/language/default_detector.h"

#include <cstddef>
#include <string_view>

#include "model/language/fasttext_detector.h"

// Created by the linker from the bytes of the file; see the genrule in
// BUILD.bazel.
extern "C" const char _binary_classifier_ftz_start[];
extern "C" const char _binary_classifier_ftz_end[];

namespace apollo {

absl::StatusOr<std::unique_ptr<LanguageDetector>> MakeDefaultDetector(
    const FamilyTable& families, const std::vector<std::string>& expected) {
  const std::string_view model(
      _binary_classifier_ftz_start,
      static_cast<std::size_t>(_binary_classifier_ftz_end -
                               _binary_classifier_ftz_start));
  return ParseFastTextDetector(model, /*settings=*/"",
                               "the built-in language classifier", families,
                               expected);
}

}  // namespace apollo
