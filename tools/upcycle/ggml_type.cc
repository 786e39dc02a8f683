#include "tools/upcycle/ggml_type.h"

namespace apollo {
namespace {

// All types of ggml. Sizes follow the block layouts in
// tools/upcycle/dequantize.cc; those of types that cannot be read bound their
// data in the file.
constexpr GgmlType kTypes[] = {
    {kGgmlF32, "F32", 1, 4, true},
    {kGgmlF16, "F16", 1, 2, true},
    {kGgmlQ4_0, "Q4_0", 32, 18, true},
    {kGgmlQ4_1, "Q4_1", 32, 20, true},
    {4, "Q4_2"},
    {5, "Q4_3"},
    {kGgmlQ5_0, "Q5_0", 32, 22, true},
    {kGgmlQ5_1, "Q5_1", 32, 24, true},
    {kGgmlQ8_0, "Q8_0", 32, 34, true},
    {9, "Q8_1", 32, 36},
    {kGgmlQ2_K, "Q2_K", 256, 84, true},
    {kGgmlQ3_K, "Q3_K", 256, 110, true},
    {kGgmlQ4_K, "Q4_K", 256, 144, true},
    {kGgmlQ5_K, "Q5_K", 256, 176, true},
    {kGgmlQ6_K, "Q6_K", 256, 210, true},
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {kGgmlIQ4_NL, "IQ4_NL", 32, 18, true},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {kGgmlIQ4_XS, "IQ4_XS", 256, 136, true},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {kGgmlBF16, "BF16", 1, 2, true},
    {31, "Q4_0_4_4"},
    {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {36, "IQ4_NL_4_4"},
    {37, "IQ4_NL_4_8"},
    {38, "IQ4_NL_8_8"},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
    {42, "Q2_0"},
};

}  // namespace

const GgmlType* FindGgmlType(std::uint32_t id) {
  for (const GgmlType& type : kTypes) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

std::string ReadableGgmlTypes() {
  std::string names;
  for (const GgmlType& type : kTypes) {
    if (!type.readable()) continue;
    if (!names.empty()) names += ", ";
    names += type.name;
  }
  return names;
}

}  // namespace apollo
