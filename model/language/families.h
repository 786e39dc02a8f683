#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// The languages that share one expert in every sparse layer.
struct Family {
  int expert;                          // Index of the expert, from 0.
  std::string name;                    // A word fit for a metric's label.
  std::vector<std::string> languages;  // ISO 639 codes, in the file's order.
};

// Which expert serves which language. Built from a small text file, whose
// format docs/languages.md describes; one line is one family:
//
//     <expert> <name>: <language> <language> ...
//
// Immutable after construction, so any thread may read it; copies are cheap
// enough to make at start-up. Views passed in are not kept.
class FamilyTable {
 public:
  // The 50 languages and 7 experts of the published Apollo-MoE checkpoints,
  // from the committed file default_families.txt, which is compiled in.
  static const FamilyTable& Paper();

  // Reads a file. NOT_FOUND when it cannot be opened, INVALID_ARGUMENT naming
  // the file and the line for anything wrong in it.
  static absl::StatusOr<FamilyTable> Load(const std::string& path);

  // The table for a model: the file if one is named, else families.txt in the
  // model's directory, else the paper's. Validated for num_experts. Every
  // process of a cluster finds its table so.
  static absl::StatusOr<FamilyTable> ForModel(const std::string& directory,
                                              const std::string& file,
                                              int num_experts);

  // Load from text; `source` stands for the file's name in errors.
  static absl::StatusOr<FamilyTable> Parse(std::string_view text,
                                           std::string_view source);

  // INVALID_ARGUMENT naming file and line if a family's expert does not exist
  // in a checkpoint with `num_experts` experts. A checkpoint may have experts
  // that no language is pinned to.
  absl::Status Validate(int num_experts) const;

  // The expert of a language, or nothing for a language that is not in the
  // table. Codes are compared exactly; they are lower case.
  std::optional<int> ExpertOf(std::string_view language) const;

  // In rising order of experts: families()[e].expert == e for every e.
  const std::vector<Family>& families() const { return families_; }

  // All languages, family after family.
  std::vector<std::string> languages() const;

 private:
  FamilyTable() = default;

  std::string source_;
  std::vector<Family> families_;
  std::vector<int> lines_;  // Where families_[e] stands in the file, from 1.
  std::map<std::string, int, std::less<>> expert_of_;
};

}  // namespace apollo
