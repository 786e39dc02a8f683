#include "model/language/script.h"

#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace apollo {
namespace {

UScriptCode Fold(UScriptCode script) {
  switch (script) {
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_KATAKANA_OR_HIRAGANA:
    case USCRIPT_SIMPLIFIED_HAN:
    case USCRIPT_TRADITIONAL_HAN:
    case USCRIPT_JAPANESE:
    case USCRIPT_BOPOMOFO:
      return USCRIPT_HAN;
    case USCRIPT_KOREAN:
      return USCRIPT_HANGUL;
    default:
      return script;
  }
}

// Returns the weight of a letter relative to a Latin one; a Latin word has
// about five letters.
int Weight(UScriptCode script) {
  switch (script) {
    case USCRIPT_LATIN:
      return 2;
    case USCRIPT_HAN:
      return 7;
    case USCRIPT_HANGUL:
      return 6;
    default:
      return 3;
  }
}

// Upper bound of Unicode's script codes.
constexpr int kMaxScripts = 256;

bool IsAsciiLetter(UChar32 c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// ASCII first, here and below: it is the most frequent, and ICU's lookups are
// slower.
bool IsLetter(UChar32 c) { return c < 0x80 ? IsAsciiLetter(c) : u_isalpha(c); }

UScriptCode ScriptOf(UChar32 c) {
  if (c < 0x80) return IsAsciiLetter(c) ? USCRIPT_LATIN : USCRIPT_COMMON;
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(c, &error);
  if (U_FAILURE(error) || script < 0 || script >= kMaxScripts) {
    return USCRIPT_COMMON;
  }
  return script;
}

// The amount of text in each script.
using Weights = std::array<int, kMaxScripts>;

Weights WeighScripts(std::string_view segment) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(segment.data());
  const auto size = static_cast<int32_t>(segment.size());
  Weights weights{};
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (c < 0 || !IsLetter(c)) continue;
    const UScriptCode script = Fold(ScriptOf(c));
    if (script > USCRIPT_INHERITED) weights[script] += Weight(script);
  }
  return weights;
}

// Returns the part of `segment` in a script.
ScriptText TextIn(UScriptCode wanted, int weight, std::string_view segment) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(segment.data());
  const auto size = static_cast<int32_t>(segment.size());
  ScriptText result;
  result.script = uscript_getShortName(wanted);
  result.weight = weight;
  result.text.reserve(segment.size());
  bool kept_before = false;  // A mark here belongs to a kept letter.
  for (int32_t i = 0; i < size;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    const UScriptCode script = c < 0 ? USCRIPT_COMMON : ScriptOf(c);
    bool keep;
    if (Fold(script) == wanted) {
      keep = true;
    } else if (script == USCRIPT_INHERITED || c == '\'' || c == 0x30FC) {
      // Marks, apostrophes, and the Japanese prolonged sound mark.
      keep = kept_before;
    } else {
      keep = wanted == USCRIPT_LATIN && c > ' ' && c < 0x80;
    }
    if (keep) {
      result.text.append(segment.substr(start, i - start));
      if (IsLetter(c)) {
        ++result.letters;
        if (script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA) {
          ++result.kana;
        }
      }
    } else if (!result.text.empty() && result.text.back() != ' ') {
      result.text.push_back(' ');
    }
    kept_before = keep;
  }
  if (!result.text.empty() && result.text.back() == ' ') result.text.pop_back();
  return result;
}

}  // namespace

std::vector<ScriptText> SplitByScript(std::string_view segment) {
  const Weights weights = WeighScripts(segment);
  std::vector<ScriptText> texts;
  for (int script = 0; script < kMaxScripts; ++script) {
    if (weights[script] == 0) continue;
    texts.push_back(
        TextIn(static_cast<UScriptCode>(script), weights[script], segment));
  }
  std::stable_sort(texts.begin(), texts.end(),
                   [](const ScriptText& a, const ScriptText& b) {
                     return a.weight > b.weight;
                   });
  return texts;
}

std::vector<std::string> NativeScripts(const std::string& language) {
  std::vector<std::string> scripts;
  const auto add = [&scripts](UScriptCode code) {
    const std::string name = uscript_getShortName(Fold(code));
    if (std::find(scripts.begin(), scripts.end(), name) == scripts.end()) {
      scripts.push_back(name);
    }
  };
  char full[ULOC_FULLNAME_CAPACITY] = {};
  char script[ULOC_SCRIPT_CAPACITY] = {};
  UErrorCode error = U_ZERO_ERROR;
  uloc_addLikelySubtags(language.c_str(), full, sizeof(full) - 1, &error);
  if (U_SUCCESS(error)) {
    uloc_getScript(full, script, sizeof(script) - 1, &error);
    if (U_SUCCESS(error) && script[0] != '\0') {
      const auto code = static_cast<UScriptCode>(
          u_getPropertyValueEnum(UCHAR_SCRIPT, script));
      // Hans, Hant, Jpan and Kore are not values of the Unicode script
      // property.
      if (code > USCRIPT_INHERITED) {
        add(code);
      } else {
        const std::string_view name = script;
        if (name == "Kore") add(USCRIPT_HANGUL);
        if (name == "Hans" || name == "Hant" || name == "Jpan")
          add(USCRIPT_HAN);
      }
    }
  }
  // Written in two scripts.
  if (language == "sr") add(USCRIPT_LATIN);
  if (scripts.empty()) add(USCRIPT_LATIN);
  return scripts;
}

}  // namespace apollo
