#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The source of a Jinja template, cut where its syntax allows, to mend what the
// library minja reads differently from Jinja. It parses nothing else: minja
// does.
namespace apollo {

struct JinjaPiece {
  enum class Kind {
    kText,     // Outside of tags.
    kCode,     // Inside of {{ }} or {% %}, with these, without strings.
    kString,   // Inside of the quotes of a string in code.
    kComment,  // {# #}, with these.
  };
  Kind kind = Kind::kText;
  std::size_t begin = 0, end = 0;  // Bytes of the source.
};

// Cuts a source into pieces that cover it but for the quotes of strings. An
// unfinished tag, string or comment ends with the source.
std::vector<JinjaPiece> CutJinja(std::string_view source);

// Returns INVALID_ARGUMENT, naming the line, if a string has an escape that
// minja does not know. (It would drop the backslash in silence.)
absl::Status CheckJinjaEscapes(std::string_view source);

// Returns INVALID_ARGUMENT, naming the line, if code has an operator that minja
// computes otherwise than Jinja: / and **.
absl::Status CheckJinjaOperators(std::string_view source);

// Returns a source that minja renders as Jinja renders `source` with
// trim_blocks and lstrip_blocks:
//   - line ends are "\n";
//   - white space between the start of a line and {{ becomes a part of an
//     expression, because minja would strip it as it does before {%;
//   - comments lose their text, which minja matches by recursion.
std::string MendJinja(std::string_view source);

// Returns the source with each of `spellings`, where text or a string has it,
// replaced by `mark(i)`. A string that is one of them as a whole and that code
// compares, searches or splits with is left alone.
std::string MarkJinja(std::string_view source,
                      std::span<const std::string> spellings,
                      const std::function<std::string(std::size_t)>& mark);

}  // namespace apollo
