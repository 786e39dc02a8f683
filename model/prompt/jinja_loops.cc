#include "model/prompt/jinja_loops.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "common/strings.h"
#include "model/prompt/jinja_source.h"

namespace apollo {
namespace {

bool IsNameByte(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// A tag {% %}.
struct Tag {
  std::size_t begin = 0, end = 0;  // Bytes of the source.
  bool strips_before = false;      // {%-
  bool strips_behind = false;      // -%}
  std::string_view code;           // Between the marks.
};

std::vector<Tag> TagsOf(std::string_view source) {
  std::vector<Tag> tags;
  Tag tag;
  bool open = false;
  for (const JinjaPiece& piece : CutJinja(source)) {
    if (piece.kind != JinjaPiece::Kind::kCode) continue;
    const std::string_view text =
        source.substr(piece.begin, piece.end - piece.begin);
    if (!open && text.starts_with("{%")) {
      open = true;
      tag.begin = piece.begin;
    }
    if (!open || !text.ends_with("%}")) continue;
    open = false;
    tag.end = piece.end;
    tag.code = source.substr(tag.begin + 2, tag.end - tag.begin - 4);
    tag.strips_before = tag.code.starts_with("-");
    if (tag.strips_before) tag.code.remove_prefix(1);
    tag.strips_behind = tag.code.ends_with("-");
    if (tag.strips_behind) tag.code.remove_suffix(1);
    tags.push_back(tag);
  }
  return tags;
}

// Takes a name from the start of `code`; empty if there is none.
std::string TakeName(std::string_view& code) {
  code = ToStd(absl::StripLeadingAsciiWhitespace(ToAbsl(code)));
  std::size_t size = 0;
  while (size < code.size() && IsNameByte(code[size])) ++size;
  const std::string name(code.substr(0, size));
  code.remove_prefix(size);
  code = ToStd(absl::StripLeadingAsciiWhitespace(ToAbsl(code)));
  return name;
}

// Takes names with commas between them, perhaps in parentheses: the targets of
// "set" and "for". None if one of them is an attribute ("ns.x").
std::set<std::string> TakeTargets(std::string_view code) {
  code = ToStd(absl::StripLeadingAsciiWhitespace(ToAbsl(code)));
  if (code.starts_with("(")) code.remove_prefix(1);
  std::set<std::string> names;
  for (;;) {
    names.insert(TakeName(code));
    if (code.starts_with(".")) return {};
    if (!code.starts_with(",")) return names;
    code.remove_prefix(1);
  }
}

struct Loop {
  std::size_t tag = 0;
  std::set<std::string> targets, set;
};

// Returns the variables that the body of each loop sets, but for its targets,
// by the number of its tag.
std::map<std::size_t, std::set<std::string>> LoopVariables(
    const std::vector<Tag>& tags) {
  std::map<std::size_t, std::set<std::string>> variables;
  // Open scopes; those that are no loops have no tag of their own here.
  std::vector<Loop> scopes;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    std::string_view code = tags[i].code;
    const std::string keyword = TakeName(code);
    if (keyword == "for") {
      scopes.push_back({i, TakeTargets(code), {}});
    } else if (keyword == "macro" || keyword == "call" || keyword == "filter") {
      scopes.push_back({tags.size(), {}, {}});
    } else if (keyword == "set") {
      if (!scopes.empty()) scopes.back().set.merge(TakeTargets(code));
    } else if (keyword == "endfor" || keyword == "endmacro" ||
               keyword == "endcall" || keyword == "endfilter") {
      if (scopes.empty()) return {};  // minja names the fault.
      Loop& scope = scopes.back();
      if (scope.tag < tags.size()) {
        for (const std::string& target : scope.targets) scope.set.erase(target);
        if (!scope.set.empty()) variables[scope.tag] = std::move(scope.set);
      }
      scopes.pop_back();
    }
  }
  return variables;
}

}  // namespace

std::string ScopeLoopVariables(std::string_view source) {
  const std::vector<Tag> tags = TagsOf(source);
  std::string scoped;
  std::size_t done = 0;
  for (const auto& [number, names] : LoopVariables(tags)) {
    const Tag& tag = tags[number];
    absl::StrAppend(&scoped, ToAbsl(source.substr(done, tag.begin - done)));
    done = tag.end;
    const char* mark = tag.strips_before ? "-" : "";
    for (const std::string& name : names) {
      absl::StrAppend(&scoped, "{%", mark, " set outer", number, "_", name,
                      " = ", name, " %}");
      mark = "";
    }
    absl::StrAppend(&scoped, "{%", ToAbsl(tag.code), "%}");
    std::size_t left = names.size();
    for (const std::string& name : names) {
      mark = --left == 0 && tag.strips_behind ? "-" : "";
      absl::StrAppend(&scoped, "{% set ", name, " = outer", number, "_", name,
                      " ", mark, "%}");
    }
  }
  absl::StrAppend(&scoped, ToAbsl(source.substr(done)));
  return scoped;
}

}  // namespace apollo
