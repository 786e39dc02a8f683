#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// White space at the ends of messages. Templates strip it: Python's strip()
// knows 29 characters, minja's four. So a run with others, such as U+3000,
// is replaced by a mark of those four, which is stripped as a whole, and put
// back afterwards where it was not. For the messages of one chat.
class EdgeSpace {
 public:
  // Returns the message with its runs marked.
  std::string Mark(std::string_view message);

  // Puts the runs back into a rendered text.
  std::string Unmark(std::string_view text) const;

 private:
  std::string MarkRun(std::string_view run);

  std::vector<std::string> runs_;  // By the number in their mark.
};

}  // namespace apollo
