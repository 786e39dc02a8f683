#include "model/language/language_labels.h"

#include <set>

namespace apollo {

constexpr char kUndetermined[] = "und";

LanguageLabels::LanguageLabels(const FamilyTable& families) {
  const std::vector<std::string> languages = families.languages();
  std::set<std::string> sorted(languages.begin(), languages.end());
  sorted.insert(kUndetermined);
  for (const std::string& name : sorted) {
    index_[name] = size();
    names_.push_back(name);
  }
  undetermined_ = index_.at(kUndetermined);
}

int LanguageLabels::Index(std::string_view language) const {
  const auto it = index_.find(language);
  return it == index_.end() ? undetermined_ : it->second;
}

}  // namespace apollo
