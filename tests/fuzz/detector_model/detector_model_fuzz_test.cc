// Any bytes as a fastText model: loading must end with a detector or an error
// that names the source, and a detector must return a valid result for any
// text.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/language/detector.h"
#include "model/language/families.h"
#include "model/language/fasttext_detector.h"

namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void Use(const apollo::LanguageDetector& detector, std::string_view text) {
  double sum = 0;
  double before = 1;
  for (const auto& guess : detector.Detect(text).candidates) {
    Expect(apollo::FamilyTable::Paper().ExpertOf(guess.language).has_value());
    Expect(guess.confidence >= 0 && guess.confidence <= before);
    before = guess.confidence;
    sum += guess.confidence;
  }
  Expect(sum <= 1 + 1e-6);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto detector = apollo::ParseFastTextDetector(
      input, /*settings=*/"", "input", apollo::FamilyTable::Paper());
  if (!detector.ok()) {
    Expect(detector.status().message().find("input") == 0);
    return 0;
  }
  for (const char* text :
       {"", "ab", "Was sind die Anzeichen einer Grippe?", "сахарный диабет",
        "मुझे तीन दिन से बुखार है", "</s> __label__de __label__xx"}) {
    Use(**detector, text);
  }
  return 0;
}
