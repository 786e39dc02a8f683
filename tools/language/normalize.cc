// Turns the lines that corpus.py extracts into what the detector will show to
// the classifier, by the detector's own code:
//
//     normalize [--romanise | --raw | --romanised] < in.tsv > out.tsv
//
// Lines are <language> TAB <source> TAB <text>. Dropped: text without letters,
// and text whose script is not one that its language is written in
// (untranslated). With --raw what is kept comes out as it went in. With
// --romanise every fifth line of some languages comes out once more in Latin
// letters, as people without the right keyboard write; with --romanised only
// those come out, all of them; the source of such a line is "romanised".

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

std::unique_ptr<icu::Transliterator> MakeTransliterator(
    const std::string& language) {
  // Spoken Indic languages drop the a that ends a word; Sanskrit does not.
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
      {"ar", "Any-Latin; Latin-ASCII; Lower"},
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

// "dharda" -> "dhard": an a at the end, after a consonant, in longer words.
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

int Run(const Options& options) {
  const bool romanise = options.romanise || options.only_romanised;
  std::map<std::string, std::unique_ptr<icu::Transliterator>> romanisers;
  std::map<std::string, std::vector<std::string>> scripts_of;
  std::map<std::string, int> count;
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::size_t first = line.find('\t');
    const std::size_t second =
        first == std::string::npos ? first : line.find('\t', first + 1);
    if (second == std::string::npos) {
      std::cerr << "a line without two tabs\n";
      return 1;
    }
    const std::string language = line.substr(0, first);
    const std::string head = line.substr(0, second + 1);
    const ScriptText text =
        DominantScript(ExtractProse(std::string_view(line).substr(second + 1)));
    if (text.letters < 2) continue;
    auto [scripts, fresh] = scripts_of.try_emplace(language);
    if (fresh) {
      scripts->second = NativeScripts(language);
      if (romanise) romanisers[language] = MakeTransliterator(language);
    }
    if (std::find(scripts->second.begin(), scripts->second.end(),
                  text.script) == scripts->second.end()) {
      continue;
    }
    if (!options.only_romanised) {
      std::cout << (options.raw ? line : head + text.text) << "\n";
    }
    if (!romanise || romanisers[language] == nullptr || text.script == "Latn") {
      continue;
    }
    if (!options.only_romanised && ++count[language] % kRomaniseEvery != 0) {
      continue;
    }
    icu::UnicodeString unicode = icu::UnicodeString::fromUTF8(text.text);
    romanisers[language]->transliterate(unicode);
    std::string latin;
    unicode.toUTF8String(latin);
    if (language == "hi" || language == "ne" || language == "mai") {
      latin = DropFinalA(latin);
    }
    const ScriptText roman = DominantScript(ExtractProse(latin));
    if (roman.script == "Latn" && roman.letters >= 12) {
      std::cout << language << "\tromanised\t" << roman.text << "\n";
    }
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
