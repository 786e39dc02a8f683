#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The writing system that carries a text, as its ISO 15924 code. The Han,
// Hiragana and Katakana of Chinese and Japanese count as one: "Hani".
struct ScriptText {
  std::string script;  // "Latn", "Cyrl", "Hani", ...; empty: no letters.
  std::string text;  // The letters of that script; single blanks for the rest.
  int letters = 0;   // Letters in `text`, marks not counted.
  int kana = 0;      // Of these Hiragana or Katakana.
};

// Finds the dominant script of `prose` (valid UTF-8, as from ExtractProse).
// Latin letters weigh less than others: people put Latin terms into text of
// other scripts ("MRI 検査"), seldom the other way round.
ScriptText DominantScript(std::string_view prose);

// DominantScript for what people ask (`prose` as from ExtractQuestion): a few
// letters of another script win over many Latin ones if these are terms, names
// or code, and do not if they make up a sentence that quotes a word. Latin
// words in capitals are abbreviations and make no sentence. The text is in
// lower case. The classifier's training text goes by DominantScript.
ScriptText QuestionScript(std::string_view prose);

// The scripts that a language is natively written in, in the same codes, by
// Unicode's likely subtags: "sr" -> Cyrl, Latn; "ja" -> Hani.
std::vector<std::string> NativeScripts(const std::string& language);

}  // namespace apollo
