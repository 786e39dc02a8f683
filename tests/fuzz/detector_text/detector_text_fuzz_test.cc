// Any bytes as a question: both detectors must return a valid result, for the
// whole text and for a chat with one message per line.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "model/language/chat_detection.h"
#include "model/language/cld2_detector.h"
#include "model/language/default_detector.h"
#include "model/language/detector.h"
#include "model/language/families.h"

namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void Check(const apollo::Detection& detection) {
  double sum = 0;
  double before = 1;
  for (const auto& guess : detection.candidates) {
    Expect(apollo::FamilyTable::Paper().ExpertOf(guess.language).has_value());
    Expect(guess.confidence >= 0 && guess.confidence <= before);
    before = guess.confidence;
    sum += guess.confidence;
  }
  Expect(sum <= 1 + 1e-6);
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (lines.size() < 8) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const apollo::FamilyTable& families = apollo::FamilyTable::Paper();
  static const auto* const ours =
      apollo::MakeDefaultDetector(families).value().release();
  static const auto* const cld2 = apollo::MakeCld2Detector(families).release();
  for (const apollo::LanguageDetector* detector :
       {static_cast<const apollo::LanguageDetector*>(ours),
        static_cast<const apollo::LanguageDetector*>(cld2)}) {
    Check(detector->Detect(text));
    Check(apollo::DetectChat(*detector, Lines(text)));
  }
  return 0;
}
