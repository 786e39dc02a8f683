#include "model/safetensors/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace apollo {
namespace {

using ::testing::HasSubstr;

std::string LengthOf(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>(length >> 8 * i));
  return bytes;
}

std::string File(const std::string& header, std::size_t data_bytes) {
  return LengthOf(header.size()) + header + std::string(data_bytes, '\x11');
}

absl::StatusOr<TensorMap> Parse(const std::string& file) {
  // A buffer of exactly this size, so that AddressSanitizer detects an overrun.
  const std::vector<std::uint8_t> bytes(file.begin(), file.end());
  absl::StatusOr<TensorMap> tensors = ParseSafetensors(bytes, "m.safetensors");
  if (tensors.ok()) {
    std::uint64_t sum = 0;
    for (const auto& [name, view] : *tensors) {
      for (const std::uint8_t byte : view.data) sum += byte;
      if (view.dtype == DType::kOther) continue;
      EXPECT_EQ(view.data.size(), static_cast<std::size_t>(view.NumElements()) *
                                      DTypeSize(view.dtype));
    }
    EXPECT_EQ(sum % 0x11, 0u);
  }
  return tensors;
}

TEST(ParseSafetensorsTest, ReadsTensorsAndMetadata) {
  const auto tensors = Parse(File(
      R"({"__metadata__": {"format": "pt"},
          "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [4, 16]},
          "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
          "c": {"dtype": "I64", "shape": [0, 7], "data_offsets": [16, 16]}}   )",
      16));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 3u);
  const TensorView& b = tensors->at("b");
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.dtype, DType::kBF16);
  EXPECT_EQ(b.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(b.data.size(), 12u);
  EXPECT_EQ(b.Where(), "m.safetensors: tensor \"b\"");
  EXPECT_EQ(tensors->at("a").NumElements(), 1);
  EXPECT_EQ(tensors->at("c").dtype, DType::kOther);
  EXPECT_EQ(tensors->at("c").dtype_name, "I64");
}

// Sizes according to version 0.8 of the Python package.
TEST(ParseSafetensorsTest, KnowsTheSizesOfAllTypes) {
  const struct {
    const char* dtype;
    std::size_t bytes;  // Of eight elements.
  } kCases[] = {
      {"F4", 4},          {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8},
      {"F8_E5M2", 8},     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I8", 8},      {"U8", 8},      {"I16", 16},
      {"U16", 16},        {"F16", 16},    {"BF16", 16},   {"I32", 32},
      {"U32", 32},        {"F32", 32},    {"I64", 64},    {"U64", 64},
      {"F64", 64},        {"C64", 64}};
  for (const auto& c : kCases) {
    for (const int more : {0, 1}) {
      const std::size_t bytes = c.bytes + static_cast<std::size_t>(more);
      const auto tensors =
          Parse(File(std::string(R"({"x": {"dtype": ")") + c.dtype +
                         R"(", "shape": [2, 4], "data_offsets": [0, )" +
                         std::to_string(bytes) + "]}}",
                     bytes));
      EXPECT_EQ(tensors.ok(), more == 0) << c.dtype << tensors.status();
    }
  }
}

// Of another version of the format, whose sizes are not known.
TEST(ParseSafetensorsTest, AnUnknownTypeIsNoObstacle) {
  const auto tensors = Parse(
      File(R"({"x": {"dtype": "F3_E1M1", "shape": [8], "data_offsets": [0, 3]},
               "y": {"dtype": "F16", "shape": [2], "data_offsets": [3, 7]}})",
           7));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ(tensors->at("x").dtype, DType::kOther);
  EXPECT_EQ(tensors->at("x").dtype_name, "F3_E1M1");
  EXPECT_EQ(tensors->at("y").data.size(), 4u);
}

TEST(ParseSafetensorsTest, AnEmptyHeaderHasNoTensors) {
  const auto tensors = Parse(File("{}", 0));
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_TRUE(tensors->empty());
}

TEST(ParseSafetensorsTest, NeverReadsPastATruncatedFile) {
  const std::string whole = File(
      R"({"x": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}})", 8);
  ASSERT_TRUE(Parse(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto tensors = Parse(whole.substr(0, size));
    ASSERT_FALSE(tensors.ok()) << size;
    EXPECT_THAT(tensors.status().message(), HasSubstr("m.safetensors")) << size;
  }
}

TEST(ParseSafetensorsTest, RefusesALyingHeaderLength) {
  const std::string header = "{}";
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'000},
        std::uint64_t{100'000'001}, std::uint64_t{1} << 63,
        ~std::uint64_t{0}}) {
    EXPECT_FALSE(Parse(LengthOf(length) + header).ok()) << length;
  }
  EXPECT_FALSE(Parse(LengthOf(0) + header).ok());
  EXPECT_FALSE(Parse(LengthOf(1) + header).ok());
}

// An invalid description of tensor "x", followed by 16 bytes of data.
struct BrokenTensor {
  const char* json;
  const char* message;  // After `m.safetensors: tensor "x"`.
};

class BrokenTensorTest : public testing::TestWithParam<BrokenTensor> {};

TEST_P(BrokenTensorTest, IsRefusedByNameAndReason) {
  const auto tensors =
      Parse(File(std::string("{\"x\": ") + GetParam().json + "}", 16));
  ASSERT_FALSE(tensors.ok());
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tensors.status().message(),
            std::string("m.safetensors: tensor \"x\": ") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Headers, BrokenTensorTest,
    testing::Values(
        BrokenTensor{"3", "must be an object, is 3"},
        BrokenTensor{"[]", "must be an object, is a value of type array"},
        BrokenTensor{"null", "must be an object, is a value of type null"},
        BrokenTensor{"{}", "dtype is missing"},
        BrokenTensor{R"({"dtype": 4, "shape": [4], "data_offsets": [0, 16]})",
                     "dtype must be a string, is 4"},
        BrokenTensor{
            R"({"dtype": "F 3", "shape": [4], "data_offsets": [0, 16]})",
            "dtype is not the name of a type; F32, F16 and BF16 can be used"},
        BrokenTensor{
            R"({"dtype": "", "shape": [4], "data_offsets": [0, 16]})",
            "dtype is not the name of a type; F32, F16 and BF16 can be used"},
        BrokenTensor{
            R"({"dtype": "F4", "shape": [5], "data_offsets": [0, 3]})",
            "shape [5] of F4 needs 20 bits, which are not whole bytes"},
        BrokenTensor{
            R"({"dtype": "F6_E2M3", "shape": [8], "data_offsets": [0, 8]})",
            "data_offsets [0, 8] hold 8 bytes, but shape [8] of F6_E2M3 needs "
            "6"},
        BrokenTensor{R"({"dtype": "F32", "data_offsets": [0, 16]})",
                     "shape is missing"},
        BrokenTensor{R"({"dtype": "F32", "shape": [4]})",
                     "data_offsets is missing"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": {"a": 4}, "data_offsets": [0, 16]})",
            "shape must be an array, is a value of type object"},
        BrokenTensor{R"({"dtype": "F32", "shape": 4, "data_offsets": [0, 16]})",
                     "shape must be an array, is 4"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]})",
            "shape must hold whole numbers from 0, holds -4"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]})",
            "shape must hold whole numbers from 0, holds 4.0"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": ["4"], "data_offsets": [0, 16]})",
            "shape must hold whole numbers from 0, holds a value of type "
            "string"},
        BrokenTensor{R"({"dtype": "F32", "shape": [4611686018427387904, 8],
                         "data_offsets": [0, 16]})",
                     "shape is too large: its size overflows"},
        BrokenTensor{R"({"dtype": "F32", "shape": [4294967296, 4294967296],
                         "data_offsets": [0, 0]})",
                     "shape is too large: its size overflows"},
        BrokenTensor{R"({"dtype": "F32", "shape": [4611686018427387904],
                         "data_offsets": [0, 0]})",
                     "shape is too large: its size overflows"},
        BrokenTensor{R"({"dtype": "F32", "shape": [18446744073709551615],
                         "data_offsets": [0, 16]})",
                     "shape holds 18446744073709551615, which is too large"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,
                         4], "data_offsets": [0, 16]})",
            "shape has 17 dimensions; at most 16 are accepted"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [0]})",
            "data_offsets must be an array of two numbers, begin and end"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 8, 16]})",
            "data_offsets must be an array of two numbers, begin and end"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": "0-16"})",
            "data_offsets must be an array of two numbers, begin and end"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [null, 16]})",
            "data_offsets must hold whole numbers from 0, holds a value of "
            "type "
            "null"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]})",
            "data_offsets must hold whole numbers from 0, holds -16"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [1], "data_offsets": [8, 4]})",
            "data_offsets [8, 4]: the end is before the beginning"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [4, 20]})",
            "data_offsets [4, 20] reach beyond the 16 bytes of data in "
            "the file"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4],
                         "data_offsets": [9223372036854775807, 9223372036854775807]})",
            "data_offsets [9223372036854775807, 9223372036854775807] reach "
            "beyond the 16 bytes of data in the file"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4],
                         "data_offsets": [0, 18446744073709551615]})",
            "data_offsets holds 18446744073709551615, which is too large"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 15]})",
            "data_offsets [0, 15] hold 15 bytes, but shape [4] of F32 needs "
            "16"},
        BrokenTensor{
            R"({"dtype": "F16", "shape": [4], "data_offsets": [0, 16]})",
            "data_offsets [0, 16] hold 16 bytes, but shape [4] of F16 needs "
            "8"},
        BrokenTensor{R"({"dtype": "F32", "shape": [4], "data_offsets": [0, 16],
                         "extra": 1})",
                     "has a key other than dtype, shape and data_offsets"},
        BrokenTensor{
            R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 16]})",
            "data_offsets begin at 8, leaving a gap after the tensor before "
            "it, which ends at 0"}));

TEST(ParseSafetensorsTest, RefusesOverlapGapAndUnusedEnd) {
  const std::string x =
      R"("x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})";
  const auto with = [&](const std::string& other, std::size_t bytes) {
    return Parse(File("{" + x + ", " + other + "}", bytes)).status();
  };
  EXPECT_TRUE(
      with(R"("y": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]})",
           16)
          .ok());
  EXPECT_EQ(
      with(R"("y": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]})",
           12)
          .message(),
      "m.safetensors: tensor \"y\": data_offsets begin at 4, inside the tensor "
      "before it, which ends at 8");
  EXPECT_FALSE(
      with(R"("y": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})", 8)
          .ok());
  EXPECT_EQ(
      with(R"("y": {"dtype": "F32", "shape": [1], "data_offsets": [12, 16]})",
           16)
          .message(),
      "m.safetensors: tensor \"y\": data_offsets begin at 12, leaving a gap "
      "after "
      "the tensor before it, which ends at 8");
  EXPECT_EQ(
      Parse(File("{" + x + "}", 9)).status().message(),
      "m.safetensors: the tensors end at byte 8 of the data, but the file has "
      "9");
}

TEST(ParseSafetensorsTest, RefusesADuplicateName) {
  const std::string x =
      R"("x": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]})";
  EXPECT_THAT(Parse(File("{" + x + ", " + x + "}", 4)).status().message(),
              HasSubstr("m.safetensors: header: duplicate key"));
}

TEST(ParseSafetensorsTest, RefusesHeadersThatAreNotAnObject) {
  for (const char* header : {"[]", "3", "\"x\"", "null", "", " ", "{", "{}{}",
                             "}", "{\"x\"}", "\xff\xfe"}) {
    EXPECT_FALSE(Parse(File(header, 0)).ok()) << header;
  }
}

TEST(ParseSafetensorsTest, RefusesDeepNesting) {
  const std::string deep = "{\"x\": " + std::string(1'000'000, '[');
  EXPECT_EQ(Parse(File(deep, 0)).status().message(),
            "m.safetensors: header: JSON nested deeper than 3");
}

TEST(ParseSafetensorsTest, RefusesMetadataThatIsNotStrings) {
  for (const char* metadata : {"[]", "1", "{\"a\": 1}", "{\"a\": {}}"}) {
    EXPECT_EQ(
        Parse(File(std::string("{\"__metadata__\": ") + metadata + "}", 0))
            .status()
            .message(),
        "m.safetensors: __metadata__ must be an object of strings")
        << metadata;
  }
}

TEST(ParseSafetensorsTest, MessagesStayShortAndPrintable) {
  const std::string header =
      "{\"" + std::string(100'000, 'n') + "\\n\\u0007\": 1}";
  const std::string message(Parse(File(header, 0)).status().message());
  EXPECT_LT(message.size(), 300u);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace apollo
