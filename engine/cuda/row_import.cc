#include "engine/cuda/row_import.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/rows.h"

namespace apollo::cuda {
namespace {

// Rows that are adjacent in memory.
struct RowRun {
  const std::byte* data = nullptr;
  int rows = 0;
  int width = 0;
  RowType type = RowType::kF32;
  bool host = false;

  std::size_t numbers() const {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(width);
  }
  std::size_t bytes() const { return numbers() * BytesOf(type); }
  const float* f32() const { return reinterpret_cast<const float*>(data); }
  const Bf16* bf16() const { return reinterpret_cast<const Bf16*>(data); }
};

std::vector<RowRun> Adjacent(const std::vector<Rows>& all,
                             const StageDevice& device) {
  std::vector<RowRun> runs;
  for (const Rows& rows : all) {
    if (rows.empty()) continue;
    const bool host = rows.device().kind == apollo::Device::Kind::kHost;
    APOLLO_CHECK(host ? rows.type() == RowType::kF32
                      : rows.device() == device.device() &&
                            rows.type() != RowType::kF16);
    const auto* const data = static_cast<const std::byte*>(rows.data());
    if (!runs.empty() && runs.back().host == host &&
        runs.back().type == rows.type() &&
        runs.back().data + runs.back().bytes() == data) {
      runs.back().rows += rows.rows();
    } else {
      runs.push_back({data, rows.rows(), rows.width(), rows.type(), host});
    }
    APOLLO_CHECK(rows.width() == runs.front().width);
  }
  return runs;
}

}  // namespace

void KeepUntilDone(std::vector<Rows> rows, StageDevice& device) {
  std::erase_if(rows, [](const Rows& r) {
    return r.device().kind == apollo::Device::Kind::kHost;
  });
  if (rows.empty()) return;
  device.WhenDone([kept = std::move(rows)] {});
}

absl::Status ImportF32(std::vector<Rows> rows, float* to, StageDevice& device) {
  for (const RowRun& run : Adjacent(rows, device)) {
    if (run.host) {
      device.UploadTo(to, run.data, run.bytes());
    } else if (run.type == RowType::kF32) {
      RETURN_IF_ERROR(GatherRows(run.f32(), nullptr, run.rows, run.width, to,
                                 device.stream()));
    } else {
      RETURN_IF_ERROR(Widen(run.bf16(),
                            static_cast<std::int64_t>(run.numbers()), to,
                            device.stream()));
    }
    to += run.numbers();
  }
  KeepUntilDone(std::move(rows), device);
  return absl::OkStatus();
}

absl::Status ImportBf16(std::vector<Rows> rows, float* staging, Bf16* to,
                        StageDevice& device) {
  for (const RowRun& run : Adjacent(rows, device)) {
    const auto numbers = static_cast<std::int64_t>(run.numbers());
    if (run.host) {
      device.UploadTo(staging, run.data, run.bytes());
      RETURN_IF_ERROR(Round(staging, numbers, to, device.stream()));
    } else if (run.type == RowType::kF32) {
      RETURN_IF_ERROR(Round(run.f32(), numbers, to, device.stream()));
    } else {
      RETURN_IF_ERROR(GatherRows(run.bf16(), nullptr, run.rows, run.width, to,
                                 device.stream()));
    }
    staging += numbers;
    to += numbers;
  }
  KeepUntilDone(std::move(rows), device);
  return absl::OkStatus();
}

}  // namespace apollo::cuda
