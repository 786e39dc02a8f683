#include "engine/cuda/cuda_expert_stage.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cuda/absent_choices.h"
#include "engine/cuda/expert_use.h"
#include "engine/cuda/row_import.h"

namespace apollo {

using cuda::AbsentChoices;
using cuda::GuestBatch;
using cuda::SparseStep;
using cuda::StepMemory;

struct CudaExpertStage::Step final : ExpertStep {
  Step(CudaExpertStage& owner, SparseStep all)
      : stage(owner), rows(std::move(all)) {}
  ~Step() override { stage.unused_.push_back(rows.TakeMemory()); }

  // Choices of one absent expert, counted from the first choice of the step.
  struct Away {
    std::vector<std::int32_t> choices;
  };

  CudaExpertStage& stage;
  SparseStep rows;
  int layer = 0;                // The current layer, or the last one.
  std::vector<Away> away = {};  // Outputs that the layer is waiting for.
  // Expires with the step.
  const std::shared_ptr<void> alive = std::make_shared<int>();
};

// A call of RunLayer.
struct CudaExpertStage::Layer {
  int index = 0;
  GuestBatch guests;
  Absent absent;
  GuestsDone done;
};

CudaExpertStage::~CudaExpertStage() {
  if (device_ != nullptr) device_->Stop();
}

absl::StatusOr<std::unique_ptr<StepMemory>> CudaExpertStage::MemoryFor(
    const std::vector<ExpertSlice>& slices) {
  int rows = 0;
  for (const ExpertSlice& slice : slices) rows += slice.boundary.rows();
  const auto found =
      std::find_if(unused_.begin(), unused_.end(),
                   [rows](const auto& memory) { return memory->rows >= rows; });
  if (found != unused_.end()) {
    std::unique_ptr<StepMemory> memory = std::move(*found);
    unused_.erase(found);
    return memory;
  }
  ++grown_;
  return StepMemory::Allocate(sizes_, batch_limits_, rows);
}

std::unique_ptr<ExpertStep> CudaExpertStage::Begin(
    std::vector<ExpertSlice> slices) {
  device_->Use();
  auto memory = MemoryFor(slices);
  // A step that cannot be computed: the device has failed, and no callback will
  // be called.
  if (!device_->Check(memory.status())) return std::make_unique<ExpertStep>();
  auto step = std::make_unique<Step>(
      *this, SparseStep(slices, sizes_, *std::move(memory)));
  device_->Check(layers_->Begin(step->rows, std::move(slices)));
  return step;
}

void CudaExpertStage::RunLayer(ExpertStep& opaque, int index,
                               std::vector<GuestRows> guests, Absent absent,
                               GuestsDone done) {
  if (device_->failed()) return;
  device_->Use();
  Step& step = static_cast<Step&>(opaque);
  step.layer = index;
  for (SparseStep::Slice& slice : step.rows.slices()) {
    if (!slice.failed && config_.IsSparse(index)) ++slice.layers;
  }
  for (const GuestRows& guest : guests) {
    APOLLO_CHECK(experts_.contains(guest.expert));
  }
  auto imported = GuestBatch::Import(std::move(guests), config_.hidden_size,
                                     *rows_, *device_);
  if (!device_->Check(imported.status())) return;
  Layer layer = {index, *std::move(imported), std::move(absent),
                 std::move(done)};
  device_->Check(AllResident() ? EnqueueWhole(step, std::move(layer))
                               : EnqueueDivided(step, std::move(layer)));
}

absl::Status CudaExpertStage::EnqueueWhole(Step& step, Layer layer) {
  GuestBatch& guests = layer.guests;
  RETURN_IF_ERROR(layers_->Attend(step.rows, layer.index));
  if (config_.is_dense()) {
    APOLLO_CHECK(guests.empty());  // There is no expert to visit.
    RETURN_IF_ERROR(layers_->RunDenseMlp(step.rows, layer.index));
    if (!device_->failed()) layer.done({});
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(layers_->Route(step.rows, layer.index, guests));
  RETURN_IF_ERROR(layers_->RunResident(step.rows, layer.index, guests));
  if (guests.empty()) {
    RETURN_IF_ERROR(layers_->Combine(step.rows, layer.index));
    if (!device_->failed()) layer.done({});
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      layers_->RunGuests(layer.index, guests, layers_->CanTake(guests)));
  device_->WhenDone([alive = std::weak_ptr<void>(step.alive),
                     guests = std::move(guests),
                     done = std::move(layer.done)]() mutable {
    if (!alive.expired()) done(guests.Outputs());
  });
  return layers_->Combine(step.rows, layer.index);
}

absl::Status CudaExpertStage::EnqueueDivided(Step& step, Layer layer) {
  GuestBatch& guests = layer.guests;
  SparseStep& rows = step.rows;
  const StepMemory& memory = rows.memory();
  RETURN_IF_ERROR(layers_->Attend(rows, layer.index));
  RETURN_IF_ERROR(layers_->Route(rows, layer.index, guests));
  std::vector<Rows> gathered;
  for (const SparseStep::Piece& piece : rows.pieces()) {
    ASSIGN_OR_RETURN(Rows inputs,
                     layers_->Gather(rows, layer.index, piece, guests, *rows_));
    gathered.push_back(std::move(inputs));
  }
  const std::size_t at =
      (layer.index - config_.boundary) * rows.choice_stride();
  RETURN_IF_ERROR(cuda::CopyToHost(
      memory.host_choices + at, memory.choices + at,
      rows.choice_stride() * sizeof(std::int32_t), device_->stream()));
  const bool with_guests = !guests.empty();
  std::vector<std::int32_t> guest_experts(
      guests.experts().begin(),
      guests.experts().begin() + layers_->CanTake(guests));
  GuestsDone guests_done = std::move(layer.done), rows_done;
  if (!with_guests) std::swap(guests_done, rows_done);
  device_->WhenDone([this, &step, alive = std::weak_ptr<void>(step.alive),
                     absent = std::move(layer.absent),
                     guest_experts = std::move(guest_experts),
                     gathered = std::move(gathered),
                     done = std::move(rows_done)]() mutable {
    if (alive.expired()) return;
    device_->Use();
    const absl::Status status = Divide(step, absent, guest_experts, gathered);
    if (!device_->Check(status) || device_->failed()) return;
    if (done != nullptr && !alive.expired()) done({});
  });
  RETURN_IF_ERROR(layers_->RunResident(rows, layer.index, guests));
  if (!with_guests) return absl::OkStatus();
  RETURN_IF_ERROR(
      layers_->RunGuests(layer.index, guests, layers_->CanTake(guests)));
  device_->WhenDone([alive = std::weak_ptr<void>(step.alive),
                     guests = std::move(guests),
                     done = std::move(guests_done)]() mutable {
    if (!alive.expired()) done(guests.Outputs());
  });
  return absl::OkStatus();
}

absl::Status CudaExpertStage::Divide(Step& step, Absent& absent,
                                     const std::vector<std::int32_t>& guests,
                                     const std::vector<Rows>& gathered) {
  const SparseStep& rows = step.rows;
  const int k = config_.experts_per_token;
  const std::int32_t* const choices =
      rows.memory().host_choices +
      (step.layer - config_.boundary) * rows.choice_stride();
  std::vector<AbsentRows> sent;
  int piece_index = 0;
  for (const SparseStep::Piece& piece : step.rows.pieces()) {
    const std::int32_t* const first =
        choices + static_cast<std::size_t>(piece.first_row) * k;
    std::vector<std::int32_t> assignments(
        first, first + static_cast<std::size_t>(piece.rows) * k);
    if (piece.first_row + piece.rows == rows.rows()) {
      assignments.insert(assignments.end(), guests.begin(), guests.end());
    }
    std::span<const std::uint8_t> dropped = rows.dropped();
    if (!dropped.empty()) {
      dropped = dropped.subspan(piece.first_row, piece.rows);
    }
    const Rows& inputs = gathered[piece_index++];
    for (AbsentChoices& found :
         cuda::FindAbsent(assignments, piece.rows * k, k, config_.num_experts,
                          dropped, experts_)) {
      const int count = static_cast<int>(found.choices.size());
      AbsentRows& to = sent.emplace_back();
      to.expert = found.expert;
      to.rows = inputs.Slice(found.first, count);
      for (std::int32_t& c : found.choices) {
        c += piece.first_row * k;
        const int slice = rows.SliceOf(c / k);
        if (to.slices.empty() || to.slices.back() != slice) {
          to.slices.push_back(slice);
        }
      }
      step.away.push_back({std::move(found.choices)});
    }
  }
  if (sent.empty()) return layers_->Combine(step.rows, step.layer);
  absent(std::move(sent));
  return absl::OkStatus();
}

void CudaExpertStage::Resume(ExpertStep& opaque,
                             std::vector<std::optional<Rows>> outputs,
                             Done done) {
  if (device_->failed()) return;
  device_->Use();
  Step& step = static_cast<Step&>(opaque);
  if (!device_->Check(Scatter(step, std::move(outputs))) ||
      !device_->Check(layers_->Combine(step.rows, step.layer)) ||
      device_->failed()) {
    return;
  }
  done();
}

absl::Status CudaExpertStage::Scatter(
    Step& step, std::vector<std::optional<Rows>> outputs) {
  SparseStep& rows = step.rows;
  const std::vector<Step::Away> away = std::exchange(step.away, {});
  APOLLO_CHECK(outputs.size() == away.size());
  std::vector<std::int32_t> choices;
  std::vector<Rows> arrived;
  bool failed = false;
  for (std::size_t i = 0; i < away.size(); ++i) {
    const std::vector<std::int32_t>& own = away[i].choices;
    if (outputs[i]) {
      APOLLO_CHECK(outputs[i]->numbers() ==
                   own.size() * static_cast<std::size_t>(sizes_.hidden));
      choices.insert(choices.end(), own.begin(), own.end());
      arrived.push_back(outputs[i]->Reshaped(sizes_.hidden));
      continue;
    }
    failed = true;
    for (const std::int32_t c : own) {
      rows.Fail(rows.SliceOf(c / config_.experts_per_token));
    }
  }
  if (failed) {
    device_->UploadTo(rows.memory().dropped, rows.dropped().data(),
                      rows.dropped().size());
  }
  if (arrived.empty()) return absl::OkStatus();
  const int count = static_cast<int>(choices.size());
  // One block for all, whatever memory they are in.
  ASSIGN_OR_RETURN(Rows all, rows_->Take(count, sizes_.hidden, RowType::kF32));
  auto* const numbers = static_cast<float*>(all.data());
  RETURN_IF_ERROR(cuda::ImportF32(std::move(arrived), numbers, *device_));
  device_->UploadTo(rows.memory().scatter, choices.data(),
                    choices.size() * sizeof(choices[0]));
  return layers_->ScatterAbsent(rows, numbers, rows.memory().scatter, count);
}

void CudaExpertStage::RunExperts(int layer, std::vector<GuestRows> guests,
                                 GuestsDone done) {
  if (device_->failed()) return;
  device_->Use();
  for (const GuestRows& guest : guests) {
    APOLLO_CHECK(experts_.contains(guest.expert));
  }
  auto imported = GuestBatch::Import(std::move(guests), config_.hidden_size,
                                     *rows_, *device_);
  if (!device_->Check(imported.status()) ||
      !device_->Check(layers_->RunGuests(layer, *imported, 0))) {
    return;
  }
  device_->WhenDone(
      [batch = *std::move(imported), done = std::move(done)]() mutable {
        done(batch.Outputs());
      });
}

void CudaExpertStage::Finish(ExpertStep& opaque,
                             std::vector<TokenRequest> requests,
                             Finished done) {
  if (device_->failed()) return;
  device_->Use();
  device_->Check(
      EnqueueAnswers(static_cast<Step&>(opaque), requests, std::move(done)));
}

absl::Status CudaExpertStage::EnqueueAnswers(
    Step& step, const std::vector<TokenRequest>& requests, Finished done) {
  const SparseStep& rows = step.rows;
  const StepMemory& memory = rows.memory();
  std::vector<int> last_rows;
  for (const SparseStep::Slice& slice : rows.slices()) {
    last_rows.push_back(slice.first_row + slice.rows - 1);
  }
  cuda::TokenQuestions questions(requests, last_rows, head_->limits());
  APOLLO_CHECK(questions.size() <= 2 * memory.rows);
  RETURN_IF_ERROR(
      head_->Ask(questions, memory.residual, memory.results, *device_));
  const std::size_t layers = sizes_.layers;
  RETURN_IF_ERROR(cuda::CopyToHost(
      memory.host_choices, memory.choices,
      layers * rows.choice_stride() * sizeof(std::int32_t), device_->stream()));
  RETURN_IF_ERROR(cuda::CopyToHost(memory.host_replaced, memory.replaced,
                                   layers * rows.row_stride(),
                                   device_->stream()));
  device_->WhenDone([this, &step, alive = std::weak_ptr<void>(step.alive),
                     questions = std::move(questions),
                     done = std::move(done)]() mutable {
    if (!alive.expired()) done(Outcomes(step, questions));
  });
  return absl::OkStatus();
}

std::vector<SliceOutcome> CudaExpertStage::Outcomes(
    const Step& step, const cuda::TokenQuestions& questions) const {
  const SparseStep& rows = step.rows;
  const StepMemory& memory = rows.memory();
  cuda::RoutingLog log;
  log.rows = rows.rows();
  log.top_k = config_.experts_per_token;
  log.experts = config_.num_experts;
  log.layers = sizes_.layers;
  log.choices = memory.host_choices;
  log.choice_stride = rows.choice_stride();
  log.replaced = memory.host_replaced;
  log.row_stride = rows.row_stride();
  std::vector<SliceOutcome> outcomes(rows.slices().size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const SparseStep::Slice& slice = rows.slices()[i];
    cuda::CountUse(log,
                   {slice.first_row, slice.rows, slice.first_position,
                    slice.family, slice.layers},
                   outcomes[i]);
  }
  questions.Answer({memory.results, static_cast<std::size_t>(questions.size())},
                   outcomes);
  return outcomes;
}

}  // namespace apollo
