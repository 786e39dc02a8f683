// Converts the lines of corpus.py into the classifier's input, with the code of
// the detector:
//
//     normalize [--romanise | --raw | --romanised] < in.tsv > out.tsv
//
// Lines are <language> TAB <source> TAB <text>. Each segment of a text becomes
// a line. Text without letters is dropped, and so is text whose script is not
// one of its language's (untranslated).
//
// - --raw writes the accepted texts unchanged.
// - --romanise also writes every fifth line of some languages in Latin letters,
//   as people write without the right keyboard. The source of such a line is
//   "romanised". It also writes every second Cyrillic line of Serbian, which
//   uses both scripts, in Latin letters, as ordinary Serbian.
// - --romanised writes only romanised lines, of all lines.

#include <unicode/translit.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/language/prose.h"
#include "model/language/script.h"

namespace apollo {
namespace {

constexpr int kRomaniseEvery = 5;
constexpr int kSerbianEvery = 2;

std::unique_ptr<icu::Transliterator> MakeTransliterator(
    const std::string& language) {
  // Spoken Indic languages drop a final a; Sanskrit does not.
  static const std::map<std::string, const char*> kRules = {
      {"hi", "Any-Latin; Latin-ASCII; Lower"},
      {"ne", "Any-Latin; Latin-ASCII; Lower"},
      {"mai", "Any-Latin; Latin-ASCII; Lower"},
      {"sa", "Any-Latin; Latin-ASCII; Lower"},
      {"ru", "Russian-Latin/BGN; Latin-ASCII; Lower"},
      {"uk", "Any-Latin; Latin-ASCII; Lower"},
      {"bg", "Any-Latin; Latin-ASCII; Lower"},
      {"ko", "Any-Latin; Latin-ASCII; Lower"},
      {"ja", "Any-Latin; Latin-ASCII; Lower"},
      {"zh", "Han-Latin; Latin-ASCII; Lower"},
      {"sr", "Serbian-Latin/BGN; Lower"},
  };
  const auto rule = kRules.find(language);
  if (rule == kRules.end()) return nullptr;
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<icu::Transliterator> made(
      icu::Transliterator::createInstance(rule->second, UTRANS_FORWARD, error));
  if (U_FAILURE(error)) {
    std::cerr << "ICU has no rule " << rule->second << ": "
              << u_errorName(error) << "\n";
    return nullptr;
  }
  return made;
}

// Returns for example "dhard" for "dharda": drops a final a after a consonant
// in longer words.
std::string DropFinalA(const std::string& text) {
  constexpr std::string_view kVowels = "aeiou ";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool last = i + 1 == text.size() || text[i + 1] == ' ';
    if (text[i] == 'a' && last && i >= 3 &&
        kVowels.find(text[i - 1]) == std::string_view::npos &&
        text[i - 2] != ' ' && text[i - 3] != ' ') {
      continue;
    }
    result.push_back(text[i]);
  }
  return result;
}

struct Options {
  bool romanise = false;
  bool raw = false;
  bool only_romanised = false;
};

// Applies the steps of the detector to lines, by language.
class Normalizer {
 public:
  explicit Normalizer(const Options& options) : options_(options) {}

  void Add(const std::string& language, const std::string& source,
           std::string_view text) {
    bool any = false;
    for (const std::string& segment : SplitSegments(text)) {
      std::vector<ScriptText> texts = SplitByScript(segment);
      if (texts.empty() || texts[0].letters < 2) continue;
      if (!IsNative(language, texts[0].script)) continue;
      any = true;
      if (options_.raw) break;
      if (!options_.only_romanised) Print(language, source, texts[0].text);
      if (texts[0].script != "Latn") Romanise(language, source, texts[0].text);
    }
    if (any && options_.raw) Print(language, source, text);
  }

 private:
  static void Print(const std::string& language, const std::string& source,
                    std::string_view text) {
    std::cout << language << "\t" << source << "\t" << text << "\n";
  }

  bool IsNative(const std::string& language, const std::string& script) {
    auto [scripts, fresh] = scripts_of_.try_emplace(language);
    if (fresh) scripts->second = NativeScripts(language);
    const std::vector<std::string>& native = scripts->second;
    return std::find(native.begin(), native.end(), script) != native.end();
  }

  void Romanise(const std::string& language, const std::string& source,
                const std::string& text) {
    const bool serbian = language == "sr";
    if (!options_.romanise && !options_.only_romanised) return;
    if (serbian && options_.only_romanised) return;
    auto [romaniser, fresh] = romanisers_.try_emplace(language);
    if (fresh) romaniser->second = MakeTransliterator(language);
    if (romaniser->second == nullptr) return;
    const int every = serbian ? kSerbianEvery : kRomaniseEvery;
    if (!options_.only_romanised && ++count_[language] % every != 0) return;
    icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text);
    romaniser->second->transliterate(unicode);
    std::string latin;
    unicode.toUTF8String(latin);
    if (language == "hi" || language == "ne" || language == "mai") {
      latin = DropFinalA(latin);
    }
    for (const std::string& segment : SplitSegments(latin)) {
      const std::vector<ScriptText> texts = SplitByScript(segment);
      if (texts.empty() || texts[0].script != "Latn") continue;
      if (texts[0].letters < (serbian ? 2 : 12)) continue;
      Print(language, serbian ? source : "romanised", texts[0].text);
    }
  }

  const Options options_;
  std::map<std::string, std::unique_ptr<icu::Transliterator>> romanisers_;
  std::map<std::string, std::vector<std::string>> scripts_of_;
  std::map<std::string, int> count_;
};

int Run(const Options& options) {
  Normalizer normalizer(options);
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t first = line.find('\t');
    const std::size_t second =
        first == std::string::npos ? first : line.find('\t', first + 1);
    if (second == std::string::npos) {
      std::cerr << "a line without two tabs\n";
      return 1;
    }
    normalizer.Add(line.substr(0, first),
                   line.substr(first + 1, second - first - 1),
                   std::string_view(line).substr(second + 1));
  }
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::string_view option = argc == 2 ? argv[1] : "";
  apollo::Options options;
  options.romanise = option == "--romanise";
  options.raw = option == "--raw";
  options.only_romanised = option == "--romanised";
  if (argc > 2 || (argc == 2 && !options.romanise && !options.raw &&
                   !options.only_romanised)) {
    std::cerr << "usage: normalize [--romanise | --raw | --romanised] < in.tsv "
                 "> out.tsv\n";
    return 2;
  }
  return apollo::Run(options);
}
