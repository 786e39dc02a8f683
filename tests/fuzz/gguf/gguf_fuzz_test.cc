// A GGUF file of any bytes is either rejected or gives tensors that lie inside
// it and can be dequantised. Its tokenizer is rejected or exported. As a base
// of a conversion it is rejected, or all tensors of the plan can be read.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/check.h"
#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/dequantize.h"
#include "tools/upcycle/gguf_file.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/plan.h"
#include "tools/upcycle/tokenizer_export.h"

namespace {

void OpenAsBase(const std::uint8_t* data, std::size_t size) {
  static const int file = memfd_create("fuzz", 0);
  APOLLO_CHECK(file >= 0 && ftruncate(file, 0) == 0);
  APOLLO_CHECK(pwrite(file, data, size, 0) == static_cast<ssize_t>(size));
  const auto base =
      apollo::OpenDenseBase("/proc/self/fd/" + std::to_string(file));
  if (!base.ok()) {
    APOLLO_CHECK(!base.status().message().empty());
    return;
  }
  apollo::UpcycleOptions options;
  options.experts = 1;
  options.top_k = 1;
  options.sparse_layers = 1;
  const auto plan = PlanTensors((*base)->config(), options);
  if (!CheckSources(**base, plan).ok()) return;
  std::vector<float> row;
  for (const apollo::PlannedTensor& tensor : plan) {
    if (tensor.source.empty()) continue;
    row.resize(tensor.shape.size() == 1
                   ? 1
                   : static_cast<std::size_t>(tensor.shape[1]));
    APOLLO_CHECK(
        (*base)
            ->ReadRows(tensor.source, tensor.shape[0] - 1, 1, row.data())
            .ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const auto file = apollo::GgufFile::Parse({data, size}, "fuzz");
  if (!file.ok()) {
    APOLLO_CHECK(!file.status().message().empty());
    return 0;
  }
  std::size_t total = 0;
  for (const auto& [name, tensor] : file->tensors()) {
    total += tensor.data.size();
    if (!tensor.type->readable()) continue;
    std::vector<float> values(
        static_cast<std::size_t>(tensor.num_rows() * tensor.row_elements()));
    Dequantize(*tensor.type, tensor.data, values.data());
  }
  APOLLO_CHECK(total <= size);
  const auto tokenizer = ExportTokenizer(*file);
  APOLLO_CHECK(!tokenizer.ok() || tokenizer->size() > 2);
  OpenAsBase(data, size);
  return 0;
}
