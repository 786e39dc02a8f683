#include "model/language/language_codes.h"

#include <unicode/locid.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace apollo {
namespace {

// Longer texts are no tags.
constexpr std::size_t kMostBytes = 64;

// Macrolanguages and those of their individual languages that CLDR does not
// replace with them. Source: ISO 639-3, table of macrolanguage mappings
// (https://iso639-3.sil.org).
constexpr std::array<std::pair<std::string_view, std::string_view>, 7>
    kMacrolanguages = {{
        {"ar",
         "aao abh abv acm acq acw acx acy adf aeb aec afb ajp apc apd arb arq "
         "ars ary arz auz avl ayh ayl ayn ayp pga shu ssh"},
        {"gn", "gnw gui gun nhd"},
        {"mg", "bhr bmm bzc msh skg tdx tkg txy xmv xmw"},
        {"ne", "dty"},
        {"no", "nb nn"},
        {"sq", "aae aat aln"},
        {"zh",
         "cdo cjy cnp cpx csp czh czo gan hak hnm hsn luh lzh mnp nan sjc wuu "
         "yue"},
    }};

bool IsListed(std::string_view code, std::string_view list) {
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == code) return true;
    begin = end + 1;
  }
  return false;
}

bool IsAsciiLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9');
}

}  // namespace

std::string CanonicalLanguageCode(std::string_view given) {
  if (given.empty() || given.size() > kMostBytes) return "";
  const bool plain = std::all_of(given.begin(), given.end(), [](char c) {
    return IsAsciiLetterOrDigit(c) || c == '-' || c == '_' || c == '.' ||
           c == '@';
  });
  if (!plain) return "";
  return icu::Locale::createCanonical(std::string(given).c_str()).getLanguage();
}

std::optional<std::string> FindLanguageCode(std::string_view given,
                                            const FamilyTable& families) {
  if (families.ExpertOf(given)) return std::string(given);
  const std::string code = CanonicalLanguageCode(given);
  if (code.empty()) return std::nullopt;
  if (families.ExpertOf(code)) return code;
  // The table may have a code that is not canonical itself.
  for (const std::string& language : families.languages()) {
    if (CanonicalLanguageCode(language) == code) return language;
  }
  for (const auto& [macrolanguage, members] : kMacrolanguages) {
    if (families.ExpertOf(macrolanguage) && IsListed(code, members)) {
      return std::string(macrolanguage);
    }
  }
  return std::nullopt;
}

}  // namespace apollo
