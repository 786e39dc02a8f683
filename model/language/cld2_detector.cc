#include "model/language/cld2_detector.h"

// CLD2's header requires the two headers above.
#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/language/prose.h"
#include "model/language/script.h"

namespace apollo {
namespace {

// CLD2's code for a language, and other codes for it or for a language that
// CLD2 does not distinguish from it: nn is written Norwegian, CLD2's Kurdish
// covers Sorani, its Bihari covers Maithili.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8>
    kAliases = {{
        {"iw", "he"},
        {"jw", "jv"},
        {"nn", "no"},
        {"nb", "no"},
        {"ku", "ckb"},
        {"bh", "mai"},
        {"zh-Hant", "zh"},
        {"sr-ME", "sr"},
    }};

class Cld2Detector : public LanguageDetector {
 public:
  explicit Cld2Detector(const FamilyTable& families) {
    for (int i = 0; i < CLD2::NUM_LANGUAGES; ++i) {
      const auto language = static_cast<CLD2::Language>(i);
      const char* code = CLD2::LanguageCode(language);
      if (code == nullptr) continue;
      std::string mapped = code;
      if (!families.ExpertOf(mapped)) {
        for (const auto& [theirs, ours] : kAliases) {
          if (mapped == theirs) {
            mapped = ours;
            break;
          }
        }
      }
      if (!families.ExpertOf(mapped)) continue;
      codes_.emplace(language, mapped);
      scripts_.emplace(mapped, NativeScripts(mapped));
    }
    std::set<std::string> known;
    for (const auto& [theirs, ours] : codes_) known.insert(ours);
    for (const std::string& language : families.languages()) {
      if (!known.contains(language)) undetectable_.push_back(language);
    }
  }

  std::vector<std::string> UndetectableLanguages() const override {
    return undetectable_;
  }

  Detection Detect(std::string_view utf8_text) const override {
    const std::string prose = ExtractProse(utf8_text);
    if (prose.empty()) return {{}, /*neutral=*/1};
    const CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING,
                                  CLD2::UNKNOWN_LANGUAGE};
    CLD2::Language languages[3];
    int percents[3];
    double scores[3];
    int text_bytes = 0;
    bool reliable = false;
    int valid_bytes = 0;
    CLD2::ExtDetectLanguageSummaryCheckUTF8(
        prose.data(), static_cast<int>(prose.size()), /*is_plain_text=*/true,
        &hints, CLD2::kCLDFlagBestEffort, languages, percents, scores, nullptr,
        &text_bytes, &reliable, &valid_bytes);

    const std::vector<ScriptText> parts = SplitByScript(prose);
    Detection detection;
    // CLD2 cannot tell text in no language from text that it does not know.
    if (languages[0] == CLD2::UNKNOWN_LANGUAGE) detection.neutral = 1;
    for (int i = 0; i < 3; ++i) {
      const auto it = codes_.find(languages[i]);
      if (it == codes_.end() || percents[i] <= 0) continue;
      if (!IsWrittenIn(it->second, parts)) continue;
      // Halves results that CLD2 calls unreliable.
      const double confidence =
          std::min(percents[i], 100) / 100.0 * (reliable ? 1.0 : 0.5);
      Add(it->second, confidence, &detection);
    }
    std::stable_sort(detection.candidates.begin(), detection.candidates.end(),
                     [](const LanguageGuess& a, const LanguageGuess& b) {
                       return a.confidence > b.confidence;
                     });
    return detection;
  }

 private:
  // Returns true if any part is in a script of the language. CLD2 takes some
  // Latin text for romanised Sanskrit.
  bool IsWrittenIn(const std::string& language,
                   const std::vector<ScriptText>& parts) const {
    const std::vector<std::string>& scripts = scripts_.at(language);
    return std::any_of(
        parts.begin(), parts.end(), [&scripts](const ScriptText& part) {
          return std::find(scripts.begin(), scripts.end(), part.script) !=
                 scripts.end();
        });
  }

  // Two languages of CLD2 may map to one of the table.
  static void Add(const std::string& language, double confidence,
                  Detection* detection) {
    for (LanguageGuess& guess : detection->candidates) {
      if (guess.language == language) {
        guess.confidence = std::min(1.0, guess.confidence + confidence);
        return;
      }
    }
    detection->candidates.push_back({language, confidence});
  }

  // Constant after construction.
  std::map<CLD2::Language, std::string> codes_;
  std::map<std::string, std::vector<std::string>> scripts_;  // By code.
  std::vector<std::string> undetectable_;
};

}  // namespace

std::unique_ptr<LanguageDetector> MakeCld2Detector(
    const FamilyTable& families) {
  return std::make_unique<Cld2Detector>(families);
}

}  // namespace apollo
