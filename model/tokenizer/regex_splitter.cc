// The general splitter: PCRE2, compiled to machine code where possible.
#define PCRE2_CODE_UNIT_WIDTH 8

#include <absl/strings/str_cat.h>
#include <pcre2.h>

#include <string>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "model/tokenizer/regex_translation.h"
#include "model/tokenizer/splitter.h"

namespace apollo {
namespace {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* p) const {
    kFree(p);
  }
};
using Code = std::unique_ptr<pcre2_code, Freer<pcre2_code_free>>;
using MatchData =
    std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data_free>>;
using MatchContext =
    std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context_free>>;

// Maximum backtracking steps per match. If a piece of text needs more, the
// pattern is exponential or the text is an attack.
constexpr std::uint32_t kMatchLimit = 100'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 << 10;

std::string ErrorText(int code) {
  PCRE2_UCHAR8 buffer[256];
  pcre2_get_error_message_8(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char*>(buffer);
}

class RegexSplitter final : public Splitter {
 public:
  RegexSplitter(Code code, MatchContext limits)
      : code_(std::move(code)), limits_(std::move(limits)) {}

  absl::Status Split(std::string_view text,
                     std::vector<std::string_view>* pieces) const override {
    return Find(text, [pieces](std::string_view piece, bool) {
      pieces->push_back(piece);
    });
  }

  absl::Status Match(std::string_view text,
                     std::vector<Part>* parts) const override {
    return Find(text, [parts](std::string_view piece, bool match) {
      parts->push_back({piece, match});
    });
  }

 private:
  template <typename Add>
  absl::Status Find(std::string_view text, Add add) const {
    const MatchData match(
        pcre2_match_data_create_from_pattern_8(code_.get(), nullptr));
    if (match == nullptr) return absl::ResourceExhaustedError("out of memory");
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer_8(match.get());
    std::size_t done = 0;  // All text before this is in `pieces`.
    while (done < text.size()) {
      ASSIGN_OR_RETURN(const bool found, Next(text, done, match.get()));
      if (!found) break;
      const std::size_t start = bounds[0];
      const std::size_t end = bounds[1];
      APOLLO_CHECK(start >= done && end > start);
      if (start > done) add(text.substr(done, start - done), false);
      add(text.substr(start, end - start), true);
      done = end;
    }
    if (done < text.size()) add(text.substr(done), false);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next(std::string_view text, std::size_t from,
                            pcre2_match_data* match) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR8>(text.data());
    std::uint32_t options = PCRE2_NO_UTF_CHECK;
    int result = pcre2_match_8(code_.get(), subject, text.size(), from, options,
                               match, limits_.get());
    if (result ==
        PCRE2_ERROR_JIT_STACKLIMIT) {  // The interpreter uses the heap.
      options |= PCRE2_NO_JIT;
      result = pcre2_match_8(code_.get(), subject, text.size(), from, options,
                             match, limits_.get());
    }
    if (result >= 0) return true;
    if (result == PCRE2_ERROR_NOMATCH) return false;
    return absl::ResourceExhaustedError(
        absl::StrCat("the tokenizer's regular expression failed on this text: ",
                     ErrorText(result)));
  }

  const Code code_;
  const MatchContext limits_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Splitter>> MakeRegexSplitter(
    std::string_view pattern) {
  ASSIGN_OR_RETURN(const std::string translated, TranslateRegex(pattern));
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code(pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(translated.data()),
                            translated.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                            &error, &offset, nullptr));
  if (code == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("regular expression: ", ErrorText(error)));
  }
  // Oniguruma splits at every empty match, but no published tokenizer has such
  // a pattern.
  std::uint32_t may_be_empty = 0;
  pcre2_pattern_info_8(code.get(), PCRE2_INFO_MATCHEMPTY, &may_be_empty);
  if (may_be_empty != 0) {
    return absl::UnimplementedError(
        "regular expression: patterns that can match nothing are not "
        "supported");
  }
  // Falls back to the interpreter if the JIT is missing or not permitted.
  pcre2_jit_compile_8(code.get(), PCRE2_JIT_COMPLETE);
  MatchContext limits(pcre2_match_context_create_8(nullptr));
  if (limits == nullptr) return absl::ResourceExhaustedError("out of memory");
  pcre2_set_match_limit_8(limits.get(), kMatchLimit);
  pcre2_set_heap_limit_8(limits.get(), kHeapLimitKib);
  return std::make_unique<const RegexSplitter>(std::move(code),
                                               std::move(limits));
}

}  // namespace apollo
