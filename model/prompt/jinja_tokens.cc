#include "model/prompt/jinja_tokens.h"

#include <absl/strings/ascii.h>

#include <algorithm>

#include "model/prompt/jinja_source.h"

namespace apollo {
namespace {

using Kind = JinjaToken::Kind;

bool IsNameByte(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// Returns the number of bytes of the token at the start of `code`.
std::size_t TokenSize(std::string_view code, Kind* kind) {
  const auto while_name = [&](bool dots) {
    std::size_t size = 1;
    while (size < code.size() &&
           (IsNameByte(code[size]) || (dots && code[size] == '.'))) {
      ++size;
    }
    return size;
  };
  if (absl::ascii_isdigit(code[0])) {
    *kind = Kind::kNumber;
    return while_name(true);
  }
  if (IsNameByte(code[0])) {
    *kind = Kind::kName;
    return while_name(false);
  }
  *kind = Kind::kSymbol;
  for (const std::string_view pair : {"==", "!=", "<=", ">=", "//", "**"}) {
    if (code.starts_with(pair)) return 2;
  }
  return 1;
}

void AddTokens(std::string_view source, std::size_t begin, std::size_t end,
               std::vector<JinjaToken>* tokens) {
  for (std::size_t at = begin; at < end;) {
    if (absl::ascii_isspace(source[at]) || source[at] == '\'' ||
        source[at] == '"') {
      ++at;
      continue;
    }
    JinjaToken token;
    const std::size_t size =
        TokenSize(source.substr(at, end - at), &token.kind);
    token.text = source.substr(at, size);
    token.begin = at;
    token.end = at + size;
    tokens->push_back(token);
    at += size;
  }
}

}  // namespace

std::vector<JinjaTag> JinjaTagsOf(std::string_view source) {
  std::vector<JinjaTag> tags;
  bool open = false;
  for (const JinjaPiece& piece : CutJinja(source)) {
    if (piece.kind == JinjaPiece::Kind::kString && open) {
      tags.back().tokens.push_back(
          {Kind::kString, source.substr(piece.begin, piece.end - piece.begin),
           piece.begin - 1, std::min(piece.end + 1, source.size())});
      continue;
    }
    if (piece.kind != JinjaPiece::Kind::kCode) continue;
    std::size_t begin = piece.begin, end = piece.end;
    const std::string_view code = source.substr(begin, end - begin);
    if (!open) {
      tags.push_back({code.starts_with("{{"), {}});
      open = true;
      begin += 2;
      if (begin < end && source[begin] == '-') ++begin;
    }
    if (code.ends_with(tags.back().prints ? "}}" : "%}") && end >= begin + 2) {
      open = false;
      end -= 2;
      if (end > begin && source[end - 1] == '-') --end;
    }
    AddTokens(source, begin, end, &tags.back().tokens);
  }
  return tags;
}

}  // namespace apollo
