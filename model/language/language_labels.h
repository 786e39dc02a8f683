#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/language/families.h"

namespace apollo {

// The language labels of token counts: the codes of a families table, and "und"
// (ISO 639: undetermined) for everything else. The number of labels is
// therefore bounded, whatever requests contain. Immutable, therefore
// thread-safe.
class LanguageLabels {
 public:
  explicit LanguageLabels(const FamilyTable& families);

  // Returns the index of a language, in [0, size()), or that of "und" if it is
  // not in the table.
  int Index(std::string_view language) const;
  // Returns the label of an index. Labels are sorted.
  const std::string& name(int index) const { return names_[index]; }
  int size() const { return static_cast<int>(names_.size()); }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int, std::less<>> index_;
  int undetermined_ = 0;
};

}  // namespace apollo
