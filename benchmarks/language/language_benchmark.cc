// Compares language detectors on held-out sentences, whole and truncated:
//
//     language_benchmark --test SENTENCES.tsv --model MODEL [--help]
//
// tools/language makes the sentences. Prints accuracy by language and by
// family, accuracy on harder text, the time per question, our results by
// language and, with --calibration, the accuracy of guesses by confidence.

#include <fasttext/fasttext.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/language/evaluation.h"
#include "model/language/cld2_detector.h"
#include "model/language/families.h"
#include "model/language/family_guess.h"
#include "model/language/fasttext_detector.h"

namespace apollo {
namespace {

using Detectors =
    std::vector<std::pair<std::string, std::unique_ptr<LanguageDetector>>>;

// The fastText library as commonly used: takes raw text, returns the best label
// that the table knows.
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

View CutTo(int count) {
  return [count](const Sentence& s, std::size_t) {
    return count > 0 ? Cut(s.text, count) : s.text;
  };
}

// Appends one or two English terms of about 20 characters.
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

// Returns the median time of the questions, in microseconds.
double MedianMicroseconds(const LanguageDetector& detector,
                          const std::vector<Sentence>& sentences) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  std::size_t guard = 0;
  for (const Sentence& s : sentences) {
    const std::string question = Cut(s.text, 100);
    const auto begin = Clock::now();
    guard += detector.Detect(question).candidates.size();
    times.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - begin)
            .count());
  }
  if (guard == 0) std::fprintf(stderr, "no detector found anything\n");
  std::nth_element(times.begin(), times.begin() + times.size() / 2,
                   times.end());
  return times[times.size() / 2];
}

double Load() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

// Measures in turns, so that all detectors see the same load of the machine.
void PrintTimes(const Detectors& detectors,
                const std::vector<Sentence>& sentences, int runs) {
  std::map<std::string, std::vector<double>> medians;
  const double before = Load();
  for (int run = 0; run <= runs; ++run) {
    for (const auto& [name, detector] : detectors) {
      const double median = MedianMicroseconds(*detector, sentences);
      // The first run warms the caches.
      if (run > 0) medians[name].push_back(median);
    }
  }
  std::printf(
      "\n| detector | us a question, median of %d runs | range |\n"
      "|---|---|---|\n",
      runs);
  for (const auto& [name, detector] : detectors) {
    std::vector<double>& m = medians[name];
    std::sort(m.begin(), m.end());
    std::printf("| %s | %.1f | %.1f to %.1f |\n", name.c_str(), m[m.size() / 2],
                m.front(), m.back());
  }
  std::printf(
      "Questions of up to 100 characters, one thread; load of the "
      "machine's %u processors: %.1f before, %.1f after.\n",
      std::thread::hardware_concurrency(), before, Load());
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

// Prints the accuracy of whole sentences and of 60 and 30 characters. Returns
// the scores of the first detector.
std::vector<Score> PrintAccuracy(const Detectors& detectors,
                                 const FamilyTable& families,
                                 const std::vector<Sentence>& sentences) {
  std::set<std::string> languages;
  for (const Sentence& s : sentences) languages.insert(s.language);
  std::printf("\n%zu sentences, %zu languages of %zu\n\n", sentences.size(),
              languages.size(), families.languages().size());
  std::printf(
      "| detector | language | at 60 | at 30 | family | at 60 | at 30 |\n"
      "|---|---|---|---|---|---|---|\n");
  std::vector<Score> first;
  for (const auto& [name, detector] : detectors) {
    std::vector<Score> scores;
    for (const int cut : {0, 60, 30}) {
      scores.push_back(Evaluate(*detector, families, sentences, CutTo(cut)));
    }
    std::printf("| %s | %.3f | %.3f | %.3f | %.4f | %.4f | %.4f |\n",
                name.c_str(), scores[0].language, scores[1].language,
                scores[2].language, scores[0].family, scores[1].family,
                scores[2].family);
    if (first.empty()) first = scores;
  }
  return first;
}

void PrintByLanguage(const std::vector<Score>& scores) {
  std::printf(
      "\nOurs by language; in brackets Wilson's 95%% interval:\n\n"
      "| | sentences | language | at 60 | at 30 | family | at 60 | at 30 |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const auto& [language, whole] : scores[0].by_language) {
    const auto [low, high] = WilsonInterval(whole.right, whole.all);
    std::printf("| %s | %d | %.2f (%.2f-%.2f) |", language.c_str(), whole.all,
                static_cast<double>(whole.right) / whole.all, low, high);
    for (const std::size_t i : {1, 2}) {
      const Tally& t = scores[i].by_language.at(language);
      std::printf(" %.2f |", static_cast<double>(t.right) / t.all);
    }
    for (const Score& s : scores) {
      const Tally& t = s.by_language.at(language);
      std::printf(" %.2f |", static_cast<double>(t.right_family) / t.all);
    }
    std::printf("\n");
  }
  std::printf("\nOurs, most frequent mistakes at 30 characters:");
  std::vector<std::pair<int, std::pair<std::string, std::string>>> worst;
  for (const auto& [pair, n] : scores[2].confusions) worst.push_back({n, pair});
  std::sort(worst.rbegin(), worst.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(worst.size(), 24); ++i) {
    std::printf(" %s>%s %d", worst[i].second.first.c_str(),
                worst[i].second.second.c_str(), worst[i].first);
  }
  std::printf("\n");
}

struct Row {
  std::string name;
  const std::vector<Sentence>* sentences;
  View view;
};

void PrintHarder(const Detectors& detectors, const FamilyTable& families,
                 const std::vector<Row>& rows) {
  std::printf("\n| text (language, family) |");
  for (const auto& detector : detectors) {
    std::printf(" %s | |", detector.first.c_str());
  }
  std::printf("\n|---|");
  for (std::size_t i = 0; i < detectors.size(); ++i) std::printf("---|---|");
  std::printf("\n");
  for (const Row& row : rows) {
    if (row.sentences->empty()) continue;
    std::printf("| %s |", row.name.c_str());
    for (const auto& [name, detector] : detectors) {
      const Score score =
          Evaluate(*detector, families, *row.sentences, row.view);
      std::printf(" %.3f | %.3f |", score.language, score.family);
    }
    std::printf("\n");
  }
}

// The minimum confidence of a forced family
// (RouterModel::language_threshold).
constexpr double kForced = 0.5;

void PrintChoices(const Detectors& detectors, const FamilyTable& families,
                  const std::string& name,
                  const std::vector<Sentence>& sentences) {
  if (sentences.empty()) return;
  std::printf(
      "\n%zu %s: the family that is forced\n\n"
      "| detector | right | none | wrong |\n|---|---|---|---|\n",
      sentences.size(), name.c_str());
  const double all = static_cast<double>(sentences.size());
  std::vector<std::string> mistakes;
  for (const auto& [detector_name, detector] : detectors) {
    Choices choices = CountChoices(*detector, families, sentences, kForced);
    std::printf("| %s | %.3f | %.3f | %.3f |\n", detector_name.c_str(),
                choices.right / all, choices.undecided / all,
                choices.wrong / all);
    if (mistakes.empty()) mistakes = std::move(choices.mistakes);
  }
  std::printf("\nOurs, mistakes:\n");
  for (const std::string& mistake : mistakes) {
    std::printf("  %s\n", mistake.c_str());
  }
}

struct Options {
  std::string test, model, lid176, questions, romanised, second;
  std::vector<std::string> shorts, neutral;  // Paths.
  bool calibration = false;
  int runs = 9;
};

// One table for each file.
void PrintAllChoices(const Detectors& detectors, const FamilyTable& families,
                     const Options& options) {
  for (const std::string& path : options.shorts) {
    PrintChoices(detectors, families, "short questions",
                 ReadSentences(path, families));
  }
  for (const std::string& path : options.neutral) {
    PrintChoices(detectors, families, "texts in no language",
                 ReadNeutral(path));
  }
}

int Run(const Options& options) {
  const FamilyTable& families = FamilyTable::Paper();
  const auto read = [&families](const std::string& path) {
    return path.empty() ? std::vector<Sentence>()
                        : ReadSentences(path, families);
  };
  const std::vector<Sentence> sentences = read(options.test);
  const std::vector<Sentence> questions = read(options.questions);
  const std::vector<Sentence> romanised = read(options.romanised);
  const std::vector<Sentence> second = read(options.second);
  if (sentences.empty()) {
    std::fprintf(stderr, "%s: no sentences\n", options.test.c_str());
    return 1;
  }

  Detectors detectors;
  auto ours = LoadFastTextDetector(options.model, families);
  if (!ours.ok()) {
    std::fprintf(stderr, "%s\n", std::string(ours.status().message()).c_str());
    return 1;
  }
  detectors.emplace_back("ours", *std::move(ours));
  detectors.emplace_back("CLD2", MakeCld2Detector(families));
  if (!options.lid176.empty()) {
    try {
      detectors.emplace_back(
          "lid.176", std::make_unique<PlainFastText>(options.lid176, families));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "lid.176: %s\n", error.what());
      return 1;
    }
  }

  const std::vector<Score> scores =
      PrintAccuracy(detectors, families, sentences);
  PrintHarder(
      detectors, families,
      {{"questions", &questions, CutTo(0)},
       {"questions, 30 characters", &questions, CutTo(30)},
       {"15 characters", &sentences, CutTo(15)},
       {"60 characters, English term", &sentences, WithEnglish(sentences)},
       {"60 characters, code, link, drugs", &sentences, WithNoise},
       {"romanised", &romanised, CutTo(0)},
       {"romanised, 60 characters", &romanised, CutTo(60)},
       {"romanised, 30 characters", &romanised, CutTo(30)}});
  PrintAllChoices(detectors, families, options);
  PrintTimes(detectors, sentences, options.runs);
  PrintByLanguage(scores);
  if (!romanised.empty()) {
    std::printf("\nOurs, romanised (sentences; language; family):\n");
    for (const auto& [language, t] :
         Evaluate(*detectors[0].second, families, romanised, CutTo(0))
             .by_language) {
      std::printf("%4s %4d  %.2f %.2f\n", language.c_str(), t.all,
                  static_cast<double>(t.right) / t.all,
                  static_cast<double>(t.right_family) / t.all);
    }
  }
  if (options.calibration) {
    PrintCalibration(*detectors[0].second, families, sentences);
  }
  if (!second.empty()) {
    std::printf("\nThe second text, %s:\n", options.second.c_str());
    PrintByLanguage(PrintAccuracy(detectors, families, second));
  }
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  CLI::App app("Compares language detectors on held-out sentences.");
  apollo::Options options;
  app.add_option("--test", options.test,
                 "lines <language> TAB <source> TAB <text>")
      ->required();
  app.add_option("--model", options.model, "our classifier")->required();
  app.add_option("--lid176", options.lid176, "the fastText model lid.176");
  app.add_option("--questions", options.questions, "as --test: questions");
  app.add_option("--short", options.shorts,
                 "as --test: short questions; several files are told apart");
  app.add_option("--neutral", options.neutral,
                 "lines <kind> TAB <text>, in no language; several files too");
  app.add_option("--romanised", options.romanised, "as --test, romanised");
  app.add_option("--second", options.second, "as --test: another kind of text");
  app.add_option("--runs", options.runs, "number of timing runs")
      ->check(CLI::Range(1, 1000));
  app.add_flag("--calibration", options.calibration,
               "print the accuracy of guesses by confidence");
  CLI11_PARSE(app, argc, argv);
  return apollo::Run(options);
}
