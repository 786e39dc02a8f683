#include "router/session/answer_text.h"

#include <algorithm>
#include <utility>

namespace apollo {
namespace {

bool NamesSpecialToken(const Tokenizer& tokenizer, const std::string& text) {
  const auto ids = tokenizer.Encode(text, SpecialText::kParse);
  return ids.ok() &&
         std::any_of(ids->begin(), ids->end(), [&tokenizer](TokenId id) {
           return tokenizer.IsSpecial(id);
         });
}

// Returns the size of the longest end of `text` that is a proper prefix of
// `stop`.
std::size_t Begun(std::string_view text, std::string_view stop) {
  for (std::size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.ends_with(stop.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

AnswerText::AnswerText(const Tokenizer& tokenizer,
                       const std::vector<std::string>& stops,
                       const std::vector<std::string>& turns)
    : tokenizer_(tokenizer),
      decoder_(tokenizer, /*skip_special=*/true),
      stop_count_(static_cast<int>(stops.size())) {
  for (const std::vector<std::string>& list : {stops, turns}) {
    for (const std::string& stop : list) {
      stops_.push_back({stop, NamesSpecialToken(tokenizer, stop)});
      any_names_special_ |= stops_.back().names_special;
    }
  }
}

std::string AnswerText::Append(TokenId token) {
  if (stopped()) return "";
  if (any_names_special_ && tokenizer_.IsSpecial(token)) {
    Hold(tokenizer_.AddedTokenContent(token), /*special=*/true);
  } else {
    Hold(decoder_.Append(token), /*special=*/false);
  }
  return Release(/*all=*/false);
}

std::string AnswerText::Finish() {
  if (stopped()) return "";
  Hold(decoder_.Flush(), /*special=*/false);
  return Release(/*all=*/true);
}

void AnswerText::Hold(std::string_view text, bool special) {
  held_ += text;
  if (special || !held_special_.empty()) {
    held_special_.resize(held_.size() - text.size(), false);
    held_special_.resize(held_.size(), special);
  }
}

std::string AnswerText::Release(bool all) {
  const View answer = AnswerUpTo(held_.size());
  const std::size_t stop = FindStop(answer);
  if (stop != std::string::npos) return AnswerUpTo(stop).text;
  const std::size_t end = all ? held_.size() : FindBeginning(answer);
  std::string text = AnswerUpTo(end).text;
  held_.erase(0, end);
  if (!held_special_.empty()) {
    held_special_.erase(held_special_.begin(), held_special_.begin() + end);
  }
  return text;
}

AnswerText::View AnswerText::AnswerUpTo(std::size_t end) const {
  View view;
  if (held_special_.empty()) {
    view.text = held_.substr(0, end);
    return view;
  }
  for (std::size_t i = 0; i < end; ++i) {
    if (held_special_[i]) continue;
    view.text += held_[i];
    view.at.push_back(i);
  }
  return view;
}

std::size_t AnswerText::FindStop(const View& answer) {
  // So the result does not depend on how the text is cut into tokens.
  std::pair best(std::string::npos, std::string::npos);  // End, begin.
  for (std::size_t i = 0; i < stops_.size(); ++i) {
    const Stop& stop = stops_[i];
    const std::string& text = stop.names_special ? held_ : answer.text;
    std::size_t begin = text.find(stop.text);
    if (begin == std::string::npos) continue;
    std::size_t last = begin + stop.text.size() - 1;
    if (!stop.names_special && !answer.at.empty()) {
      begin = answer.at[begin];
      last = answer.at[last];
    }
    if (std::pair(last, begin) < best) {
      best = {last, begin};
      matched_ = static_cast<int>(i);
    }
  }
  return best.second;
}

std::size_t AnswerText::FindBeginning(const View& answer) const {
  std::size_t beginning = held_.size();
  for (const Stop& stop : stops_) {
    const std::string& text = stop.names_special ? held_ : answer.text;
    const std::size_t size = Begun(text, stop.text);
    if (size == 0) continue;
    const std::size_t at = text.size() - size;
    beginning =
        std::min(beginning,
                 stop.names_special || answer.at.empty() ? at : answer.at[at]);
  }
  return beginning;
}

}  // namespace apollo
