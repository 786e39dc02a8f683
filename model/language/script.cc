#include "model/language/script.h"

#include <absl/strings/ascii.h>
#include <unicode/uchar.h>
#include <unicode/uloc.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/strings.h"

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

// How much a letter says compared to a Latin one, which takes five to a word.
int Weight(UScriptCode script) {
  switch (script) {
    case USCRIPT_LATIN:
      return 2;
    case USCRIPT_HAN:
      return 8;
    case USCRIPT_HANGUL:
      return 6;
    default:
      return 3;
  }
}

// Scripts below this number are all that Unicode has.
constexpr int kMaxScripts = 256;

bool IsAsciiLetter(UChar32 c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// ASCII first, here and below: most text is, and ICU's look-ups take longer.
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

// How much there is of each script.
using Weights = std::array<int, kMaxScripts>;

Weights WeighScripts(std::string_view prose) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(prose.data());
  const auto size = static_cast<int32_t>(prose.size());
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

// What `prose` has in the script of that number.
ScriptText TextIn(UScriptCode dominant, std::string_view prose) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(prose.data());
  const auto size = static_cast<int32_t>(prose.size());
  ScriptText result;
  result.script = uscript_getShortName(dominant);
  result.text.reserve(prose.size());
  bool kept_before = false;  // Whether a mark here belongs to a kept letter.
  for (int32_t i = 0; i < size;) {
    const int32_t start = i;
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    const UScriptCode script = c < 0 ? USCRIPT_COMMON : ScriptOf(c);
    bool keep;
    if (Fold(script) == dominant) {
      keep = true;
    } else if (script == USCRIPT_INHERITED || c == '\'' || c == 0x30FC) {
      keep = kept_before;  // Marks, apostrophes, the Japanese long vowel.
    } else {
      keep = false;
    }
    if (keep) {
      result.text.append(prose.substr(start, i - start));
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

bool IsLatinLetter(UChar32 c) {
  return c >= 0 && IsLetter(c) && ScriptOf(c) == USCRIPT_LATIN;
}

bool IsCapital(UChar32 c) { return c >= 'A' && c <= 'Z'; }

// Of a letter, in letters of an alphabet.
int LengthOf(UChar32 c) {
  const UScriptCode script = Fold(ScriptOf(c));
  return script == USCRIPT_HAN ? 3 : script == USCRIPT_HANGUL ? 2 : 1;
}

// What a question in which letters of two scripts stand looks like.
struct MixedText {
  int words = 0;        // In Latin letters; without abbreviations.
  int small = 0;        // Of these as short as "is" or "does".
  int runs = 0;         // Words, or runs of them without blanks, of others.
  int longest_run = 0;  // In letters as long as those of alphabets.
  bool not_english = false;           // Latin letters that English has not.
  bool starts = false, ends = false;  // With a word in Latin letters.
  std::string_view first;             // The word that it starts with.
};

constexpr int kLongestQuote = 12;  // A word.

MixedText LookAt(std::string_view prose) {
  constexpr int kLeastSmall = 2, kMostSmall = 4;
  const auto* bytes = reinterpret_cast<const uint8_t*>(prose.data());
  const auto size = static_cast<int32_t>(prose.size());
  MixedText text;
  int letters = 0, others = 0;  // Of the word that goes on.
  bool capitals = true;
  int32_t begin = 0;  // Of the word.
  for (int32_t i = 0; i <= size;) {
    const int32_t start = i;
    UChar32 c = U_SENTINEL;
    if (i < size) {
      U8_NEXT(bytes, i, size, c);
    } else {
      ++i;  // The end of the last word.
    }
    const bool latin = IsLatinLetter(c);
    if (latin) {
      if (letters == 0) begin = start;
      text.not_english |= c >= 0x80;
      capitals = letters == 0 ? IsCapital(c) : capitals && IsCapital(c);
      ++letters;
    } else if (letters > 0) {
      text.ends = !capitals;
      if (!capitals) {
        ++text.words;
        text.small += letters >= kLeastSmall && letters <= kMostSmall;
        text.starts |= begin == 0;
        if (begin == 0) text.first = prose.substr(0, start);
      }
      letters = 0;
    }
    if (!latin && c >= 0x80 && IsLetter(c)) {
      text.runs += others == 0;
      others += LengthOf(c);
      text.longest_run = std::max(text.longest_run, others);
      text.ends = false;
    } else if (latin || c == ' ' || c < 0) {
      others = 0;
    }
  }
  return text;
}

// Whether the Latin letters of `prose` are a sentence, in which those of
// another script are quoted, and not terms, names and the like. Sentences have
// small words ("what does X mean", "que", "wie"), letters that English has not,
// or words on both sides of what they quote.
bool IsLatinSentence(std::string_view prose) {
  constexpr int kOneIn = 4;  // Words that are small.
  constexpr int kFewestWords = 3;
  const MixedText text = LookAt(prose);
  if (text.not_english) return true;
  if (text.starts && text.ends &&
      (text.small > 0 || (text.runs == 1 && text.words >= kFewestWords &&
                          text.longest_run <= kLongestQuote))) {
    return true;
  }
  return text.words > 1 && text.small * kOneIn >= text.words;
}

// "define X": one word of another script behind one that asks for it.
bool AsksForAWord(std::string_view prose) {
  constexpr std::array<std::string_view, 10> kVerbs = {
      "define",   "definition", "describe", "explain",   "explique",
      "erklaere", "meaning",    "traduce",  "translate", "traduire"};
  const MixedText text = LookAt(prose);
  return text.words == 1 && text.starts && text.runs == 1 &&
         text.longest_run <= kLongestQuote &&
         std::find(kVerbs.begin(), kVerbs.end(), text.first) != kVerbs.end();
}

}  // namespace

ScriptText DominantScript(std::string_view prose) {
  const Weights weights = WeighScripts(prose);
  const auto best = std::max_element(weights.begin(), weights.end());
  if (*best == 0) return {};
  return TextIn(static_cast<UScriptCode>(best - weights.begin()), prose);
}

ScriptText QuestionScript(std::string_view prose) {
  // Another script wins over up to so many times its weight in Latin letters,
  // if there is more of it than a letter or two.
  constexpr int kLatinTerms = 6;
  constexpr int kLeastOther = 12;
  Weights weights = WeighScripts(prose);
  const int latin = weights[USCRIPT_LATIN];
  auto best = std::max_element(weights.begin(), weights.end());
  if (*best == 0) return {};
  if (best - weights.begin() == USCRIPT_LATIN) {
    weights[USCRIPT_LATIN] = 0;
    const auto other = std::max_element(weights.begin(), weights.end());
    if (*other >= kLeastOther && *other * kLatinTerms >= latin &&
        !IsLatinSentence(prose)) {
      best = other;
    } else {
      best = weights.begin() + USCRIPT_LATIN;
    }
  } else if (latin > 0 && AsksForAWord(prose)) {
    best = weights.begin() + USCRIPT_LATIN;
  }
  return TextIn(static_cast<UScriptCode>(best - weights.begin()),
                absl::AsciiStrToLower(ToAbsl(prose)));
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
      // Hans, Hant, Jpan and Kore are not values of the property.
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
  // Written in two scripts by the same people.
  if (language == "sr") add(USCRIPT_LATIN);
  if (scripts.empty()) add(USCRIPT_LATIN);
  return scripts;
}

}  // namespace apollo
