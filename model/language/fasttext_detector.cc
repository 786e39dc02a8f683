#include "model/language/fasttext_detector.h"

#include <absl/strings/str_cat.h>
#include <fasttext/fasttext.h>

#include <algorithm>
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
#include "model/language/fasttext_file.h"
#include "model/language/fasttext_labels.h"
#include "model/language/fasttext_settings.h"
#include "model/language/prose.h"
#include "model/language/script.h"
#include "model/language/votes.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxSettingsBytes = 1 << 20;
// Confidence if the script alone decides: only one language of the table, and
// no other language of the model, uses it. The rest is for languages unknown to
// both.
constexpr double kByScriptAlone = 0.99;
// Maximum confidence for a single word in ASCII letters. It may be a name, and
// the classifier is overconfident about names. Below the router's default
// threshold (RouterModel::language_threshold).
constexpr double kPerhapsAName = 0.45;
// Fewer Latin letters than this are in no language.
constexpr int kFewestLetters = 3;
// Minimum probability that Latin letters are romanised text in any language
// with another native script.
constexpr double kProofOfRomanised = 0.8;
// Weight factor of Latin words in a segment that also has another script.
constexpr double kLatinTerms = 0.5;
// Labels beyond these have negligible probability, and sorting all of them is
// slow.
constexpr std::size_t kMostLabels = 32;
constexpr double kLeastConfidence = 1e-4;

// An istream over external bytes. Loading from memory ensures that the loaded
// bytes are the checked ones.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view bytes) {
    char* begin = const_cast<char*>(bytes.data());  // Only read.
    setg(begin, begin, begin + bytes.size());
  }
};

// The library checks the magic number and the version, and sets the version
// that its stream loader uses, only when it loads from a path.
class StreamModel : public fasttext::FastText {
 public:
  // Throws the exceptions of the library.
  void Load(std::string_view checked) {
    ViewBuffer buffer(checked);
    std::istream stream(&buffer);
    if (!checkModel(stream)) throw std::invalid_argument("unknown format");
    loadModel(stream);
  }
};

// Returns true for a single word that has only letters of international names.
bool IsPerhapsAName(std::string_view latin) {
  int words = 0;
  for (std::size_t i = 0; i < latin.size(); ++i) {
    const char c = latin[i];
    if (static_cast<unsigned char>(c) >= 0x80 || c == '\'') return false;
    const bool letter = c >= 'a' && c <= 'z';
    if (letter && (i == 0 || latin[i - 1] == ' ')) ++words;
  }
  return words <= 1;
}

class FastTextDetector : public LanguageDetector {
 public:
  using Label = FastTextLabel;

 public:
  FastTextDetector(std::unique_ptr<StreamModel> model,
                   FastTextSettings settings,
                   std::vector<std::string> languages,
                   std::vector<Label> labels)
      : model_(std::move(model)),
        dictionary_(model_->getDictionary()),
        settings_(std::move(settings)),
        languages_(std::move(languages)),
        labels_(std::move(labels)),
        japanese_(std::find(languages_.begin(), languages_.end(), "ja") -
                  languages_.begin()) {
    std::map<std::string, std::vector<int>> by_script;
    for (std::size_t i = 0; i < languages_.size(); ++i) {
      for (const std::string& script : NativeScripts(languages_[i])) {
        by_script[script].push_back(static_cast<int>(i));
      }
    }
    // If the model also knows other languages of the script, as Marathi next to
    // Hindi, it can distinguish them.
    std::set<std::string> scripts_of_others = {"Latn"};
    for (const Label& label : labels_) {
      if (label.language >= 0) continue;
      scripts_of_others.insert(label.scripts.begin(), label.scripts.end());
    }
    for (const auto& [script, candidates] : by_script) {
      scripts_.insert(script);
      if (candidates.size() == 1 && !scripts_of_others.contains(script)) {
        by_script_alone_[script] = candidates[0];
      }
    }
  }

  Detection Detect(std::string_view utf8_text) const override {
    std::vector<Part> parts;
    int kana = 0;
    for (const std::string& segment : SplitSegments(utf8_text)) {
      std::vector<ScriptText> texts = SplitByScript(segment);
      const bool mixed = texts.size() > 1;
      for (ScriptText& text : texts) {
        kana += text.kana;
        parts.push_back({std::move(text), mixed});
      }
    }
    std::vector<Vote> votes;
    votes.reserve(parts.size());
    for (const Part& part : parts) votes.push_back(VoteOf(part, kana));
    return CountVotes(votes, languages_);
  }

  std::vector<std::string> UndetectableLanguages() const override {
    std::set<int> known = {japanese_};  // Detected by its kana.
    for (const Label& label : labels_) known.insert(label.language);
    for (const auto& [script, language] : by_script_alone_) {
      known.insert(language);
    }
    std::vector<std::string> unknown;
    for (std::size_t i = 0; i < languages_.size(); ++i) {
      if (!known.contains(static_cast<int>(i))) {
        unknown.push_back(languages_[i]);
      }
    }
    return unknown;
  }

  // Returns true if some text is in the language, of the table or not,
  // according to this detector.
  bool Knows(const std::string& code) const {
    const auto contains = [&code](const std::vector<std::string>& codes) {
      return std::find(codes.begin(), codes.end(), code) != codes.end();
    };
    if (contains(languages_)) return !contains(UndetectableLanguages());
    return std::any_of(labels_.begin(), labels_.end(), [&](const Label& label) {
      return !label.neutral && label.code == code;
    });
  }

 private:
  // The part of a segment in one script.
  struct Part {
    ScriptText text;
    bool mixed;  // The segment also has other scripts.
  };

  // `kana`: the number in the whole text.
  Vote VoteOf(const Part& part, int kana) const {
    const ScriptText& text = part.text;
    Vote vote;
    vote.weight = text.weight;
    if (text.script == "Hani" &&
        (kana >= 2 || (kana == 1 && text.letters < 6))) {
      // Kana mean Japanese, but a single one may be on a Chinese shop sign.
      if (japanese_ < static_cast<int>(languages_.size())) {
        vote.shares = {{japanese_, kByScriptAlone}};
      }
      return vote;
    }
    if (!scripts_.contains(text.script)) return vote;
    const auto alone = by_script_alone_.find(text.script);
    if (alone != by_script_alone_.end()) {
      vote.shares = {{alone->second, kByScriptAlone}};
      return vote;
    }
    if (text.script == "Latn" && text.letters < kFewestLetters) {
      vote.neutral = 1;  // "20 mg"
      return vote;
    }
    Classify(text, &vote);
    if (text.script == "Latn" && IsPerhapsAName(text.text)) {
      for (auto& [language, share] : vote.shares) share *= kPerhapsAName;
      vote.neutral = 1 - kPerhapsAName * (1 - vote.neutral);
    }
    // Latin terms in the text of another script hardly reduce the confidence in
    // it.
    if (part.mixed && text.script == "Latn" && vote.neutral < 1) {
      vote.weight *= kLatinTerms * (1 - vote.neutral);
      for (auto& [language, share] : vote.shares) share /= 1 - vote.neutral;
      vote.neutral = 0;
    }
    return vote;
  }

  // Adds the classifier's shares for languages that are written in the script
  // of the text.
  void Classify(const ScriptText& text, Vote* vote) const {
    std::vector<int32_t> words;
    fasttext::Predictions predictions;  // Log probabilities.
    try {
      // The line break is a word to fastText, in training too.
      const std::string line = text.text + "\n";
      ViewBuffer buffer(line);
      std::istream stream(&buffer);
      std::vector<int32_t> unused_labels;
      dictionary_->getLine(stream, words, unused_labels);
      if (words.empty()) return;
      model_->predict(
          static_cast<int32_t>(std::min(labels_.size(), kMostLabels)), words,
          predictions, 0.0);
    } catch (const std::exception&) {
      return;  // No guess for this text.
    }
    const double inverse = 1.0 / settings_.TemperatureFor(text.letters);
    std::vector<std::pair<const Label*, double>> found;
    double sum = 0, romanised = 0;                // Without expected languages.
    double expected = 0, expected_romanised = 0;  // With them.
    for (const auto& [log_probability, label] : predictions) {
      if (label < 0 || static_cast<std::size_t>(label) >= labels_.size()) {
        continue;
      }
      const Label& known = labels_[label];
      if (!known.scripts.contains(text.script)) continue;
      const double likelihood = std::exp(inverse * log_probability);
      if (!std::isfinite(likelihood)) continue;
      const double share = likelihood * known.expected;
      found.emplace_back(&known, share);
      sum += likelihood * known.prior;
      expected += share;
      if (known.romanised) {
        romanised += likelihood * known.prior;
        expected_romanised += share;
      }
    }
    // Romanised text is rare: in doubt the text is something else. To expect
    // its language is no proof.
    const bool is_romanised = romanised >= kProofOfRomanised * sum;
    if (!is_romanised) expected -= expected_romanised;
    if (expected <= 0) return;
    for (const auto& [label, share] : found) {
      if (label->romanised && !is_romanised) continue;
      if (label->neutral) vote->neutral += share / expected;
      if (label->language >= 0 && share / expected >= kLeastConfidence) {
        vote->shares.emplace_back(label->language, share / expected);
      }
    }
  }

  // All constant after construction.
  const std::unique_ptr<StreamModel> model_;
  const std::shared_ptr<const fasttext::Dictionary> dictionary_;
  const FastTextSettings settings_;
  const std::vector<std::string> languages_;  // All languages of the table.
  const std::vector<Label> labels_;           // In the order of the model.
  // The index of Japanese; if it is not in the table, the number of languages.
  const int japanese_;
  std::set<std::string> scripts_;  // Scripts of the languages of the table.
  std::map<std::string, int> by_script_alone_;
};

// Returns an empty string if the file does not exist.
absl::StatusOr<std::string> ReadSettings(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxSettingsBytes);
  if (absl::IsNotFound(text.status())) return "";
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageDetector>> LoadFastTextDetector(
    const std::string& path, const FamilyTable& families,
    const std::vector<std::string>& expected) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const std::string_view bytes(
      reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  ASSIGN_OR_RETURN(const std::string settings,
                   ReadSettings(path + ".settings"));
  return ParseFastTextDetector(bytes, settings, path, families, expected);
}

absl::StatusOr<std::unique_ptr<LanguageDetector>> ParseFastTextDetector(
    std::string_view bytes, std::string_view settings_text,
    const std::string& source, const FamilyTable& families,
    const std::vector<std::string>& expected) {
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

  const auto dictionary = model->getDictionary();
  std::vector<std::string> names;
  for (int32_t i = 0; i < dictionary->nlabels(); ++i) {
    names.push_back(dictionary->getLabel(i));
  }
  ASSIGN_OR_RETURN(
      std::vector<FastTextLabel> labels,
      ReadFastTextLabels(names, settings, source, families, expected));
  auto detector = std::make_unique<FastTextDetector>(
      std::move(model), std::move(settings), families.languages(),
      std::move(labels));
  for (const std::string& code : expected) {
    if (detector->Knows(code)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": knows no language \"", code,
                     "\", which is one of the expected languages"));
  }
  return detector;
}

}  // namespace apollo
