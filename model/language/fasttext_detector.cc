#include "model/language/fasttext_detector.h"

#include <absl/strings/str_cat.h>
#include <fasttext/fasttext.h>
#include <unicode/uloc.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <exception>
#include <istream>
#include <map>
#include <set>
#include <stdexcept>
#include <streambuf>
#include <utility>
#include <vector>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "model/language/family_guess.h"
#include "model/language/fasttext_file.h"
#include "model/language/fasttext_settings.h"
#include "model/language/international.h"
#include "model/language/prose.h"
#include "model/language/script.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxSettingsBytes = 1 << 20;
// A script that only one language of the table uses, and none of the model's
// others, settles the matter, but for text in a language that neither knows.
constexpr double kByScriptAlone = 0.99;
// The most that one or two words say which may be names: less than what the
// router acts on by default (RouterModel::min_family_confidence).
constexpr double kPerhapsAName = 0.45;
// Of a family. Of the beginnings, of two words, of 1232 sentences and
// paragraphs in ASCII this keeps 530 of 1054 guesses, all of them right; of 40
// pairs of medicines' brand names 2 of 24, all of which are wrong.
constexpr double kSureOfTwoWords = 0.98;
// Labels beyond these have next to no probability; sorting all of them takes
// time.
constexpr std::size_t kMostLabels = 32;
constexpr double kLeastConfidence = 1e-4;

// An istream over bytes that somebody else owns: loading from memory makes sure
// that what is loaded is what was checked.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view bytes) {
    char* begin = const_cast<char*>(bytes.data());  // Only ever read.
    setg(begin, begin, begin + bytes.size());
  }
};

// What others call languages of the table that ICU does not call the same.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12>
    kAliases = {{
        {"nb", "no"},
        {"nn", "no"},
        {"iw", "he"},
        {"cmn", "zh"},
        {"yue", "zh"},
        {"plt", "mg"},
        {"arb", "ar"},
        {"npi", "ne"},
        {"swh", "sw"},
        {"gug", "gn"},
        {"als", "sq"},
        {"dgo", "doi"},
    }};

// The language part of a label: "__label__srp_Cyrl" -> "sr".
std::string LanguageOfLabel(std::string label) {
  constexpr std::string_view kPrefix = "__label__";
  if (label.starts_with(kPrefix)) label.erase(0, kPrefix.size());
  label.resize(std::min(label.find('_'), label.size()));
  char code[ULOC_LANG_CAPACITY] = {};
  UErrorCode error = U_ZERO_ERROR;
  uloc_getLanguage(label.c_str(), code, sizeof(code) - 1, &error);
  return U_SUCCESS(error) && code[0] != '\0' ? code : label;
}

std::string LanguageInTable(const std::string& code,
                            const FamilyTable& families) {
  if (families.ExpertOf(code)) return code;
  for (const auto& [theirs, ours] : kAliases) {
    if (code == theirs && families.ExpertOf(ours)) return std::string(ours);
  }
  return "";
}

void SortBestFirst(std::vector<LanguageGuess>* guesses) {
  std::stable_sort(guesses->begin(), guesses->end(),
                   [](const LanguageGuess& a, const LanguageGuess& b) {
                     return a.confidence > b.confidence;
                   });
}

// The library keeps the check of a file's first two numbers, and with it the
// format's number that its loader of streams goes by, to its loader of paths.
class StreamModel : public fasttext::FastText {
 public:
  // Throws what the library throws.
  void Load(std::string_view checked) {
    ViewBuffer buffer(checked);
    std::istream stream(&buffer);
    if (!checkModel(stream)) throw std::invalid_argument("unknown format");
    loadModel(stream);
  }
};

// Whether it has letters or an apostrophe that international names have not.
bool IsMarkedAsWord(std::string_view latin) {
  return std::any_of(latin.begin(), latin.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || c == '\'';
  });
}

class FastTextDetector : public LanguageDetector {
 public:
  struct Label {
    int language;  // Index into languages; -1: not in the table.
    std::set<std::string> scripts;  // That its language is natively written in.
  };

  FastTextDetector(std::unique_ptr<StreamModel> model,
                   FastTextSettings settings,
                   std::vector<std::string> languages,
                   std::vector<Label> labels, const FamilyTable& families)
      : model_(std::move(model)),
        dictionary_(model_->getDictionary()),
        settings_(std::move(settings)),
        languages_(std::move(languages)),
        labels_(std::move(labels)),
        families_(families) {
    for (const std::string& language : languages_) {
      for (const std::string& script : NativeScripts(language)) {
        by_script_[script].push_back(language);
      }
    }
    // Where the model knows others, Marathi beside Hindi, it can tell them
    // apart.
    std::set<std::string> scripts_of_others = {"Latn"};
    for (const Label& label : labels_) {
      if (label.language >= 0) continue;
      scripts_of_others.insert(label.scripts.begin(), label.scripts.end());
    }
    for (const auto& [script, candidates] : by_script_) {
      if (candidates.size() == 1 && !scripts_of_others.contains(script)) {
        by_script_alone_[script] = candidates[0];
      }
    }
  }

  Detection Detect(std::string_view utf8_text) const override {
    const ScriptText text = QuestionScript(ExtractQuestion(utf8_text));
    if (text.letters == 0) return {};
    // Any language may be written in Latin letters.
    if (text.script == "Latn") return ClassifyLatin(text);
    // Kana are Japanese; a single one may be a Chinese shop sign.
    if (text.kana >= 2 || (text.kana == 1 && text.letters < 6)) {
      return HasLanguage("ja") ? Alone("ja") : Detection{};
    }
    if (!by_script_.contains(text.script)) return {};
    const auto alone = by_script_alone_.find(text.script);
    if (alone != by_script_alone_.end()) return Alone(alone->second);
    return Classify(text);
  }

  std::vector<std::string> UndetectableLanguages() const override {
    std::set<std::string> known = {"ja"};  // By its kana.
    for (const Label& label : labels_) {
      if (label.language >= 0) known.insert(languages_[label.language]);
    }
    for (const auto& [script, language] : by_script_alone_) {
      known.insert(language);
    }
    std::vector<std::string> unknown;
    for (const std::string& language : languages_) {
      if (!known.contains(language)) unknown.push_back(language);
    }
    return unknown;
  }

 private:
  static Detection Alone(const std::string& language) {
    return {{{language, kByScriptAlone}}};
  }

  bool HasLanguage(std::string_view language) const {
    return std::find(languages_.begin(), languages_.end(), language) !=
           languages_.end();
  }

  // One or two words may be names that no list knows, and the classifier is too
  // sure of these. Without a sign that they are words all candidates keep their
  // order and proportions, but become too unlikely to act on.
  Detection ClassifyLatin(const ScriptText& text) const {
    const int words = TellingWords(text.text);
    if (words == 0) return {};
    Detection detection = Classify(text);
    if (words > 2 || IsMarkedAsWord(text.text)) return detection;
    const auto family = GuessFamily(detection, families_);
    if (words == 2 && family && family->confidence >= kSureOfTwoWords) {
      return detection;
    }
    for (LanguageGuess& guess : detection.candidates) {
      guess.confidence *= kPerhapsAName;
    }
    detection.perhaps_names = true;
    if (words == 2) detection.two_words_factor = kPerhapsAName;
    return detection;
  }

  Detection Classify(const ScriptText& text) const {
    std::vector<int32_t> words;
    fasttext::Predictions predictions;  // Logarithms of probabilities.
    try {
      // The line's end is a word to fastText, in training too.
      const std::string line = text.text + "\n";
      ViewBuffer buffer(line);
      std::istream stream(&buffer);
      std::vector<int32_t> unused_labels;
      dictionary_->getLine(stream, words, unused_labels);
      if (words.empty()) return {};
      model_->predict(
          static_cast<int32_t>(std::min(labels_.size(), kMostLabels)), words,
          predictions, 0.0);
    } catch (const std::exception&) {
      return {};  // The text is what it is; there is no guess for it.
    }
    const double inverse = 1.0 / settings_.TemperatureFor(text.letters);
    std::vector<double> shares(languages_.size(), 0.0);
    double sum = 0;
    for (const auto& [log_probability, label] : predictions) {
      if (label < 0 || static_cast<std::size_t>(label) >= labels_.size())
        continue;
      const Label& known = labels_[label];
      if (text.script != "Latn" && !known.scripts.contains(text.script))
        continue;
      const double share = std::exp(inverse * log_probability);
      if (!std::isfinite(share)) continue;
      sum += share;
      if (known.language >= 0) shares[known.language] += share;
    }
    Detection detection;
    if (sum <= 0) return detection;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double confidence = shares[i] / sum;
      if (confidence >= kLeastConfidence) {
        detection.candidates.push_back(
            {languages_[i], std::min(confidence, 1.0)});
      }
    }
    SortBestFirst(&detection.candidates);
    return detection;
  }

  // All constant after construction.
  const std::unique_ptr<StreamModel> model_;
  const std::shared_ptr<const fasttext::Dictionary> dictionary_;
  const FastTextSettings settings_;
  const std::vector<std::string> languages_;  // All of the table's.
  const std::vector<Label> labels_;           // In the model's order.
  const FamilyTable families_;
  std::map<std::string, std::vector<std::string>> by_script_;
  std::map<std::string, std::string> by_script_alone_;
};

// Empty if there is no such file.
absl::StatusOr<std::string> ReadSettings(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxSettingsBytes);
  if (absl::IsNotFound(text.status())) return "";
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageDetector>> LoadFastTextDetector(
    const std::string& path, const FamilyTable& families) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const std::string_view bytes(
      reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  ASSIGN_OR_RETURN(const std::string settings,
                   ReadSettings(path + ".settings"));
  return ParseFastTextDetector(bytes, settings, path, families);
}

absl::StatusOr<std::unique_ptr<LanguageDetector>> ParseFastTextDetector(
    std::string_view bytes, std::string_view settings_text,
    const std::string& source, const FamilyTable& families) {
  RETURN_IF_ERROR(CheckFastTextFile(bytes, source).status());
  ASSIGN_OR_RETURN(FastTextSettings settings,
                   FastTextSettings::Parse(settings_text,
                                           absl::StrCat(source, ".settings")));
  auto model = std::make_unique<StreamModel>();
  try {
    model->Load(bytes);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": fastText cannot load it: ", error.what()));
  }

  std::vector<std::string> languages = families.languages();
  std::vector<FastTextDetector::Label> labels;
  bool any = false;
  const auto dictionary = model->getDictionary();
  for (int32_t i = 0; i < dictionary->nlabels(); ++i) {
    const std::string label = dictionary->getLabel(i);
    const auto set = settings.languages.find(label);
    const std::string code =
        set != settings.languages.end() ? set->second : LanguageOfLabel(label);
    const std::string language = LanguageInTable(code, families);
    if (set != settings.languages.end() && !code.empty() && language.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          source, ".settings: label ", label, " is given language ", code,
          ", which is not in the families table; use - for "
          "a language that is none of the table's"));
    }
    FastTextDetector::Label known{-1, {}};
    if (!language.empty()) {
      any = true;
      known.language = static_cast<int>(
          std::find(languages.begin(), languages.end(), language) -
          languages.begin());
    }
    const std::vector<std::string> scripts =
        NativeScripts(language.empty() ? LanguageOfLabel(label) : language);
    known.scripts.insert(scripts.begin(), scripts.end());
    labels.push_back(std::move(known));
  }
  if (!any) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": none of its ", labels.size(),
        " labels is a language of the families table; map them in ", source,
        ".settings (\"label <label> <language>\")"));
  }
  return std::make_unique<FastTextDetector>(
      std::move(model), std::move(settings), std::move(languages),
      std::move(labels), families);
}

}  // namespace apollo
