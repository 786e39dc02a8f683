#include "model/tokenizer/nfc.h"

#include <absl/strings/str_cat.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include "model/tokenizer/mark_order.h"

namespace apollo {
namespace {

constexpr char kKnownCharacters[] =
    "[:age=9.0:]";  // Assigned in 9.0 or earlier.

// The normalizers of one form.
struct Normalizers {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* newest;
  icu::UnicodeSet known;
  // Leaves characters outside `known` unchanged and treats them as starters.
  icu::FilteredNormalizer2 filtered;

  explicit Normalizers(const icu::Normalizer2* (*get)(UErrorCode&))
      : newest(get(error)),
        known(icu::UnicodeString(kKnownCharacters, -1, US_INV), error),
        filtered(*newest, *known.freeze()) {}

  static const Normalizers& Get(UnicodeForm form) {
    using icu::Normalizer2;
    switch (form) {
      case UnicodeForm::kNfd: {
        static const Normalizers nfd(&Normalizer2::getNFDInstance);
        return nfd;
      }
      case UnicodeForm::kNfkc: {
        static const Normalizers nfkc(&Normalizer2::getNFKCInstance);
        return nfkc;
      }
      case UnicodeForm::kNfkd: {
        static const Normalizers nfkd(&Normalizer2::getNFKDInstance);
        return nfkd;
      }
      case UnicodeForm::kNfc:
        break;
    }
    static const Normalizers nfc(&Normalizer2::getNFCInstance);
    return nfc;
  }
};

}  // namespace

absl::StatusOr<std::string_view> NormalizeNfc(std::string_view text,
                                              std::string* storage) {
  return NormalizeUnicode(UnicodeForm::kNfc, text, storage);
}

absl::StatusOr<std::string_view> NormalizeUnicode(UnicodeForm form,
                                                  std::string_view text,
                                                  std::string* storage) {
  const Normalizers& normalizers = Normalizers::Get(form);
  UErrorCode error = normalizers.error;
  if (U_FAILURE(error)) {
    return absl::InternalError(
        absl::StrCat("ICU cannot normalise: ", u_errorName(error)));
  }
  std::string ordered;
  const std::string_view input =
      OrderLongMarkRuns(text, normalizers.known, &ordered);
  // Fast path: text that is normalized under the newest data is normalized
  // under the older data too, because marks unknown to the older data only
  // separate.
  const auto piece = [](std::string_view s) {
    return icu::StringPiece(s.data(), static_cast<int32_t>(s.size()));
  };
  if (input.data() == text.data() &&
      normalizers.newest->isNormalizedUTF8(piece(text), error)) {
    return text;
  }
  storage->clear();
  storage->reserve(text.size());
  icu::StringByteSink<std::string> sink(storage);
  normalizers.filtered.normalizeUTF8(0, piece(input), sink, nullptr, error);
  if (U_FAILURE(error)) {
    return absl::InternalError(
        absl::StrCat("ICU cannot normalise: ", u_errorName(error)));
  }
  return *storage;
}

}  // namespace apollo
