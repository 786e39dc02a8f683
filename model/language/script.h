#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// What a segment has in one writing system. The Han, Hiragana and Katakana of
// Chinese and Japanese count as one: "Hani".
struct ScriptText {
  std::string script;  // Its ISO 15924 code: "Latn", "Cyrl", "Hani", ...
  // The words in that script, between single blanks. Numbers and symbols are
  // part of Latin text.
  std::string text;
  int letters = 0;  // In `text`, marks not counted.
  int kana = 0;     // Of these Hiragana or Katakana.
  // How much it says beside other scripts. Latin letters weigh less: people put
  // Latin terms into text of other scripts, seldom the other way round.
  int weight = 0;
};

// Takes a segment (as from SplitSegments) apart by scripts, the one with the
// most weight first. Empty if it has no letters.
std::vector<ScriptText> SplitByScript(std::string_view segment);

// The scripts that a language is natively written in, in the same codes, by
// Unicode's likely subtags: "sr" -> Cyrl, Latn; "ja" -> Hani.
std::vector<std::string> NativeScripts(const std::string& language);

}  // namespace apollo
