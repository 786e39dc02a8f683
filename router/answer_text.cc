#include "router/answer_text.h"

#include <algorithm>

namespace apollo {

std::string AnswerText::Append(TokenId token) {
  if (stopped_) return "";
  held_ += decoder_.Append(token);
  return Release(/*all=*/false);
}

std::string AnswerText::Finish() {
  if (stopped_) return "";
  held_ += decoder_.Flush();
  return Release(/*all=*/true);
}

std::string AnswerText::Release(bool all) {
  // The stop string that begins first wins.
  std::size_t cut = std::string::npos;
  for (const std::string& stop : stops_) cut = std::min(cut, held_.find(stop));
  if (cut != std::string::npos) {
    stopped_ = true;
    return held_.substr(0, cut);
  }
  // Keep the longest end that a stop string begins with.
  std::size_t keep = 0;
  if (!all) {
    for (const std::string& stop : stops_) {
      for (std::size_t n = std::min(held_.size(), stop.size() - 1); n > keep; --n) {
        if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
      }
    }
  }
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, text.size());
  return text;
}

}  // namespace apollo
