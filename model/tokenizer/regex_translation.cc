#include "model/tokenizer/regex_translation.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

// Oniguruma's white space, which is Unicode's White_Space, for use in a set.
constexpr char kSpaces[] = R"(\t-\r\x{85}\p{Z})";

class Translator {
 public:
  explicit Translator(std::string_view in) : in_(in) {}

  absl::StatusOr<std::string> Run() {
    while (!AtEnd()) {
      RETURN_IF_ERROR(in_set_ ? SetItem() : Item());
    }
    return std::move(out_);
  }

 private:
  bool AtEnd() const { return at_ >= in_.size(); }
  bool Next(std::string_view text) const {
    return in_.substr(at_).starts_with(text);
  }
  void Copy(std::size_t count) {
    out_.append(in_.substr(at_, count));
    at_ += count;
  }
  absl::Status No(std::string_view what) const {
    return absl::UnimplementedError(
        absl::StrCat("regular expression: ", ToAbsl(what), " at byte ", at_,
                     " is not supported"));
  }

  absl::Status Item() {
    const char c = in_[at_];
    switch (c) {
      case '\\':
        return Escape();
      case '[':
        Copy(1);
        if (Next("^")) Copy(1);
        if (Next("]")) return No("] as the first of a set");
        in_set_ = true;
        return absl::OkStatus();
      case '(':
        return Group();
      case '^':
      case '$':
        return No("an anchor");
      case '}':
        Copy(1);
        if (Next("+")) return No("}+");  // Possessive only in PCRE2.
        return absl::OkStatus();
      default:
        Copy(1);
        return absl::OkStatus();
    }
  }

  absl::Status Group() {
    Copy(1);
    if (Next("*")) return No("(*");
    if (!Next("?")) return absl::OkStatus();
    for (const std::string_view kind :
         {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:"}) {
      if (Next(kind)) {
        Copy(kind.size());
        return absl::OkStatus();
      }
    }
    return No("this kind of group");
  }

  absl::Status SetItem() {
    if (Next("]")) {
      in_set_ = false;
      Copy(1);
      return absl::OkStatus();
    }
    if (Next("[")) return No("[ in a set");
    if (Next("&&")) return No("&& in a set");
    if (Next("\\")) return Escape();
    Copy(1);
    return absl::OkStatus();
  }

  absl::Status Escape() {
    if (at_ + 1 >= in_.size()) return No("\\ at the end");
    const char c = in_[at_ + 1];
    switch (c) {
      case 's':
        absl::StrAppend(&out_, in_set_ ? "" : "[", kSpaces, in_set_ ? "" : "]");
        at_ += 2;
        return absl::OkStatus();
      case 'S':
        if (in_set_) return No("\\S in a set");
        absl::StrAppend(&out_, "[^", kSpaces, "]");
        at_ += 2;
        return absl::OkStatus();
      case 'p':
      case 'P': {
        if (in_.substr(at_ + 2, 1) != "{") return No("\\p without {");
        const std::size_t end = in_.find('}', at_);
        if (end == in_.npos) return No("\\p without }");
        Copy(end + 1 - at_);
        return absl::OkStatus();
      }
      case 'r':
      case 'n':
      case 't':
      case 'f':
      case 'd':
      case 'D':
        Copy(2);
        return absl::OkStatus();
      default:
        break;
    }
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
    if (word) return No(absl::StrCat("\\", std::string(1, c)));
    Copy(2);
    return absl::OkStatus();
  }

  const std::string_view in_;
  std::size_t at_ = 0;
  bool in_set_ = false;
  std::string out_;
};

}  // namespace

absl::StatusOr<std::string> TranslateRegex(std::string_view oniguruma) {
  return Translator(oniguruma).Run();
}

}  // namespace apollo
