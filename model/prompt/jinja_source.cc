#include "model/prompt/jinja_source.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_replace.h>

#include <algorithm>

#include "common/strings.h"

namespace apollo {
namespace {

using Kind = JinjaPiece::Kind;

bool StartsAt(std::string_view source, std::size_t at, std::string_view what) {
  return source.substr(at, what.size()) == what;
}

std::ptrdiff_t LineOf(std::string_view source, std::size_t at) {
  return 1 + std::count(source.begin(),
                        source.begin() + static_cast<std::ptrdiff_t>(at), '\n');
}

// Cuts a source; `at_` is the first byte that is in no piece yet.
class Cutter {
 public:
  explicit Cutter(std::string_view source) : source_(source) {}

  std::vector<JinjaPiece> Cut() {
    while (at_ < source_.size()) {
      if (StartsAt(source_, at_, "{#")) {
        const std::size_t end = source_.find("#}", at_ + 2);
        Add(Kind::kComment, end == source_.npos ? source_.size() : end + 2);
      } else if (StartsAt(source_, at_, "{{")) {
        CutTag("}}");
      } else if (StartsAt(source_, at_, "{%")) {
        CutTag("%}");
      } else {
        std::size_t end = at_;
        do {
          end = std::min(source_.find('{', end + 1), source_.size());
        } while (end < source_.size() && !StartsAt(source_, end, "{{") &&
                 !StartsAt(source_, end, "{%") &&
                 !StartsAt(source_, end, "{#"));
        Add(Kind::kText, end);
      }
    }
    return std::move(pieces_);
  }

 private:
  void Add(Kind kind, std::size_t end) {
    if (end > at_) pieces_.push_back({kind, at_, end});
    at_ = end;
  }

  void CutTag(std::string_view close) {
    int open_braces = 0;  // Of dictionaries, which may end with "}}".
    std::size_t i = at_ + 2;
    while (i < source_.size()) {
      const char c = source_[i];
      if (c == '\'' || c == '"') {
        Add(Kind::kCode, i);
        i = CutString(c);
        continue;
      }
      if (open_braces == 0 && StartsAt(source_, i, close)) {
        Add(Kind::kCode, i + 2);
        return;
      }
      if (c == '{') ++open_braces;
      if (c == '}' && open_braces > 0) --open_braces;
      ++i;
    }
    Add(Kind::kCode, source_.size());
  }

  // Cuts the string whose quote is at at_; returns the place behind it.
  std::size_t CutString(char quote) {
    std::size_t end = ++at_;
    while (end < source_.size() && source_[end] != quote) {
      end += source_[end] == '\\' ? 2 : 1;
    }
    end = std::min(end, source_.size());
    pieces_.push_back({Kind::kString, at_, end});  // May be empty.
    at_ = std::min(end + 1, source_.size());
    return at_;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::vector<JinjaPiece> pieces_;
};

// Returns the number of spaces and tabs at the end of a text that are at the
// start of a line.
std::size_t Indentation(std::string_view text, bool starts_line) {
  std::size_t begin = text.size();
  while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '\t')) {
    --begin;
  }
  const bool at_start = begin == 0 ? starts_line : text[begin - 1] == '\n';
  return at_start ? text.size() - begin : 0;
}

// Returns true if the tag or comment before a text strips all of it.
bool StripsAll(std::string_view source, const JinjaPiece& before,
               std::string_view text) {
  const std::string_view tag =
      source.substr(before.begin, before.end - before.begin);
  const bool strips =
      tag.ends_with("-%}") || tag.ends_with("-}}") || tag.ends_with("-#}");
  return strips && absl::StripAsciiWhitespace(ToAbsl(text)).empty();
}

std::string EmptyComment(std::string_view comment) {
  const bool strips_before = StartsAt(comment, 2, "-") && comment.size() > 4;
  const bool strips_behind = comment.size() > 5 && comment.ends_with("-#}");
  return absl::StrCat(
      "{#", strips_before ? "-" : "",
      std::string(std::count(comment.begin(), comment.end(), '\n'), '\n'),
      strips_behind ? "-" : "", "#}");
}

// Returns true if code beside a string searches, splits or compares with it.
bool Tests(std::string_view before, std::string_view behind) {
  before = ToStd(absl::StripTrailingAsciiWhitespace(ToAbsl(before)));
  behind = ToStd(absl::StripLeadingAsciiWhitespace(ToAbsl(behind)));
  for (const std::string_view end :
       {"split(", "strip(", "startswith(", "endswith(", "replace(",
        "==", "!=", " in"}) {
    if (before.ends_with(end)) return true;
  }
  for (const std::string_view start : {"in ", "not in ", "==", "!="}) {
    if (behind.starts_with(start)) return true;
  }
  return false;
}

}  // namespace

std::vector<JinjaPiece> CutJinja(std::string_view source) {
  return Cutter(source).Cut();
}

absl::Status CheckJinjaEscapes(std::string_view source) {
  constexpr std::string_view kKnown = "nrtbf\\'\"";
  for (const JinjaPiece& piece : CutJinja(source)) {
    if (piece.kind != Kind::kString) continue;
    for (std::size_t i = piece.begin; i + 1 < piece.end; ++i) {
      if (source[i] != '\\') continue;
      ++i;
      if (kKnown.find(source[i]) != kKnown.npos) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "in line ", LineOf(source, i),
          " a string has another escape than \\n \\r \\t \\b \\f \\\\ \\' or "
          "\\\"; write the character itself"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckJinjaOperators(std::string_view source) {
  for (const JinjaPiece& piece : CutJinja(source)) {
    if (piece.kind != JinjaPiece::Kind::kCode) continue;
    for (std::size_t i = piece.begin; i < piece.end; ++i) {
      const bool twice = i + 1 < piece.end && source[i + 1] == source[i];
      const bool power = source[i] == '*' && twice;
      const bool division = source[i] == '/' && !twice;
      if (power || division) {
        return absl::InvalidArgumentError(absl::StrCat(
            "in line ", LineOf(source, i), " the operator ", power ? "**" : "/",
            " is used, which gives other numbers here than in Jinja; write a "
            "product, or // for a whole number"));
      }
      if (twice) ++i;  // "//"
    }
  }
  return absl::OkStatus();
}

std::string MendJinja(std::string_view original) {
  const std::string source =
      absl::StrReplaceAll(ToAbsl(original), {{"\r\n", "\n"}, {"\r", "\n"}});
  const std::vector<JinjaPiece> pieces = CutJinja(source);
  std::string mended;
  std::size_t done = 0;  // All before this is in `mended`.
  const auto copy = [&](std::size_t end) {
    mended.append(source, done, end - done);
    done = end;
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const JinjaPiece& piece = pieces[i];
    const std::string_view text =
        std::string_view(source).substr(piece.begin, piece.end - piece.begin);
    if (piece.kind == Kind::kComment) {
      copy(piece.begin);
      mended += EmptyComment(text);
      done = piece.end;
    } else if (piece.kind == Kind::kText && StartsAt(source, piece.end, "{{") &&
               !StartsAt(source, piece.end, "{{-")) {
      const std::size_t spaces = Indentation(text, i == 0);
      if (spaces == 0 || (i > 0 && StripsAll(source, pieces[i - 1], text))) {
        continue;
      }
      copy(piece.end - spaces);
      absl::StrAppend(
          &mended, "{{ \"",
          absl::StrReplaceAll(ToAbsl(text.substr(text.size() - spaces)),
                              {{"\t", "\\t"}}),
          "\" }}");
      done = piece.end;
    }
  }
  copy(source.size());
  return mended;
}

std::string MarkJinja(std::string_view source,
                      std::span<const std::string> spellings,
                      const std::function<std::string(std::size_t)>& mark) {
  std::string marked;
  std::size_t done = 0;
  for (const JinjaPiece& piece : CutJinja(source)) {
    if (piece.kind != Kind::kText && piece.kind != Kind::kString) continue;
    const std::string_view text =
        source.substr(piece.begin, piece.end - piece.begin);
    if (piece.kind == Kind::kString &&
        std::find(spellings.begin(), spellings.end(), text) !=
            spellings.end() &&
        Tests(source.substr(0, piece.begin - 1),
              source.substr(std::min(piece.end + 1, source.size())))) {
      continue;
    }
    marked.append(source, done, piece.begin - done);
    for (std::size_t at = 0; at < text.size();) {
      std::size_t longest = 0;
      std::size_t index = 0;
      for (std::size_t i = 0; i < spellings.size(); ++i) {
        if (spellings[i].size() > longest && StartsAt(text, at, spellings[i])) {
          longest = spellings[i].size();
          index = i;
        }
      }
      if (longest > 0) {
        marked += mark(index);
        at += longest;
      } else {
        marked += text[at++];
      }
    }
    done = piece.end;
  }
  marked.append(source, done);
  return marked;
}

}  // namespace apollo
