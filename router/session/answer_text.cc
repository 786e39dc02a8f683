#include "router/session/answer_text.h"

#include <algorithm>
#include <utility>

namespace apollo {

std::string AnswerText::Append(TokenId token) {
  if (stopped()) return "";
  held_ += decoder_.Append(token);
  return Release(/*all=*/false);
}

std::string AnswerText::Finish() {
  if (stopped()) return "";
  held_ += decoder_.Flush();
  return Release(/*all=*/true);
}

std::string AnswerText::Release(bool all) {
  // The stop string that is completed first wins; among several, the longest.
  // So the result does not depend on how the text is cut into tokens.
  std::size_t begin = std::string::npos;
  std::size_t end = std::string::npos;
  int first = -1;  // Of equal strings, the first.
  for (std::size_t i = 0; i < stops_.size(); ++i) {
    const std::string& stop = stops_[i];
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos) continue;
    if (std::pair(at + stop.size(), at) < std::pair(end, begin)) {
      begin = at;
      end = at + stop.size();
      first = static_cast<int>(i);
    }
  }
  if (begin != std::string::npos) {
    matched_stop_ = first;
    return held_.substr(0, begin);
  }
  // Keep the longest suffix that is a prefix of a stop string.
  std::size_t keep = 0;
  if (!all) {
    for (const std::string& stop : stops_) {
      for (std::size_t n = std::min(held_.size(), stop.size() - 1); n > keep;
           --n) {
        if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
      }
    }
  }
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, text.size());
  return text;
}

}  // namespace apollo
