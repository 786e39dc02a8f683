#include "engine/cuda/cuda_head.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "engine/cuda/memory_layout.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/rows.h"

namespace apollo::cuda {
namespace {

// Rows of logits in memory, at most.
constexpr int kLogitRows = 256;
// Adjustments in memory, at least: those of a step in which many sequences have
// generated a few hundred tokens.
constexpr int kAdjustments = 1 << 16;

// Divides `memory`, or counts its bytes.
template <typename Arrays>
std::size_t Divide(const ModelConfig& config,
                   const TokenQuestions::Limits& limits, std::byte* memory,
                   Arrays& arrays) {
  const auto rows = static_cast<std::size_t>(limits.rows);
  MemoryLayout layout(memory);
  arrays.rows = layout.Array<std::int32_t>(rows);
  arrays.requests = layout.Array<SampleRequest>(rows);
  arrays.adjustments = layout.Array<Adjustment>(limits.adjustments);
  arrays.normed = layout.Array<Bf16>(rows * config.hidden_size);
  arrays.logits = layout.Array<float>(rows * config.vocab_size);
  return layout.bytes();
}

}  // namespace

TokenQuestions::Limits CudaHead::LimitsFor(const ModelConfig& config,
                                           int max_rows) {
  // A sequence has no more tokens than its context, and some with a bias, and
  // each once.
  const int most = std::min(
      config.vocab_size, config.max_context + static_cast<int>(kMaxLogitBias));
  return {std::min(max_rows, kLogitRows), std::max(most, kAdjustments)};
}

std::size_t CudaHead::Bytes(const ModelConfig& config,
                            const TokenQuestions::Limits& limits) {
  Arrays none;
  return Divide(config, limits, nullptr, none);
}

CudaHead::CudaHead(const ModelConfig& config, DeviceHead weights,
                   const TokenQuestions::Limits& limits, DeviceBuffer memory)
    : config_(&config),
      weights_(std::move(weights)),
      limits_(limits),
      memory_(std::move(memory)) {
  Divide(config, limits, memory_.as<std::byte>(), arrays_);
}

absl::StatusOr<CudaHead> CudaHead::Create(
    const ModelConfig& config, DeviceHead weights,
    const TokenQuestions::Limits& limits) {
  RETURN_IF_ERROR(CheckVocabulary(config.vocab_size));
  ASSIGN_OR_RETURN(DeviceBuffer memory,
                   AllocateDevice(Bytes(config, limits), "logits"));
  return CudaHead(config, std::move(weights), limits, std::move(memory));
}

absl::Status CudaHead::Ask(const TokenQuestions& questions,
                           const float* residual, SampleResult* results,
                           StageDevice& device) const {
  for (const TokenQuestions::Piece& piece : questions.pieces()) {
    RETURN_IF_ERROR(AskPiece(questions, piece, residual, results, device));
  }
  return absl::OkStatus();
}

absl::Status CudaHead::AskPiece(const TokenQuestions& questions,
                                const TokenQuestions::Piece& piece,
                                const float* residual, SampleResult* results,
                                StageDevice& device) const {
  const auto rows = questions.rows().subspan(piece.first, piece.count);
  const auto requests = questions.requests().subspan(piece.first, piece.count);
  const auto adjustments = questions.adjustments().subspan(
      piece.first_adjustment, piece.adjustments);
  device.UploadTo(arrays_.rows, rows.data(), rows.size_bytes());
  device.UploadTo(arrays_.requests, requests.data(), requests.size_bytes());
  device.UploadTo(arrays_.adjustments, adjustments.data(),
                  adjustments.size_bytes());
  RETURN_IF_ERROR(RmsNorm(residual, arrays_.rows, piece.count,
                          config_->hidden_size, weights_.norm.get(),
                          config_->rms_norm_eps, arrays_.normed,
                          device.stream()));
  Product product;
  product.w = weights_.output.matrix;
  product.x = arrays_.normed;
  product.x_stride = config_->hidden_size;
  product.rows = piece.count;
  product.out = arrays_.logits;
  product.out_stride = config_->vocab_size;
  RETURN_IF_ERROR(Run(product, device.stream()));
  Sample sample;
  sample.logits = arrays_.logits;
  sample.rows = piece.count;
  sample.vocab = config_->vocab_size;
  sample.requests = arrays_.requests;
  sample.adjustments = arrays_.adjustments;
  sample.results = results + piece.first;
  return Run(sample, device.stream());
}

}  // namespace apollo::cuda
