#include "tools/upcycle/gguf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/upcycle/ggml_type.h"
#include "tools/upcycle/gguf_builder.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

// Holds the bytes in a buffer of exactly their size, so that AddressSanitizer
// detects an overrun.
class Parsed {
 public:
  explicit Parsed(const std::string& file) : bytes_(file.begin(), file.end()) {
    file_ = GgufFile::Parse(bytes_, "m.gguf");
  }
  bool ok() const { return file_.ok(); }
  const GgufFile& file() const { return *file_; }
  std::string error() const { return std::string(file_.status().message()); }

 private:
  std::vector<std::uint8_t> bytes_;
  absl::StatusOr<GgufFile> file_ = absl::UnknownError("");
};

std::string Error(const GgufBuilder& builder) {
  return Parsed(builder.Build()).error();
}

GgufBuilder OneTensor() {
  GgufBuilder builder;
  builder.AddTensor("w", {2, 3}, kGgmlF32,
                    GgufBuilder::Floats({1, 2, 3, 4, 5, 6}));
  return builder;
}

TEST(GgufFileTest, ReadsKeysOfEveryType) {
  GgufBuilder builder;
  builder.AddRaw("u8", 0, "\xff");
  builder.AddRaw("i8", 1, "\xff");
  builder.AddRaw("u16", 2, "\xff\xff");
  builder.AddRaw("i16", 3, "\xfe\xff");
  builder.AddU32("u32", 4'000'000'000);
  builder.AddRaw("i32", 5, "\xfd\xff\xff\xff");
  builder.AddF32("f32", 1.5f);
  builder.AddBool("yes", true);
  builder.AddString("text", "hello");
  builder.AddU64("u64", 1ull << 62);
  builder.AddRaw("i64", 11, std::string(8, '\xff'));
  builder.AddRaw("f64", 12, std::string("\0\0\0\0\0\0\x04\x40", 8));
  builder.AddStrings("words", {"a", "", "bc"});
  builder.AddI32s("ints", {3, -4});
  const Parsed parsed(builder.Build());
  ASSERT_TRUE(parsed.ok()) << parsed.error();
  const GgufFile& file = parsed.file();
  EXPECT_EQ(*file.GetInt("u8"), 255);
  EXPECT_EQ(*file.GetInt("i8"), -1);
  EXPECT_EQ(*file.GetInt("u16"), 65535);
  EXPECT_EQ(*file.GetInt("i16"), -2);
  EXPECT_EQ(*file.GetInt("u32"), 4'000'000'000);
  EXPECT_EQ(*file.GetInt("i32"), -3);
  EXPECT_EQ(*file.GetNumber("f32"), 1.5);
  EXPECT_EQ(*file.GetNumber("u8"), 255);
  EXPECT_TRUE(*file.GetBool("yes"));
  EXPECT_EQ(*file.GetString("text"), "hello");
  EXPECT_EQ(*file.GetInt("u64"), std::int64_t{1} << 62);
  EXPECT_EQ(*file.GetInt("i64"), -1);
  EXPECT_EQ(*file.GetNumber("f64"), 2.5);
  EXPECT_EQ(*file.GetStrings("words"),
            (std::vector<std::string_view>{"a", "", "bc"}));
  EXPECT_EQ(*file.GetInts("ints"), (std::vector<std::int64_t>{3, -4}));
  EXPECT_TRUE(file.Has("text"));
  EXPECT_FALSE(file.Has("nothing"));

  EXPECT_EQ(file.GetInt("nothing").status().message(),
            "m.gguf: key \"nothing\" is missing");
  EXPECT_EQ(file.GetInt("text").status().message(),
            "m.gguf: key \"text\" is not an integer");
  EXPECT_FALSE(file.GetInt("f32").ok());
  EXPECT_FALSE(file.GetNumber("yes").ok());
  EXPECT_FALSE(file.GetBool("u8").ok());
  EXPECT_FALSE(file.GetString("words").ok());
  EXPECT_FALSE(file.GetStrings("ints").ok());
  EXPECT_FALSE(file.GetInts("words").ok());
  EXPECT_FALSE(file.GetInts("u8").ok());
}

TEST(GgufFileTest, ReadsTensors) {
  for (const std::uint32_t version : {2u, 3u}) {
    GgufBuilder builder = OneTensor();
    builder.version = version;
    builder.AddTensor("q", {64, 2}, kGgmlQ8_0, std::string(4 * 34, '\1'));
    builder.AddTensor("unreadable", {256}, 16, std::string(66, '\1'));
    builder.AddTensor("removed", {256}, 4, "");
    const Parsed parsed(builder.Build());
    ASSERT_TRUE(parsed.ok()) << parsed.error();
    const GgufTensor* w = parsed.file().FindTensor("w");
    ASSERT_NE(w, nullptr);
    EXPECT_EQ(w->shape, (std::vector<std::int64_t>{3, 2}));
    EXPECT_EQ(w->row_elements(), 2);
    EXPECT_EQ(w->num_rows(), 3);
    EXPECT_EQ(w->data.size(), 24u);
    EXPECT_EQ(w->data[2], 0x80);  // 1.0f
    EXPECT_EQ(parsed.file().FindTensor("q")->data.size(), 4 * 34u);
    EXPECT_FALSE(parsed.file().FindTensor("unreadable")->type->readable());
    EXPECT_EQ(parsed.file().FindTensor("unreadable")->data.size(), 66u);
    EXPECT_TRUE(parsed.file().FindTensor("removed")->data.empty());
    EXPECT_EQ(parsed.file().FindTensor("x"), nullptr);
  }
}

TEST(GgufFileTest, HonoursTheAlignment) {
  GgufBuilder builder;
  builder.AddU32("general.alignment", 8);
  builder.AddTensor("w", {1}, kGgmlF32, GgufBuilder::Floats({7}));
  builder.AddTensorAt("v", {1}, kGgmlF32, 8);
  const Parsed parsed(builder.Build());
  ASSERT_TRUE(parsed.ok()) << parsed.error();
  for (const std::uint32_t alignment : {0u, 3u, 1u << 21, 0xffffffffu}) {
    GgufBuilder bad = OneTensor();
    bad.AddU32("general.alignment", alignment);
    EXPECT_THAT(Error(bad), HasSubstr("key \"general.alignment\""));
  }
}

TEST(GgufFileTest, NeverReadsPastATruncatedFile) {
  GgufBuilder builder;
  builder.AddU32("n", 1);
  builder.AddString("s", "hello");
  builder.AddStrings("words", {"a", "b"});
  builder.AddI32s("ints", {1, 2});
  // Ends exactly at the end of the file: 32 bytes need no padding.
  builder.AddTensor("w", {8}, kGgmlF32, std::string(32, '\1'));
  const std::string whole = builder.Build();
  ASSERT_TRUE(Parsed(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Parsed parsed(whole.substr(0, size));
    ASSERT_FALSE(parsed.ok()) << size;
    ASSERT_THAT(parsed.error(), HasSubstr("m.gguf")) << size;
  }
}

TEST(GgufFileTest, RefusesOtherFilesAndVersions) {
  EXPECT_THAT(Parsed("PK\3\4 and so on").error(),
              HasSubstr("m.gguf: not a GGUF file"));
  EXPECT_EQ(
      [] {
        GgufBuilder builder = OneTensor();
        builder.version = 0x02000000;
        return Error(builder);
      }(),
      "m.gguf: the file is big-endian (GGUF version 2); only little-endian "
      "files "
      "can be read");
  for (const std::uint32_t version : {0u, 1u, 4u}) {
    GgufBuilder builder;
    builder.version = version;
    EXPECT_THAT(Error(builder), HasSubstr("m.gguf: GGUF version"));
  }
}

TEST(GgufFileTest, LyingCountsEndQuickly) {
  const std::uint64_t huge = ~std::uint64_t{0} - 10;
  GgufBuilder keys = OneTensor();
  keys.extra_keys = huge;
  EXPECT_FALSE(Parsed(keys.Build()).ok());
  GgufBuilder tensors = OneTensor();
  tensors.extra_tensors = huge;
  EXPECT_FALSE(Parsed(tensors.Build()).ok());
  for (const std::uint32_t type : {0u, 5u, 8u, 9u, 10u}) {
    GgufBuilder array;
    array.AddRaw("a", 9, GgufBuilder::U32(type) + GgufBuilder::U64(huge));
    EXPECT_THAT(Error(array), HasSubstr("m.gguf: key \"a\": ")) << type;
  }
  GgufBuilder text;
  text.AddRaw("s", 8, GgufBuilder::U64(huge));
  EXPECT_THAT(Error(text), HasSubstr("key \"s\": the file ends too early"));
}

TEST(GgufFileTest, RefusesValuesThatAreNotValid) {
  GgufBuilder boolean;
  boolean.AddRaw("b", 7, "\2");
  EXPECT_THAT(Error(boolean),
              HasSubstr("key \"b\": a bool must be 0 or 1, is 2"));
  GgufBuilder unknown;
  unknown.AddRaw("x", 13, "");
  EXPECT_THAT(Error(unknown), HasSubstr("key \"x\": unknown value type 13"));
  GgufBuilder element;
  element.AddRaw("n", 9, GgufBuilder::U32(13) + GgufBuilder::U64(1));
  EXPECT_THAT(Error(element),
              HasSubstr("key \"n\": an array of values of unknown type 13"));
  GgufBuilder twice;
  twice.AddU32("k", 1);
  twice.AddU32("k", 1);
  EXPECT_THAT(Error(twice), HasSubstr("key \"k\" occurs twice"));
}

// Returns an array in an array and so on, with `depth` arrays.
std::string Nested(int depth) {
  std::string bytes =
      GgufBuilder::U32(4) + GgufBuilder::U64(1) + GgufBuilder::U32(7);
  for (int i = 1; i < depth; ++i) {
    bytes = GgufBuilder::U32(9) + GgufBuilder::U64(1) + bytes;
  }
  return bytes;
}

TEST(GgufFileTest, ValuesThatNobodyReadsMayHaveAnyTypeAndSize) {
  GgufBuilder builder;
  builder.AddRaw("nested", 9, Nested(8));
  builder.AddU64("large", ~std::uint64_t{0});
  builder.AddStrings("no strings", {});
  builder.AddI32s("no numbers", {});
  builder.AddString("", "");
  builder.AddStrings("long", std::vector<std::string>(100000, "x"));
  builder.AddU32("after", 5);
  const Parsed parsed(builder.Build());
  ASSERT_TRUE(parsed.ok()) << parsed.error();
  const GgufFile& file = parsed.file();
  EXPECT_EQ(*file.GetInt("after"), 5);
  EXPECT_EQ(*file.GetString(""), "");
  EXPECT_TRUE(file.GetStrings("no strings")->empty());
  EXPECT_TRUE(file.GetInts("no numbers")->empty());
  EXPECT_EQ(file.GetStrings("long")->size(), 100000u);
  EXPECT_EQ(*file.GetNumber("large"), 18446744073709551615.0);
  EXPECT_EQ(file.GetInt("large").status().message(),
            "m.gguf: key \"large\" is too large: 18446744073709551615");
  EXPECT_FALSE(file.GetInts("nested").ok());
  EXPECT_FALSE(file.GetStrings("nested").ok());

  GgufBuilder deep;
  deep.AddRaw("nested", 9, Nested(9));
  EXPECT_THAT(Error(deep), HasSubstr("key \"nested\": arrays of arrays are "
                                     "nested deeper than 8"));
}

TEST(GgufFileTest, NamesABrokenTensor) {
  const auto with = [](const std::vector<std::uint64_t>& dimensions,
                       std::uint32_t type, std::uint64_t offset) {
    GgufBuilder builder = OneTensor();
    builder.AddTensorAt("bad", dimensions, type, offset);
    return Error(builder);
  };
  const std::string where = "m.gguf: tensor \"bad\": ";
  EXPECT_THAT(with({}, kGgmlF32, 0), HasSubstr(where + "0 dimensions"));
  EXPECT_THAT(with({1, 1, 1, 1, 1}, kGgmlF32, 0),
              HasSubstr(where + "5 dimensions"));
  EXPECT_THAT(with({0}, kGgmlF32, 0), HasSubstr(where + "dimension 0 of 0"));
  EXPECT_THAT(with({1ull << 62, 8}, kGgmlF32, 0),
              HasSubstr(where + "dimension 1 of 8"));
  EXPECT_THAT(with({1ull << 63}, kGgmlF32, 0),
              HasSubstr(where + "dimension 0"));
  EXPECT_THAT(
      with({1ull << 62}, kGgmlF32, 0),
      HasSubstr(where + "shape [4611686018427387904] cannot be stored"));
  EXPECT_THAT(with({48}, kGgmlQ4_1, 0),
              HasSubstr(where + "shape [48] cannot be stored as Q4_1"));
  // The data of types that cannot be read must be in the file, too.
  EXPECT_THAT(with({256}, 16, 0),
              HasSubstr(where + "66 bytes at offset 0 reach"));
  EXPECT_THAT(
      with({32}, 4711, 0),
      HasSubstr(where + "unknown quantisation, type 4711; readable are F32"));
  EXPECT_THAT(
      with({2}, kGgmlF32, 4),
      HasSubstr(where + "offset 4 is not a multiple of the alignment, 32"));
  EXPECT_THAT(
      with({2}, kGgmlF32, 64),
      HasSubstr(where + "8 bytes at offset 64 reach beyond the 32 bytes"));
  EXPECT_THAT(with({2}, kGgmlF32, ~std::uint64_t{31}),
              HasSubstr(where + "8 bytes at offset"));
  EXPECT_THAT(with({9}, kGgmlF32, 0), HasSubstr("reach beyond the 32 bytes"));
  EXPECT_THAT(with({2}, kGgmlF32, 0),
              HasSubstr("its data overlaps that of another tensor"));
  GgufBuilder twice = OneTensor();
  twice.AddTensor("w", {1}, kGgmlF32, GgufBuilder::Floats({1}));
  EXPECT_EQ(Error(twice), "m.gguf: tensor \"w\" occurs twice");
}

}  // namespace
}  // namespace apollo
