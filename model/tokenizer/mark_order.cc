#include "model/tokenizer/mark_order.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace apollo {
namespace {

// All characters below U+0300 are starters. Their UTF-8 begins below this byte.
constexpr unsigned char kFirstMarkByte = 0xCC;

// Returns true for marks, and for characters that decompose into marks only:
// U+0F73, U+0F75 and U+0F81 have class 0, but their decompositions are ordered
// with the surrounding marks.
bool IsMark(UChar32 c, const icu::UnicodeSet& known) {
  return u_getIntPropertyValue(c, UCHAR_LEAD_CANONICAL_COMBINING_CLASS) != 0 &&
         known.contains(c);
}

// Returns true if the text may contain a long run. A mark has at least two
// bytes, so a long run covers a multiple of that many bytes.
bool MayHoldLongRun(std::string_view text, const icu::UnicodeSet& known) {
  constexpr std::int32_t kStep = 2 * kLongMarkRun;
  const auto size = static_cast<std::int32_t>(text.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t probe = 0; probe < size; probe += kStep) {
    std::int32_t at = probe;
    U8_SET_CP_START(bytes, 0, at);
    if (bytes[at] < kFirstMarkByte) continue;
    UChar32 c;
    U8_NEXT(bytes, at, size, c);
    if (c >= 0 && IsMark(c, known)) return true;
  }
  return false;
}

struct Mark {
  std::uint8_t combining_class;
  UChar32 character;
};

std::vector<Mark> Decomposed(std::string_view run,
                             const icu::Normalizer2& nfd) {
  std::vector<Mark> marks;
  icu::UnicodeString parts;
  const auto add = [&marks](UChar32 c) {
    marks.push_back({u_getCombiningClass(c), c});
  };
  const auto size = static_cast<std::int32_t>(run.size());
  for (std::int32_t at = 0; at < size;) {
    UChar32 c;
    U8_NEXT(run.data(), at, size, c);
    if (!nfd.getDecomposition(c, parts)) {
      add(c);
      continue;
    }
    for (std::int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
      add(parts.char32At(i));
    }
  }
  return marks;
}

void AppendOrdered(std::string_view run, const icu::Normalizer2& nfd,
                   std::string* out) {
  std::vector<Mark> marks = Decomposed(run, nfd);
  std::stable_sort(marks.begin(), marks.end(),
                   [](const Mark& a, const Mark& b) {
                     return a.combining_class < b.combining_class;
                   });
  for (const Mark& mark : marks) {
    char bytes[U8_MAX_LENGTH];
    std::int32_t length = 0;
    U8_APPEND_UNSAFE(bytes, length, mark.character);
    out->append(bytes, length);
  }
}

}  // namespace

std::string_view OrderLongMarkRuns(std::string_view text,
                                   const icu::UnicodeSet& known,
                                   std::string* storage) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(error);
  if (U_FAILURE(error) || !MayHoldLongRun(text, known)) return text;
  storage->clear();
  const auto size = static_cast<std::int32_t>(text.size());
  // Bytes of `text` that have been copied to `storage`.
  std::int32_t copied = 0;
  // Start of the run that ends at the next starter.
  std::int32_t run_start = 0;
  int run_length = 0;
  const auto end_run = [&](std::int32_t end) {
    if (run_length > kLongMarkRun) {
      storage->append(text.substr(copied, run_start - copied));
      AppendOrdered(text.substr(run_start, end - run_start), *nfd, storage);
      copied = end;
    }
    run_length = 0;
  };
  for (std::int32_t at = 0; at < size;) {
    const std::int32_t start = at;
    bool mark = false;
    if (static_cast<unsigned char>(text[at]) < kFirstMarkByte) {
      // A continuation byte outside a character.
      ++at;
    } else {
      UChar32 c;
      U8_NEXT(text.data(), at, size, c);
      mark = c >= 0 && IsMark(c, known);
    }
    if (!mark) {
      end_run(start);
    } else if (run_length++ == 0) {
      run_start = start;
    }
  }
  end_run(size);
  if (copied == 0) return text;
  storage->append(text.substr(copied));
  return *storage;
}

}  // namespace apollo
