#include "tools/apollo/help_text.h"

#include <cstddef>
#include <sstream>

namespace apollo::client {

std::string Wrap(const std::string& text) {
  constexpr std::size_t kWidth = 50;
  std::istringstream words(text);
  std::string result;
  std::string word;
  std::size_t column = 0;
  while (words >> word) {
    if (column > 0 && column + 1 + word.size() > kWidth) {
      result += '\n';
      column = 0;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

}  // namespace apollo::client
