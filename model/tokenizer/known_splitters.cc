// Hand-written scanners for the patterns in known_patterns.h. Each Next() below
// tries the alternatives of its pattern in order; known_splitters_test.cc
// compares them with the regular expression over all of Unicode.
#include "model/tokenizer/known_splitters.h"

#include <string_view>

#include "model/tokenizer/char_class.h"
#include "model/tokenizer/known_patterns.h"

namespace apollo {
namespace {

using Character = CharClasses::Character;

// The common parts of the patterns. All positions are pointers into the text,
// and no function reads at or after `end`.
class Scanner {
 public:
  explicit Scanner(const char* end) : classes_(CharClasses::Get()), end_(end) {}

 protected:
  Character At(const char* p) const { return classes_.First(p); }

  // Returns the end of the run of characters with a class in `mask`.
  const char* SkipClass(const char* p, std::uint8_t mask) const {
    while (p < end_) {
      const Character c = At(p);
      if ((c.char_class & mask) == 0) break;
      p += c.size;
    }
    return p;
  }

  // [^\s\p{L}\p{N}]*
  const char* SkipOther(const char* p) const {
    while (p < end_) {
      const Character c = At(p);
      if (c.char_class != kOther) break;
      p += c.size;
    }
    return p;
  }

  // \s+(?!\S)|\s+ : the whole run if it ends the text, else all but its last
  // character, which belongs to the next word; a single character is kept.
  const char* Spaces(const char* p) const {
    const char* last = p;
    const char* q = p;
    while (q < end_) {
      const Character c = At(q);
      if ((c.char_class & kSpace) == 0) break;
      last = q;
      q += c.size;
    }
    return q == end_ || last == p ? q : last;
  }

  // 's|'t|'re|'ve|'m|'ll|'d : returns the end of the match at p (a '), or p.
  template <bool kIgnoreCase>
  const char* Contraction(const char* p) const {
    if (end_ - p < 2) return p;
    const auto letter = [](char c) {
      return kIgnoreCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32)
                                                 : c;
    };
    const char a = letter(p[1]);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
    if (end_ - p < 3) return p;
    const char b = letter(p[2]);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') ||
        (a == 'l' && b == 'l')) {
      return p + 3;
    }
    // U+017F, the long s, equals s if case is ignored.
    if (kIgnoreCase && p[1] == '\xC5' && p[2] == '\xBF') return p + 3;
    return p;
  }

  const CharClasses& classes_;
  const char* const end_;
};

class Gpt2Scanner : public Scanner {
 public:
  using Scanner::Scanner;

  // Returns the end of the match at p, which is before the end of the text.
  const char* Next(const char* p) const {
    if (*p == '\'') {
      const char* q = Contraction<false>(p);
      if (q != p) return q;
    }
    Character c = At(p);
    const char* word = p;
    if (*p == ' ' &&
        p + 1 < end_) {  // The optional space of three alternatives.
      const Character next = At(p + 1);
      if ((next.char_class & kSpace) == 0) {
        ++word;
        c = next;
      }
    }
    if ((c.char_class & kSpace) != 0) return Spaces(p);
    if (c.char_class == kOther) return SkipOther(word + c.size);
    return SkipClass(word + c.size, c.char_class);
  }
};

template <int kDigits>  // \p{N}{1,kDigits}
class Qwen2Scanner : public Scanner {
 public:
  using Scanner::Scanner;

  const char* Next(const char* p) const {
    if (*p == '\'') {
      const char* q = Contraction<true>(p);
      if (q != p) return q;
    }
    const Character c = At(p);
    const char* rest = p + c.size;
    if (c.char_class == kLetter) return SkipClass(rest, kLetter);
    if (c.char_class == kNumber) return Digits(rest);
    Character next = {kSpace, 0};  // As if white space followed the text.
    if (rest < end_) next = At(rest);
    if (next.char_class == kLetter && (c.char_class & kNewline) == 0) {
      return SkipClass(rest + next.size, kLetter);
    }
    if (c.char_class == kOther) return Others(rest);
    if (*p == ' ' && next.char_class == kOther) return Others(rest + next.size);
    return SpacesOrNewlines(p);
  }

 private:
  const char* Digits(const char* p) const {
    for (int i = 1; i < kDigits && p < end_; ++i) {
      const Character c = At(p);
      if (c.char_class != kNumber) break;
      p += c.size;
    }
    return p;
  }

  // [^\s\p{L}\p{N}]*[\r\n]*
  const char* Others(const char* p) const {
    return SkipClass(SkipOther(p), kNewline);
  }

  // \s*[\r\n]+|\s+(?!\S)|\s+ : up to the last line break of the run, if it has
  // one.
  const char* SpacesOrNewlines(const char* p) const {
    const char* line_end = nullptr;
    const char* last = p;
    const char* q = p;
    while (q < end_) {
      const Character c = At(q);
      if ((c.char_class & kSpace) == 0) break;
      last = q;
      q += c.size;
      if ((c.char_class & kNewline) != 0) line_end = q;
    }
    if (line_end != nullptr) return line_end;
    return q == end_ || last == p ? q : last;
  }
};

template <typename Scanner>
class KnownSplitter final : public Splitter {
 public:
  absl::Status Split(std::string_view text,
                     std::vector<std::string_view>* pieces) const override {
    const char* p = text.data();
    const char* const end = p + text.size();
    const Scanner scanner(end);
    while (p < end) {
      const char* next = scanner.Next(p);
      pieces->emplace_back(p, next - p);
      p = next;
    }
    return absl::OkStatus();
  }
};

class DigitsSplitter final : public Splitter {
 public:
  explicit DigitsSplitter(bool individual) : individual_(individual) {}

  absl::Status Split(std::string_view text,
                     std::vector<std::string_view>* pieces) const override {
    const CharClasses& classes = CharClasses::Get();
    const char* p = text.data();
    const char* const end = p + text.size();
    const char* start = p;  // Start of the current piece.
    bool digits = false;    // The current piece consists of digits.
    while (p < end) {
      const Character c = classes.First(p);
      const bool digit = classes.IsRustNumber(p, c);
      if (p > start && (digit != digits || (digit && individual_))) {
        pieces->emplace_back(start, p - start);
        start = p;
      }
      digits = digit;
      p += c.size;
    }
    if (p > start) pieces->emplace_back(start, p - start);
    return absl::OkStatus();
  }

 private:
  const bool individual_;
};

}  // namespace

std::unique_ptr<const Splitter> MakeKnownSplitter(std::string_view pattern) {
  if (pattern == kGpt2Pattern) {
    return std::make_unique<const KnownSplitter<Gpt2Scanner>>();
  }
  if (pattern == kQwen2Pattern) {
    return std::make_unique<const KnownSplitter<Qwen2Scanner<1>>>();
  }
  if (pattern == kLlama3Pattern) {
    return std::make_unique<const KnownSplitter<Qwen2Scanner<3>>>();
  }
  return nullptr;
}

std::unique_ptr<const Splitter> MakeDigitsSplitter(bool individual) {
  return std::make_unique<const DigitsSplitter>(individual);
}

}  // namespace apollo
