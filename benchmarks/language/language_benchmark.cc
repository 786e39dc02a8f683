// Compares language detectors on held-out sentences, whole and cut short:
//
//     language_benchmark --test SENTENCES.tsv --model MODEL [--lid176 FILE]
//         [--romanised ROMANISED.tsv] [--calibration]
//
// SENTENCES.tsv has lines <language> TAB <source> TAB <text>; tools/language
// makes it. Prints accuracy by language and by family, averaged over the
// languages (so a language with few sentences counts as much as one with many),
// and the median time for a question; then the same for harder text: short
// pieces, pieces with English or with code, links and drugs beside them, and
// ROMANISED.tsv, the same in Latin letters. --calibration adds, for MODEL, how
// often guesses of each confidence are right.

#include <fasttext/fasttext.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/language/cld2_detector.h"
#include "model/language/families.h"
#include "model/language/family_guess.h"
#include "model/language/fasttext_detector.h"

namespace apollo {
namespace {

struct Sentence {
  std::string language;
  std::string source;
  std::string text;
};

// The fastText library by itself, as its users call it: raw text in, the best
// label that the table knows out.
class PlainFastText : public LanguageDetector {
 public:
  PlainFastText(const std::string& path, const FamilyTable& families)
      : families_(families) {
    model_.loadModel(path);
  }

  Detection Detect(std::string_view utf8_text) const override {
    std::string line(utf8_text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::istringstream stream(line + "\n");
    std::vector<std::pair<fasttext::real, std::string>> labels;
    model_.predictLine(stream, labels, 200, 0.0);
    Detection detection;
    for (const auto& [probability, label] : labels) {
      std::string code = label.substr(std::string_view("__label__").size());
      if (code == "nn" || code == "nb") code = "no";
      if (families_.ExpertOf(code)) {
        detection.candidates.push_back({code, probability});
      }
    }
    return detection;
  }

 private:
  const FamilyTable& families_;
  fasttext::FastText model_;
};

// The first `count` characters; bytes of one character stay together.
std::string Cut(const std::string& text, int count) {
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const bool starts = (text[i] & 0xC0) != 0x80;
    if (starts && count-- == 0) break;
  }
  return text.substr(0, i);
}

std::vector<Sentence> Read(const std::string& path,
                           const FamilyTable& families) {
  std::vector<Sentence> sentences;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t a = line.find('\t');
    const std::size_t b = line.find('\t', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    Sentence s{line.substr(0, a), line.substr(a + 1, b - a - 1),
               line.substr(b + 1)};
    if (families.ExpertOf(s.language)) sentences.push_back(std::move(s));
  }
  return sentences;
}

struct Tally {
  int right = 0;
  int right_family = 0;
  int all = 0;
};

struct Score {
  double language;
  double family;
  std::map<std::string, Tally> by_language;
  std::map<std::pair<std::string, std::string>, int> confusions;
};

// A sentence and its place in the list to what the detector is shown.
using View = std::function<std::string(const Sentence&, std::size_t)>;

View CutTo(int count) {
  return [count](const Sentence& s, std::size_t) {
    return count > 0 ? Cut(s.text, count) : s.text;
  };
}

// An English term or two of about 20 characters behind the sentence.
View WithEnglish(const std::vector<Sentence>& sentences) {
  std::vector<std::string> terms;
  for (const Sentence& s : sentences) {
    if (s.language != "en") continue;
    const std::string piece = Cut(s.text, 20);
    terms.push_back(piece.substr(0, piece.rfind(' ')));
  }
  return [terms](const Sentence& s, std::size_t i) {
    return Cut(s.text, 60) + " (" +
           (terms.empty() ? "blood pressure" : terms[i % terms.size()]) + ")";
  };
}

std::string WithNoise(const Sentence& s, std::size_t i) {
  static const std::vector<std::string> kNoise = {
      " 120/80 mmHg, 38.5 C, 2x500 mg, 15.03.2024",
      " https://www.example.org/health/what-is-the-best-treatment",
      " metformin, atorvastatin 20mg, lisinopril, amoxicillin",
      " `SELECT name, dose FROM the_patients WHERE age > 65;`",
      "\n```\ndef is_high(value, limit=140):\n    return value > limit\n```"};
  return Cut(s.text, 60) + kNoise[i % kNoise.size()];
}

Score Evaluate(const LanguageDetector& detector, const FamilyTable& families,
               const std::vector<Sentence>& sentences, const View& view) {
  Score score{};
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const Sentence& s = sentences[i];
    const Detection detection = detector.Detect(view(s, i));
    Tally& tally = score.by_language[s.language];
    ++tally.all;
    const std::string guess =
        detection.candidates.empty() ? "-" : detection.candidates[0].language;
    const auto family = GuessFamily(detection, families);
    tally.right += guess == s.language;
    tally.right_family +=
        family.has_value() && family->expert == families.ExpertOf(s.language);
    if (guess != s.language) ++score.confusions[{s.language, guess}];
  }
  for (const auto& [language, tally] : score.by_language) {
    score.language += static_cast<double>(tally.right) / tally.all;
    score.family += static_cast<double>(tally.right_family) / tally.all;
  }
  score.language /= static_cast<double>(score.by_language.size());
  score.family /= static_cast<double>(score.by_language.size());
  return score;
}

// The median over the questions of the time that one takes, in microseconds.
double MedianMicroseconds(const LanguageDetector& detector,
                          const std::vector<Sentence>& sentences) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  std::size_t guard = 0;
  for (int round = 0; round < 2; ++round) {  // The first warms the caches.
    times.clear();
    for (const Sentence& s : sentences) {
      const std::string question = Cut(s.text, 100);
      const auto begin = Clock::now();
      guard += detector.Detect(question).candidates.size();
      times.push_back(
          std::chrono::duration<double, std::micro>(Clock::now() - begin)
              .count());
    }
  }
  if (guard == 0) std::fprintf(stderr, "no detector found anything\n");
  std::nth_element(times.begin(), times.begin() + times.size() / 2,
                   times.end());
  return times[times.size() / 2];
}

void PrintCalibration(const LanguageDetector& detector,
                      const FamilyTable& families,
                      const std::vector<Sentence>& sentences) {
  struct Bin {
    double confidence = 0;
    int right = 0;
    int all = 0;
  };
  const std::vector<double> edges = {0.0, 0.3,  0.5,  0.7, 0.8,
                                     0.9, 0.95, 0.99, 1.01};
  std::vector<Bin> language_bins(edges.size()), family_bins(edges.size());
  const auto add = [&edges](std::vector<Bin>& bins, double confidence,
                            bool right) {
    const auto edge =
        std::upper_bound(edges.begin(), edges.end() - 1, confidence) -
        edges.begin();
    Bin& bin = bins[edge - 1];
    bin.confidence += confidence;
    bin.right += right;
    ++bin.all;
  };
  for (const Sentence& s : sentences) {
    for (const int cut : {0, 60, 30, 15}) {
      const Detection d = detector.Detect(cut > 0 ? Cut(s.text, cut) : s.text);
      if (d.candidates.empty()) continue;
      add(language_bins, d.candidates[0].confidence,
          d.candidates[0].language == s.language);
      const auto family = GuessFamily(d, families);
      add(family_bins, family->confidence,
          family->expert == families.ExpertOf(s.language));
    }
  }
  std::printf(
      "\n| confidence | guesses | mean | language right | guesses | mean | "
      "family right |\n|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const auto print = [](const Bin& bin) {
      std::printf(" %d | %.3f | %.3f |", bin.all,
                  bin.all ? bin.confidence / bin.all : 0,
                  bin.all ? static_cast<double>(bin.right) / bin.all : 0);
    };
    std::printf("| %.2f to %.2f |", edges[i], std::min(edges[i + 1], 1.0));
    print(language_bins[i]);
    print(family_bins[i]);
    std::printf("\n");
  }
}

using Detectors =
    std::vector<std::pair<std::string, std::unique_ptr<LanguageDetector>>>;

void PrintHarder(const Detectors& detectors, const FamilyTable& families,
                 const std::vector<Sentence>& sentences,
                 const std::vector<Sentence>& romanised) {
  struct Row {
    const char* name;
    const std::vector<Sentence>* sentences;
    View view;
  };
  std::vector<Row> rows = {
      {"15 characters", &sentences, CutTo(15)},
      {"60 characters, English term", &sentences, WithEnglish(sentences)},
      {"60 characters, code, link, drugs", &sentences, WithNoise}};
  if (!romanised.empty()) {
    rows.push_back({"romanised", &romanised, CutTo(0)});
    rows.push_back({"romanised, 60 characters", &romanised, CutTo(60)});
  }
  std::printf("\n| text (language, family) |");
  for (const auto& detector : detectors) {
    std::printf(" %s | |", detector.first.c_str());
  }
  std::printf("\n|---|");
  for (std::size_t i = 0; i < detectors.size(); ++i) std::printf("---|---|");
  std::printf("\n");
  for (const Row& row : rows) {
    std::printf("| %s |", row.name);
    for (const auto& [name, detector] : detectors) {
      const Score score =
          Evaluate(*detector, families, *row.sentences, row.view);
      std::printf(" %.3f | %.3f |", score.language, score.family);
    }
    std::printf("\n");
  }
  if (romanised.empty()) return;
  std::printf(
      "\nOurs, romanised, by language (sentences; language; family):\n");
  const Score score =
      Evaluate(*detectors[0].second, families, romanised, CutTo(0));
  for (const auto& [language, t] : score.by_language) {
    std::printf("%4s %4d  %.3f %.3f\n", language.c_str(), t.all,
                static_cast<double>(t.right) / t.all,
                static_cast<double>(t.right_family) / t.all);
  }
}

int Main(const std::map<std::string, std::string>& options) {
  const FamilyTable& families = FamilyTable::Paper();
  const std::vector<Sentence> sentences = Read(options.at("test"), families);
  std::map<std::string, int> languages;
  for (const Sentence& s : sentences) ++languages[s.language];
  if (sentences.empty()) {
    std::fprintf(stderr, "%s: no sentences\n", options.at("test").c_str());
    return 1;
  }
  std::printf("%zu sentences, %zu languages of %zu\n\n", sentences.size(),
              languages.size(), families.languages().size());

  Detectors detectors;
  auto ours = LoadFastTextDetector(options.at("model"), families);
  if (!ours.ok()) {
    std::fprintf(stderr, "%s\n", std::string(ours.status().message()).c_str());
    return 1;
  }
  detectors.emplace_back("ours", *std::move(ours));
  detectors.emplace_back("CLD2", MakeCld2Detector(families));
  if (options.contains("lid176")) {
    try {
      detectors.emplace_back("lid.176", std::make_unique<PlainFastText>(
                                            options.at("lid176"), families));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "lid.176: %s\n", error.what());
      return 1;
    }
  }

  std::printf(
      "| detector | language | at 60 | at 30 | family | at 60 | at 30 | us |\n"
      "|---|---|---|---|---|---|---|---|\n");
  std::vector<Score> our_scores;
  for (const auto& [name, detector] : detectors) {
    std::vector<Score> scores;
    for (const int cut : {0, 60, 30}) {
      scores.push_back(Evaluate(*detector, families, sentences, CutTo(cut)));
    }
    std::printf("| %s | %.3f | %.3f | %.3f | %.4f | %.4f | %.4f | %.1f |\n",
                name.c_str(), scores[0].language, scores[1].language,
                scores[2].language, scores[0].family, scores[1].family,
                scores[2].family, MedianMicroseconds(*detector, sentences));
    if (our_scores.empty()) our_scores = scores;
  }

  PrintHarder(detectors, families, sentences,
              options.contains("romanised")
                  ? Read(options.at("romanised"), families)
                  : std::vector<Sentence>());

  std::printf(
      "\nOurs by language (sentences; right whole, at 60, at 30; family):\n");
  for (const auto& [language, tally] : our_scores[0].by_language) {
    std::printf("%4s %4d ", language.c_str(), tally.all);
    for (const Score& s : our_scores) {
      const Tally& t = s.by_language.at(language);
      std::printf(" %.3f", static_cast<double>(t.right) / t.all);
    }
    for (const Score& s : our_scores) {
      const Tally& t = s.by_language.at(language);
      std::printf(" %.3f", static_cast<double>(t.right_family) / t.all);
    }
    std::printf("\n");
  }
  std::printf("\nOurs, most frequent mistakes at 30 characters:");
  std::vector<std::pair<int, std::pair<std::string, std::string>>> worst;
  for (const auto& [pair, n] : our_scores[2].confusions)
    worst.push_back({n, pair});
  std::sort(worst.rbegin(), worst.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(worst.size(), 24); ++i) {
    std::printf(" %s>%s %d", worst[i].second.first.c_str(),
                worst[i].second.second.c_str(), worst[i].first);
  }
  std::printf("\n");
  if (options.contains("calibration")) {
    PrintCalibration(*detectors[0].second, families, sentences);
  }
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--calibration") {
      options["calibration"] = "";
    } else if ((name == "--test" || name == "--model" || name == "--lid176" ||
                name == "--romanised") &&
               i + 1 < argc) {
      options[name.substr(2)] = argv[++i];
    } else {
      options.clear();
      break;
    }
  }
  if (!options.contains("test") || !options.contains("model")) {
    std::fprintf(stderr,
                 "usage: language_benchmark --test SENTENCES.tsv --model MODEL "
                 "[--lid176 FILE] [--romanised ROMANISED.tsv] "
                 "[--calibration]\n");
    return 2;
  }
  return apollo::Main(options);
}
