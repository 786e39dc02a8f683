#include "engine/cpu/cpu_expert_stage.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/cpu/cpu_expert_loader.h"
#include "engine/rope_frequencies.h"
#include "kernels/elementwise.h"
#include "model/config/expert_list.h"

namespace apollo {
namespace {

// Returns the dot product, summed in the order of the inputs.
float Dot(const float* a, const float* b, int size) {
  float sum = 0;
  for (int i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

struct CpuExpertStage::Step final : ExpertStep {
  struct Slice {
    int first_row = 0;
    int rows = 0;
    int first_position = 0;
    int family = -1;
    bool failed = false;
    int layers = 0;                         // Layers counted below.
    std::vector<std::uint32_t> use;         // [sparse layers, experts]
    std::vector<std::uint32_t> off_family;  // [sparse layers]
    std::vector<BlockUse> by_block;
  };

  Step(std::vector<BatchSlice> batch_slices, const Rope& rope, int head_size)
      : batch(std::move(batch_slices), rope, head_size) {}
  int rows() const { return batch.rows(); }
  // Returns the slice of a row.
  int SliceOf(int row) const {
    const auto next = std::upper_bound(
        slices.begin(), slices.end(), row,
        [](int r, const Slice& slice) { return r < slice.first_row; });
    return static_cast<int>(next - slices.begin()) - 1;
  }

  // Returns the rows of some slices. all: [rows, width], or empty.
  template <typename T>
  std::vector<T> RowsOf(std::span<const int> which, const std::vector<T>& all,
                        std::size_t width) const {
    std::vector<T> part;
    if (all.empty()) return part;
    for (const int s : which) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(
                                           slices[s].first_row * width);
      part.insert(part.end(), first,
                  first + static_cast<std::ptrdiff_t>(slices[s].rows * width));
    }
    return part;
  }

  Batch batch;
  std::vector<Slice> slices;
  std::vector<int> pinned;            // [rows]: an expert, or -1.
  std::vector<float> hidden;          // [rows, hidden]
  std::vector<float> normed;          // [rows, hidden]: the experts' input.
  std::vector<ExpertChoice> choices;  // [rows, k]
  // [rows, k, hidden], in the order of the choices.
  std::vector<float> outputs;
  // [rows]: nonzero if the pinned expert replaced one chosen by the gate.
  std::vector<char> replaced;
  // [rows]: rows of failed slices; empty if none failed.
  std::vector<char> dropped;
  int layer = 0;               // The current layer, or the last one.
  ExpertPlan plan;             // The plan of the current layer.
  std::vector<char> left_out;  // `dropped` when the plan was made.
  std::vector<int> absent;  // Experts whose outputs the layer is waiting for.
};

CpuExpertStage::CpuExpertStage(const ModelConfig& config, LayerExperts experts,
                               ThreadPool& pool)
    : config_(config),
      experts_(std::move(experts)),
      pool_(pool),
      rope_(RopeFrequenciesOf(config)),
      dispatch_(config.hidden_size) {}

std::int64_t CpuExpertStage::WeightBytes(const ModelConfig& config,
                                         const WeightSource& source,
                                         const LayerExperts& experts) {
  return SourceBytes(source, ExpertStageTensors(config, experts));
}

absl::StatusOr<std::unique_ptr<CpuExpertStage>> CpuExpertStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const LayerExperts& experts, const CacheOptions& cache, ThreadPool& pool,
    const LoadProgress& progress) {
  RETURN_IF_ERROR(CheckExperts(experts.everywhere, config.num_experts));
  for (const auto& [layer, more] : experts.in_layer) {
    RETURN_IF_ERROR(CheckExperts(more, config.num_experts));
  }
  std::unique_ptr<CpuExpertStage> stage(
      new CpuExpertStage(config, experts, pool));
  const AttentionShape shape = {config.num_heads, config.num_kv_heads,
                                config.head_size, cache.type};
  const int layers = config.num_layers_after();
  ASSIGN_OR_RETURN(
      const int blocks,
      BlocksInBytes(cache.bytes, KvCache::BlockBytes(shape, layers, 0)));
  stage->cache_ = std::make_unique<KvCache>(shape, layers, 0, blocks);
  RETURN_IF_ERROR(stage->cache_->status());
  if (cache.prefault) RETURN_IF_ERROR(stage->cache_->Prefault(pool));
  WeightLoader loader(config, source, pool,
                      WeightBytes(config, source, experts), progress);
  RETURN_IF_ERROR(stage->LoadLayers(loader));
  ASSIGN_OR_RETURN(HeadWeights head, loader.Head());
  stage->head_.emplace(stage->config_, std::move(head), pool);
  return stage;
}

absl::Status CpuExpertStage::LoadLayers(WeightLoader& loader) {
  for (int layer = config_.boundary; layer < config_.num_layers; ++layer) {
    if (config_.is_dense()) {
      ASSIGN_OR_RETURN(DenseLayerWeights w, loader.DenseLayer(layer));
      dense_layers_.push_back(std::move(w));
      continue;
    }
    ASSIGN_OR_RETURN(SparseLayerWeights w,
                     loader.SparseLayer(layer, experts_.In(layer)));
    layers_.push_back(std::move(w));
  }
  ListExperts();
  return absl::OkStatus();
}

void CpuExpertStage::AddExpert(LayerExpert which,
                               std::unique_ptr<ExpertWeights> weights) {
  APOLLO_CHECK(config_.IsSparse(which.layer) &&
               which.layer < config_.num_layers && weights != nullptr);
  layers_[which.layer - config_.boundary].experts[which.expert] =
      static_cast<CpuExpertWeights&>(*weights).Take();
  ListExperts();
}

void CpuExpertStage::RemoveExpert(LayerExpert which) {
  APOLLO_CHECK(experts_.Has(which));
  auto& experts = layers_[which.layer - config_.boundary].experts;
  ReleaseExpert(std::move(experts.extract(which.expert).mapped()));
  ListExperts();
}

void CpuExpertStage::ListExperts() {
  std::set<LayerExpert> each;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    for (const auto& [expert, mlp] : layers_[l].experts) {
      each.insert({config_.boundary + static_cast<int>(l), expert});
    }
  }
  experts_ = LayerExperts::Of(each, config_.boundary, config_.num_layers);
}

const SparseLayerWeights& CpuExpertStage::weights(int layer) const {
  APOLLO_CHECK(config_.IsSparse(layer) && layer < config_.num_layers);
  return layers_[layer - config_.boundary];
}

const AttentionWeights& CpuExpertStage::attention(int layer) const {
  if (!config_.is_dense()) return weights(layer).attention;
  return dense_layers_[layer - config_.boundary].attention;
}

std::unique_ptr<ExpertStep> CpuExpertStage::Begin(
    std::vector<ExpertSlice> slices) {
  std::vector<BatchSlice> batch;
  batch.reserve(slices.size());
  for (const ExpertSlice& slice : slices) {
    batch.push_back(
        {slice.blocks, slice.first_position, slice.boundary.rows()});
  }
  auto step =
      std::make_unique<Step>(std::move(batch), rope_, config_.head_size);
  const std::size_t rows = step->rows();
  const std::size_t size = config_.hidden_size;
  const std::size_t layers = config_.num_sparse_layers();
  step->hidden.reserve(rows * size);
  for (const ExpertSlice& slice : slices) {
    const std::span<const float> boundary = slice.boundary.host();
    APOLLO_CHECK(slice.boundary.width() == config_.hidden_size);
    Step::Slice& own = step->slices.emplace_back();
    own.first_row = static_cast<int>(step->pinned.size());
    own.rows = slice.boundary.rows();
    own.first_position = slice.first_position;
    own.family = slice.family;
    own.use.resize(layers * config_.num_experts);
    own.off_family.resize(layers);
    own.by_block = UnusedBlocks(slice.first_position, own.rows, layers,
                                config_.num_experts);
    step->pinned.insert(step->pinned.end(), own.rows,
                        slice.hybrid ? slice.family : -1);
    step->hidden.insert(step->hidden.end(), boundary.begin(), boundary.end());
  }
  step->normed.resize(rows * size);
  step->choices.resize(rows * config_.experts_per_token);
  step->outputs.resize(step->choices.size() * size);
  step->replaced.resize(rows);
  return step;
}

void CpuExpertStage::RunLayer(ExpertStep& opaque, int layer,
                              std::vector<GuestRows> guests, Absent absent,
                              GuestsDone done) {
  Step& step = static_cast<Step&>(opaque);
  step.layer = layer;
  Attend(step);
  if (config_.is_dense()) {
    APOLLO_CHECK(guests.empty());  // There is no expert to visit.
    RunDenseMlp(step);
    done({});
    return;
  }
  Route(step);
  CountUse(step);
  step.left_out = step.dropped;
  step.plan.Assign(step.choices, config_.num_experts, config_.experts_per_token,
                   step.left_out);
  for (int e = 0; e < config_.num_experts; ++e) {
    if (!experts_.Has(layer, e) && !step.plan.choices(e).empty()) {
      step.absent.push_back(e);
    }
  }
  if (!step.absent.empty()) absent(Gather(step));
  std::vector<Rows> outputs = RunResident(&step, layer, guests);
  if (step.absent.empty()) Combine(step);
  done(std::move(outputs));
}

void CpuExpertStage::Resume(ExpertStep& opaque,
                            std::vector<std::optional<Rows>> outputs,
                            Done done) {
  Step& step = static_cast<Step&>(opaque);
  const std::vector<int> absent = std::exchange(step.absent, {});
  APOLLO_CHECK(outputs.size() == absent.size());
  for (std::size_t i = 0; i < absent.size(); ++i) {
    TakeAbsent(step, absent[i], std::move(outputs[i]));
  }
  Combine(step);
  done();
}

void CpuExpertStage::TakeAbsent(Step& step, int expert,
                                std::optional<Rows> outputs) const {
  const int k = config_.experts_per_token;
  const std::size_t size = config_.hidden_size;
  const std::span<const int> choices = step.plan.choices(expert);
  if (outputs) {
    const Rows rows = *std::move(outputs);
    APOLLO_CHECK(rows.numbers() == choices.size() * size);
    const float* row = rows.host().data();
    for (const int c : choices) {
      std::copy_n(row, size, &step.outputs[c * size]);
      row += size;
    }
    return;
  }
  if (step.dropped.empty()) step.dropped.resize(step.rows());
  for (const int c : choices) {
    std::fill_n(&step.outputs[c * size], size, 0.0f);
    Step::Slice& slice = step.slices[step.SliceOf(c / k)];
    slice.failed = true;
    std::fill_n(&step.dropped[slice.first_row], slice.rows, 1);
  }
}

std::unique_ptr<CpuExpertStage::Step> CpuExpertStage::PartOf(
    const Step& step, std::span<const int> slices) const {
  const std::size_t k = config_.experts_per_token;
  const std::size_t size = config_.hidden_size;
  std::vector<BatchSlice> batch;
  for (const int s : slices) batch.push_back(step.batch.slices()[s]);
  auto part =
      std::make_unique<Step>(std::move(batch), rope_, config_.head_size);
  int rows = 0;
  for (const int s : slices) {
    part->slices.push_back(step.slices[s]);
    part->slices.back().first_row = rows;
    rows += step.slices[s].rows;
  }
  part->pinned = step.RowsOf(slices, step.pinned, 1);
  part->hidden = step.RowsOf(slices, step.hidden, size);
  part->normed = step.RowsOf(slices, step.normed, size);
  part->choices = step.RowsOf(slices, step.choices, k);
  part->outputs = step.RowsOf(slices, step.outputs, k * size);
  part->replaced = step.RowsOf(slices, step.replaced, 1);
  part->dropped = step.RowsOf(slices, step.dropped, 1);
  part->left_out = step.RowsOf(slices, step.left_out, 1);
  part->layer = step.layer;
  return part;
}

std::unique_ptr<ExpertStep> CpuExpertStage::Split(
    ExpertStep& opaque, std::span<const int> moved,
    std::vector<AbsentOutput> outputs, Done done) {
  Step& step = static_cast<Step&>(opaque);
  APOLLO_CHECK(outputs.size() == step.absent.size());
  APOLLO_CHECK(!moved.empty() && moved.size() < step.slices.size());
  std::vector<int> missing;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].missing) {
      missing.push_back(step.absent[i]);
    } else {
      TakeAbsent(step, step.absent[i], std::move(outputs[i].rows));
    }
  }
  std::vector<int> staying;
  for (int s = 0; s < static_cast<int>(step.slices.size()); ++s) {
    if (!std::binary_search(moved.begin(), moved.end(), s)) {
      staying.push_back(s);
    }
  }
  std::unique_ptr<Step> waiting = PartOf(step, moved);
  waiting->absent = std::move(missing);
  waiting->plan.Assign(waiting->choices, config_.num_experts,
                       config_.experts_per_token, waiting->left_out);
  step = std::move(*PartOf(step, staying));
  Combine(step);
  done();
  return waiting;
}

void CpuExpertStage::RunExperts(int layer, std::vector<GuestRows> guests,
                                GuestsDone done) {
  done(RunResident(nullptr, layer, guests));
}

void CpuExpertStage::Finish(ExpertStep& opaque,
                            std::vector<TokenRequest> requests, Finished done) {
  Step& step = static_cast<Step&>(opaque);
  std::vector<int> last_rows;
  std::vector<SliceOutcome> outcomes;
  for (Step::Slice& slice : step.slices) {
    last_rows.push_back(slice.first_row + slice.rows - 1);
    SliceOutcome& outcome = outcomes.emplace_back();
    outcome.layers = slice.layers;
    outcome.expert_use = std::move(slice.use);
    outcome.off_family = std::move(slice.off_family);
    outcome.use_by_block = std::move(slice.by_block);
  }
  head_->Answer(step.hidden.data(), last_rows, requests, outcomes);
  done(std::move(outcomes));
}

void CpuExpertStage::Logits(const ExpertStep& step, std::span<const int> rows,
                            float* logits) const {
  head_->Logits(static_cast<const Step&>(step).hidden.data(), rows, logits);
}

std::span<const ExpertChoice> CpuExpertStage::Choices(
    const ExpertStep& step) const {
  return static_cast<const Step&>(step).choices;
}

std::span<const float> CpuExpertStage::GateInputs(
    const ExpertStep& step) const {
  return static_cast<const Step&>(step).normed;
}

void CpuExpertStage::Attend(Step& step) {
  const AttentionWeights& w = attention(step.layer);
  RunAttention(config_, w, rope_, step.batch, step.layer - config_.boundary,
               *cache_, step.hidden.data(), workspace_, pool_);
  RmsNorm(step.hidden.data(), step.rows(), config_.hidden_size,
          w.mlp_norm.data(), config_.rms_norm_eps, step.normed.data(), pool_);
}

void CpuExpertStage::RunDenseMlp(Step& step) {
  const MlpWeights& mlp = dense_layers_[step.layer - config_.boundary].mlp;
  float* out = Workspace::Room(shared_, step.normed.size());
  RunMlp(mlp, step.normed.data(), step.rows(), out, workspace_, pool_);
  AddRows(out, step.rows(), config_.hidden_size, step.hidden.data(), pool_);
}

void CpuExpertStage::Route(Step& step) const {
  const SparseLayerWeights& w = weights(step.layer);
  const int k = config_.experts_per_token;
  const int size = config_.hidden_size;
  const GateOptions options = {config_.num_experts, k, config_.norm_topk_prob};
  pool_.ParallelFor(step.rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> logits(config_.num_experts);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = &step.normed[r * size];
      for (int e = 0; e < config_.num_experts; ++e) {
        logits[e] = Dot(&w.gate[static_cast<std::size_t>(e) * size], x, size);
      }
      step.replaced[r] = ChooseExperts(logits.data(), options, step.pinned[r],
                                       &step.choices[r * k]);
    }
  });
}

void CpuExpertStage::CountUse(Step& step) const {
  const int k = config_.experts_per_token;
  const std::size_t layer = step.layer - config_.boundary;
  for (Step::Slice& slice : step.slices) {
    if (slice.failed) continue;
    ++slice.layers;
    const std::size_t first = layer * config_.num_experts;
    const int before = slice.first_position / kBlockTokens;
    for (int r = slice.first_row; r < slice.first_row + slice.rows; ++r) {
      const int position = slice.first_position + r - slice.first_row;
      BlockUse& block = slice.by_block[position / kBlockTokens - before];
      bool has_family_expert = false;
      for (int j = 0; j < k; ++j) {
        const int expert =
            step.choices[static_cast<std::size_t>(r) * k + j].expert;
        ++slice.use[first + expert];
        ++block.by_expert[first + expert];
        has_family_expert = has_family_expert || expert == slice.family;
      }
      // A pinned expert that replaced another was not the gate's choice.
      if (slice.family >= 0 && (!has_family_expert || step.replaced[r] != 0)) {
        ++slice.off_family[layer];
        ++block.off_family[layer];
      }
    }
  }
}

std::vector<AbsentRows> CpuExpertStage::Gather(const Step& step) const {
  const int k = config_.experts_per_token;
  std::vector<AbsentRows> absent;
  for (const int expert : step.absent) {
    const std::span<const int> choices = step.plan.choices(expert);
    AbsentRows& rows = absent.emplace_back();
    rows.expert = expert;
    rows.rows = GatherRows(choices, k, step.normed.data(), config_.hidden_size);
    for (const int c : choices) {
      const int slice = step.SliceOf(c / k);
      if (rows.slices.empty() || rows.slices.back() != slice) {
        rows.slices.push_back(slice);
      }
    }
  }
  return absent;
}

std::vector<Rows> CpuExpertStage::RunResident(
    Step* step, int layer, const std::vector<GuestRows>& guests) {
  const int k = config_.experts_per_token;
  const std::size_t size = config_.hidden_size;
  std::vector<Rows> outputs;
  for (const GuestRows& guest : guests) {
    APOLLO_CHECK(experts_.Has(layer, guest.expert) &&
                 guest.rows.width() == config_.hidden_size);
    outputs.push_back(Rows::Host(guest.rows.rows(), config_.hidden_size));
  }
  for (const auto& [expert, mlp] : weights(layer).experts) {
    if (step != nullptr) {
      for (const int c : step->plan.choices(expert)) {
        dispatch_.Add(&step->normed[c / k * size], 1, &step->outputs[c * size]);
      }
    }
    for (std::size_t g = 0; g < guests.size(); ++g) {
      if (guests[g].expert != expert) continue;
      dispatch_.Add(guests[g].rows.host().data(), guests[g].rows.rows(),
                    outputs[g].host().data());
    }
    dispatch_.Run([&, &weights = mlp](const float* x, int rows, float* y) {
      RunMlp(weights, x, rows, y, workspace_, pool_);
    });
  }
  return outputs;
}

void CpuExpertStage::Combine(Step& step) {
  const SparseLayerWeights& w = weights(step.layer);
  const int k = config_.experts_per_token;
  const int size = config_.hidden_size;
  const float* shared = nullptr;
  if (config_.shared_expert) {
    float* room = Workspace::Room(shared_, step.normed.size());
    RunMlp(w.shared, step.normed.data(), step.rows(), room, workspace_, pool_);
    shared = room;
  }
  pool_.ParallelFor(step.rows(), 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(size);
    for (std::int64_t r = begin; r < end; ++r) {
      const std::size_t row = static_cast<std::size_t>(r) * size;
      SumOfExperts(std::span(step.choices).subspan(r * k, k),
                   &step.outputs[row * k], size, sum.data());
      if (shared != nullptr) {
        const float gate =
            Sigmoid(Dot(w.shared_gate.data(), &step.normed[row], size));
        AddScaled(shared + row, gate, size, sum.data());
      }
      AddScaled(sum.data(), 1.0f, size, &step.hidden[row]);
    }
  });
}

}  // namespace apollo
