// A GGUF file of any bytes is either rejected or gives tensors that lie inside
// it and can be dequantised. Its tokenizer is rejected or exported.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/check.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_file.h"
#include "tools/upcycle/tokenizer_export.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const auto file = apollo::GgufFile::Parse({data, size}, "fuzz");
  if (!file.ok()) {
    APOLLO_CHECK(!file.status().message().empty());
    return 0;
  }
  std::size_t total = 0;
  for (const auto& [name, tensor] : file->tensors()) {
    if (!tensor.type->readable()) continue;
    total += tensor.data.size();
    std::vector<float> values(
        static_cast<std::size_t>(tensor.num_rows() * tensor.row_elements()));
    Dequantize(*tensor.type, tensor.data, values.data());
  }
  APOLLO_CHECK(total <= size);
  const auto tokenizer = ExportTokenizer(*file);
  APOLLO_CHECK(!tokenizer.ok() || tokenizer->size() > 2);
  return 0;
}
