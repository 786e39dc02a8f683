#include "sequence/routing.h"

#include <algorithm>

namespace apollo {
namespace {

// Returns the entry with this key in a list sorted by key, inserting it if
// absent.
template <typename T, typename Key>
T& FindOrAdd(std::vector<T>& list, Key T::*key, const Key& wanted) {
  const auto at = std::lower_bound(
      list.begin(), list.end(), wanted,
      [key](const T& entry, const Key& value) { return entry.*key < value; });
  if (at != list.end() && (*at).*key == wanted) return *at;
  T added;
  added.*key = wanted;
  return *list.insert(at, std::move(added));
}

}  // namespace

void AddRouting(const RoutingCounts& from, RoutingCounts& into) {
  into.covered = std::max(into.covered, from.covered);
  for (const LanguageUse& language : from.languages) {
    LanguageUse& sum =
        FindOrAdd(into.languages, &LanguageUse::language, language.language);
    sum.tokens += language.tokens;
    sum.family_tokens += language.family_tokens;
    for (const LayerUse& layer : language.layers) {
      LayerUse& to = FindOrAdd(sum.layers, &LayerUse::layer, layer.layer);
      to.off_family_tokens += layer.off_family_tokens;
      to.tokens_by_expert.resize(
          std::max(to.tokens_by_expert.size(), layer.tokens_by_expert.size()));
      for (std::size_t e = 0; e < layer.tokens_by_expert.size(); ++e) {
        to.tokens_by_expert[e] += layer.tokens_by_expert[e];
      }
    }
  }
}

}  // namespace apollo
