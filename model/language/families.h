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
  int expert;  // Index of the expert, from 0.
  // Suitable as the value of a metric label.
  std::string name;
  std::vector<std::string> languages;  // ISO 639 codes, in the file's order.
};

// The mapping of languages to experts, parsed from a small text file (format:
// docs/languages.md). Each line is one family:
//
//     <expert> <name>: <language> <language> ...
//
// Immutable after construction, therefore thread-safe. Does not keep the views
// passed in.
class FamilyTable {
 public:
  // Returns the 50 languages and 7 experts of the published Apollo-MoE
  // checkpoints, from the built-in file default_families.txt.
  static const FamilyTable& Paper();

  // Reads a file. Returns NOT_FOUND if it cannot be opened, or INVALID_ARGUMENT
  // naming the file and the line of an error.
  static absl::StatusOr<FamilyTable> Load(const std::string& path);

  // Returns the table for a model: `file` if not empty, else families.txt in
  // the model's directory, else Paper(). Validates it for num_experts, unless
  // that is 0: families then only group languages. Every process of a cluster
  // finds its table this way.
  static absl::StatusOr<FamilyTable> ForModel(const std::string& directory,
                                              const std::string& file,
                                              int num_experts);

  // Parses the content of a file. `source` is the name of the file in errors.
  static absl::StatusOr<FamilyTable> Parse(std::string_view text,
                                           std::string_view source);

  // Returns INVALID_ARGUMENT naming the file and the line if the expert of a
  // family does not exist in a checkpoint with `num_experts` experts. Experts
  // without a family are allowed.
  absl::Status Validate(int num_experts) const;

  // Returns the expert of a language, or nullopt if it is not in the table.
  // Codes are lower case and compared exactly.
  std::optional<int> ExpertOf(std::string_view language) const;

  // Sorted by expert: families()[e].expert == e for every e.
  const std::vector<Family>& families() const { return families_; }

  // All languages, family by family.
  std::vector<std::string> languages() const;

 private:
  FamilyTable() = default;

  std::string source_;
  std::vector<Family> families_;
  std::vector<int> lines_;  // Line of families_[e] in the file, from 1.
  std::map<std::string, int, std::less<>> expert_of_;
};

}  // namespace apollo
