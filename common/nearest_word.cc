#include "common/nearest_word.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace apollo {
namespace {

// Returns the number of single characters to insert, delete or replace.
std::size_t Distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string NearestWord(const std::string& word,
                        const std::vector<std::string>& known) {
  // A long argument is no mistyped word, and the distance takes its time.
  constexpr std::size_t kLongest = 100;
  if (word.size() > kLongest) return "";
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  least = std::min(least, word.size());
  for (const std::string& other : known) {
    const std::size_t distance = Distance(word, other);
    if (distance < least) {
      least = distance;
      best = other;
    }
  }
  return best;
}

}  // namespace apollo
