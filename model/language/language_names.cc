#include "model/language/language_names.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "model/language/language_codes.h"

namespace apollo {
namespace {

// Longer texts are no names.
constexpr std::size_t kMostBytes = 64;
constexpr std::size_t kMostSuggestions = 3;

// Usual names that ICU lacks.
constexpr std::array<std::pair<std::string_view, std::string_view>, 32> kNames =
    {{
        {"bm", "Bamana"},        {"ceb", "Binisaya"},
        {"ceb", "Bisaya"},       {"ceb", "Sinugboanon"},
        {"ceb", "Visayan"},      {"ckb", "Kurdish (Sorani)"},
        {"ckb", "Sorani"},       {"ckb", "Sorani Kurdish"},
        {"ckb", "سۆرانی"},       {"ckb", "کوردی"},
        {"co", "corsu"},         {"gd", "Gaelic"},
        {"gn", "Avañe'ẽ"},       {"ilo", "Ilocano"},
        {"ilo", "Ilokano"},      {"la", "Latina"},
        {"la", "lingua latina"}, {"no", "bokmål"},
        {"no", "norsk bokmål"},  {"no", "norsk nynorsk"},
        {"no", "nynorsk"},       {"nso", "Pedi"},
        {"nso", "Sepedi"},       {"nso", "Sesotho sa Leboa"},
        {"rw", "Ikinyarwanda"},  {"sa", "संस्कृत"},
        {"sa", "संस्कृतम्"},         {"zh", "Mandarin"},
        {"zh", "普通话"},        {"zh", "汉语"},
        {"zh", "漢語"},          {"zh", "華語"},
    }};

icu::UnicodeString FromUtf8(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

// Returns a name without case, accents and surrounding blanks, for comparison.
// Only the accents of European scripts are dropped: marks of others are
// letters.
icu::UnicodeString Fold(const icu::UnicodeString& name) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* casefold =
      icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::Normalizer2* decompose = icu::Normalizer2::getNFDInstance(error);
  if (U_FAILURE(error)) return name;
  const icu::UnicodeString folded = decompose->normalize(
      casefold->normalize(icu::UnicodeString(name).trim(), error), error);
  if (U_FAILURE(error)) return name;
  icu::UnicodeString plain;
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    const UChar32 c = folded.char32At(i);
    if (c >= 0x300 && c <= 0x36F) continue;
    // Several characters serve as apostrophe.
    plain.append(c == 0x2019 || c == 0x2BC ? UChar32{'\''} : c);
  }
  return plain;
}

icu::UnicodeString NameOf(const icu::Locale& language,
                          const icu::Locale& in_language) {
  icu::UnicodeString name;
  return language.getDisplayLanguage(in_language, name);
}

// Returns all folded names of a language of the table.
std::vector<icu::UnicodeString> NamesOf(const std::string& language) {
  const icu::Locale locale(language.c_str());
  std::vector<icu::UnicodeString> names = {
      Fold(NameOf(locale, icu::Locale::getEnglish())),
      Fold(NameOf(locale, locale))};
  const std::string code = CanonicalLanguageCode(language);
  for (const auto& [named, name] : kNames) {
    if (named == code) names.push_back(Fold(FromUtf8(name)));
  }
  return names;
}

// Returns Levenshtein's distance: the least number of characters to insert,
// delete or replace.
int Distance(const icu::UnicodeString& a, const icu::UnicodeString& b) {
  std::vector<int> row(b.length() + 1);
  for (int32_t j = 0; j <= b.length(); ++j) row[j] = j;
  for (int32_t i = 1; i <= a.length(); ++i) {
    int diagonal = row[0];
    row[0] = i;
    for (int32_t j = 1; j <= b.length(); ++j) {
      const int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.length()];
}

std::string EnglishName(const std::string& language) {
  std::string name;
  NameOf(icu::Locale(language.c_str()), icu::Locale::getEnglish())
      .toUTF8String(name);
  return name;
}

// Returns the languages with the most similar names.
std::vector<std::string> Similar(std::string_view given,
                                 const FamilyTable& families) {
  if (given.size() > kMostBytes) return {};
  const icu::UnicodeString name = Fold(FromUtf8(given));
  // A third of a name may be wrong; nearly every short text resembles a code.
  const int allowed = name.length() / 3;
  if (name.length() < 4) return {};
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& language : families.languages()) {
    int nearest = allowed + 1;
    for (const icu::UnicodeString& known : NamesOf(language)) {
      nearest = std::min(nearest, Distance(name, known));
    }
    if (nearest <= allowed) found.emplace_back(nearest, language);
  }
  std::stable_sort(
      found.begin(), found.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> languages;
  for (const auto& [distance, language] : found) {
    if (distance > found.front().first + 1) break;
    if (languages.size() == kMostSuggestions) break;
    languages.push_back(language);
  }
  return languages;
}

}  // namespace

std::optional<std::string> FindLanguage(std::string_view given,
                                        const FamilyTable& families) {
  if (auto code = FindLanguageCode(given, families)) return code;
  if (given.empty() || given.size() > kMostBytes) return std::nullopt;
  const icu::UnicodeString name = Fold(FromUtf8(given));
  for (const std::string& language : families.languages()) {
    const std::vector<icu::UnicodeString> names = NamesOf(language);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return language;
    }
  }
  return std::nullopt;
}

std::string DescribeUnknownLanguage(std::string_view given,
                                    const FamilyTable& families) {
  std::string problem = "is not a language of the families table";
  std::vector<std::string> similar = Similar(given, families);
  for (std::string& language : similar) {
    language = absl::StrCat("\"", language, "\" (", EnglishName(language), ")");
  }
  if (!similar.empty()) {
    absl::StrAppend(&problem, "; did you mean ", absl::StrJoin(similar, " or "),
                    "?");
  }
  std::vector<std::string> codes = families.languages();
  std::sort(codes.begin(), codes.end());
  return absl::StrCat(
      problem, similar.empty() ? "; it must be" : " It must be",
      " a code or a name of one of: ", absl::StrJoin(codes, ", "));
}

}  // namespace apollo
