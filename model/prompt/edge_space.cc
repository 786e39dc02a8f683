#include "model/prompt/edge_space.h"

#include <cstddef>
#include <cstdint>

#include "model/prompt/characters.h"

namespace apollo {
namespace {

constexpr std::string_view kKnown = " \t\n\r";  // To minja.
// A mark is this, a number of kDigits digits, and kLast. Its ends are carriage
// returns, so that strip("\n") leaves it whole.
constexpr std::string_view kFirst = "\r\t\r \t\t\r\n\r \t\r";
constexpr std::size_t kDigits = 8;  // Of base 4: the index in kKnown.
constexpr char kLast = '\r';
constexpr std::size_t kMarkSize = kFirst.size() + kDigits + 1;

// Python's str.isspace().
bool IsPythonSpace(std::int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 ||
         c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Returns the size of the run at the start of the text, and at its end.
std::size_t LeadingRun(std::string_view text) {
  std::size_t run = 0;
  for (std::size_t at = 0; at < text.size(); run = at) {
    if (!IsPythonSpace(NextCharacter(text, &at))) break;
  }
  return run;
}

std::size_t TrailingRun(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0) {
    std::size_t at = begin - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) {
      --at;
    }
    std::size_t end = at;
    if (!IsPythonSpace(NextCharacter(text, &end)) || end != begin) break;
    begin = at;
  }
  return text.size() - begin;
}

}  // namespace

std::string EdgeSpace::Mark(std::string_view message) {
  const std::size_t leading = LeadingRun(message);
  const std::size_t trailing =
      leading == message.size() ? 0 : TrailingRun(message);
  const std::size_t inner = message.size() - leading - trailing;
  std::string marked = MarkRun(message.substr(0, leading));
  marked.append(message, leading, inner);
  return marked + MarkRun(message.substr(leading + inner));
}

std::string EdgeSpace::MarkRun(std::string_view run) {
  // What minja knows stays, at both ends of the run.
  const std::size_t begin = run.find_first_not_of(kKnown);
  if (begin == run.npos) return std::string(run);
  const std::size_t end = run.find_last_not_of(kKnown) + 1;
  std::string marked(run.substr(0, begin));
  marked += kFirst;
  std::size_t number = runs_.size();
  for (std::size_t i = 0; i < kDigits; ++i, number /= kKnown.size()) {
    marked += kKnown[number % kKnown.size()];
  }
  marked += kLast;
  runs_.emplace_back(run.substr(begin, end - begin));
  return marked.append(run.substr(end));
}

std::string EdgeSpace::Unmark(std::string_view text) const {
  std::string out;
  std::size_t done = 0;  // All before this is in `out`.
  for (std::size_t at = text.find(kFirst); at != text.npos;
       at = text.find(kFirst, at + 1)) {
    if (at < done || at + kMarkSize > text.size()) continue;
    std::size_t number = 0;
    for (std::size_t i = kDigits; i > 0; --i) {
      const std::size_t digit = kKnown.find(text[at + kFirst.size() + i - 1]);
      number = number * kKnown.size() + (digit == kKnown.npos ? 0 : digit);
    }
    if (number >= runs_.size() || text[at + kMarkSize - 1] != kLast) continue;
    out.append(text.substr(done, at - done)).append(runs_[number]);
    done = at + kMarkSize;
  }
  return out.append(text.substr(done));
}

}  // namespace apollo
