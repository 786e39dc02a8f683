#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The part of a segment in one writing system. Han, Hiragana and Katakana count
// as one, "Hani".
struct ScriptText {
  std::string script;  // ISO 15924 code: "Latn", "Cyrl", "Hani", ...
  // The words in that script, separated by single spaces. Numbers and symbols
  // count as Latin.
  std::string text;
  int letters = 0;  // In `text`, without marks.
  int kana = 0;     // Of these, Hiragana or Katakana.
  // Weight compared with other scripts. Latin letters weigh less, because Latin
  // terms are common in text of other scripts, but seldom the reverse.
  int weight = 0;
};

// Splits a segment (from SplitSegments) by script, sorted by falling weight.
// Returns nothing if it has no letters.
std::vector<ScriptText> SplitByScript(std::string_view segment);

// Returns the native scripts of a language, in the same codes, by Unicode's
// likely subtags: "sr" -> Cyrl, Latn; "ja" -> Hani.
std::vector<std::string> NativeScripts(const std::string& language);

}  // namespace apollo
