// Compares normalization with plain ICU, and tests the ordering of marks that
// keeps it linear.
#include "model/tokenizer/nfc.h"

#include <gtest/gtest.h>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/utf8.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "common/json.h"
#include "model/tokenizer/mark_order.h"
#include "model/tokenizer/test_tokenizer.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

icu::UnicodeSet Set(const char* pattern) {
  UErrorCode error = U_ZERO_ERROR;
  icu::UnicodeSet set(icu::UnicodeString(pattern, -1, US_INV), error);
  EXPECT_TRUE(U_SUCCESS(error));
  return set;
}

void Append(UChar32 c, std::string* text) {
  icu::UnicodeString(c).toUTF8String(*text);
}

std::string Repeated(const std::string& unit, std::size_t bytes) {
  std::string text = "a";
  while (text.size() + unit.size() <= bytes) text += unit;
  return text;
}

// NormalizeNfc without the ordering of long runs.
std::string PlainIcu(const std::string& text) {
  static const icu::UnicodeSet* known = new icu::UnicodeSet(Set("[:age=9.0:]"));
  UErrorCode error = U_ZERO_ERROR;
  const icu::FilteredNormalizer2 nfc(*icu::Normalizer2::getNFCInstance(error),
                                     *known);
  std::string result;
  icu::StringByteSink<std::string> sink(&result);
  nfc.normalizeUTF8(0, text, sink, nullptr, error);
  EXPECT_TRUE(U_SUCCESS(error));
  return result;
}

TEST(NfcTest, RandomRunsOfMarksAreAsInIcu) {
  icu::UnicodeSet marks;
  for (UChar32 c = 0; c <= UCHAR_MAX_VALUE; ++c) {
    if (u_getIntPropertyValue(c, UCHAR_LEAD_CANONICAL_COMBINING_CLASS) != 0) {
      marks.add(c);
    }
  }
  ASSERT_GT(marks.size(), 800);
  // Characters that compose or decompose (U+0F73 into marks, with class 0
  // itself), Hangul, and characters newer than Unicode 9.0 (U+1ABF, U+0898,
  // U+08D3).
  const std::vector<UChar32> special = {
      0x300,  0x301,  0x302,  0x308, 0x316, 0x323, 0x338,   0x340,  0x343,
      0x344,  0x345,  0xF71,  0xF72, 0xF73, 0xF75, 0xF81,   0x93C,  0x94D,
      0x3099, 0x309A, 0x1ABF, 0x898, 0x8D3, 0x34F, 0x1D165, 0x110BA};
  const std::vector<UChar32> bases = {
      'a',    'e',    0xE9,   0x1EAB, 0x3B1, 0x1FA7, 0x1100, 0x1161,
      0x11A8, 0xAC00, 0xAC01, 0x304B, 0x928, 0x958,  0x212B, 0x1D15E,
      0x9C7,  0x9BE,  0xDC6,  ' ',    0x378, 0x1F600};
  std::mt19937 random(1);
  int long_runs = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (int runs = 1 + random() % 3; runs > 0; --runs) {
      if (random() % 8 != 0) Append(bases[random() % bases.size()], &text);
      const int length = random() % 201;
      const int few = 1 + random() % 6;  // Fewer kinds compose more often.
      UChar32 some[6];
      for (UChar32& c : some) {
        c = random() % 2 == 0 ? special[random() % special.size()]
                              : marks.charAt(random() % marks.size());
      }
      for (int i = 0; i < length; ++i) {
        Append(round % 2 == 0 ? some[random() % few]
                              : marks.charAt(random() % marks.size()),
               &text);
      }
      long_runs += length > kLongMarkRun;
    }
    std::string storage;
    const auto normal = NormalizeNfc(text, &storage);
    ASSERT_TRUE(normal.ok()) << normal.status();
    ASSERT_EQ(*normal, PlainIcu(text)) << testing::PrintToString(text);
  }
  EXPECT_GT(long_runs, 2500);
}

// Returns the number of steps of inserting each mark of the decomposed text.
std::uint64_t InsertionSteps(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(error);
  std::array<std::uint64_t, 256> run{};
  std::uint64_t steps = 0;
  const auto add = [&](UChar32 c) {
    const int combining_class = u_getCombiningClass(c);
    if (combining_class == 0) {
      run.fill(0);
      return;
    }
    for (int i = combining_class + 1; i < 256; ++i) steps += run[i];
    ++run[combining_class];
  };
  icu::UnicodeString parts;
  for (std::int32_t at = 0; at < static_cast<std::int32_t>(text.size());) {
    UChar32 c;
    U8_NEXT(text.data(), at, static_cast<std::int32_t>(text.size()), c);
    if (!nfd->getDecomposition(c, parts)) parts = icu::UnicodeString(c);
    for (int i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
      add(parts.char32At(i));
    }
  }
  return steps;
}

TEST(NfcTest, AMegabyteOfMarksOutOfOrderTakesAFewStepsForEach) {
  const icu::UnicodeSet known = Set("[:age=9.0:]");
  for (const char* unit : {"\u0301\u0316", "\u0344\u0316", "\u0f73", "\u0f81",
                           "\u0301\u0f73\u0316"}) {
    const std::string text = Repeated(unit, kMegabyte);
    EXPECT_GT(InsertionSteps(text), kMegabyte * 1000);
    std::string storage;
    EXPECT_LE(InsertionSteps(OrderLongMarkRuns(text, known, &storage)),
              kMegabyte);
  }
}

TEST(NfcTest, LeavesOrdinaryTextWhereItIs) {
  const icu::UnicodeSet known = Set("[:age=9.0:]");
  std::string storage;
  for (const std::string& text : {std::string(), std::string("caf\u0065\u0301"),
                                  Repeated("e\u0301\u0316", 1000)}) {
    EXPECT_EQ(OrderLongMarkRuns(text, known, &storage).data(), text.data());
  }
}

// Without the ordering this takes 100 s, more than the test's timeout. (The
// number of steps is tested above; this test shows that the ordering precedes
// all use of ICU.)
TEST(NfcTest, EncodesAMegabyteOfMarksOutOfOrder) {
  Json json = TestTokenizerJson();
  json["normalizer"] = {{"type", "NFC"}};
  const auto tokenizer = Tokenizer::Parse(json.dump(), "small.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text = Repeated("\u0301\u0316", kMegabyte);
  const auto ids = (*tokenizer)->Encode(text, SpecialText::kPlain);
  ASSERT_TRUE(ids.ok()) << ids.status();
  const auto back = (*tokenizer)->Decode(*ids, false);
  ASSERT_TRUE(back.ok()) << back.status();
  // Only the first U+0301 composes with the letter.
  const std::size_t pairs = (text.size() - 1) / 4;
  std::string expected = "\u00e1";
  for (std::size_t i = 0; i < pairs; ++i) expected += "\u0316";
  for (std::size_t i = 1; i < pairs; ++i) expected += "\u0301";
  EXPECT_TRUE(*back == expected);
}

}  // namespace
}  // namespace apollo
