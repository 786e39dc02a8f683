#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/language/families.h"

namespace apollo {

// The names under which tokens are counted by language: the codes of a families
// table, and "und" (ISO 639: undetermined) for everything else. So whatever a
// request says, there are never more names than the table has languages, plus
// one. Immutable: any thread may use it.
class LanguageLabels {
 public:
  explicit LanguageLabels(const FamilyTable& families);

  // The number of a language, in [0, size()); that of "und" if it is not in the
  // table.
  int Index(std::string_view language) const;
  // By number, in rising order.
  const std::string& name(int index) const { return names_[index]; }
  int size() const { return static_cast<int>(names_.size()); }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int, std::less<>> index_;
  int undetermined_ = 0;
};

}  // namespace apollo
