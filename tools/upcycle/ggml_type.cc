#include "tools/upcycle/ggml_type.h"

namespace apollo {
namespace {

// Sizes follow the block layouts in tools/upcycle/dequantize.cc. Types without
// a size are listed for the sake of error messages.
constexpr GgmlType kTypes[] = {
    {kGgmlF32, "F32", 1, 4},
    {kGgmlF16, "F16", 1, 2},
    {kGgmlQ4_0, "Q4_0", 32, 18},
    {kGgmlQ4_1, "Q4_1", 32, 20},
    {kGgmlQ5_0, "Q5_0", 32, 22},
    {kGgmlQ5_1, "Q5_1", 32, 24},
    {kGgmlQ8_0, "Q8_0", 32, 34},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {kGgmlQ4_K, "Q4_K", 256, 144},
    {13, "Q5_K"},
    {kGgmlQ6_K, "Q6_K", 256, 210},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {kGgmlBF16, "BF16", 1, 2},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
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
