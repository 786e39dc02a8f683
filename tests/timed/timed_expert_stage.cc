#include "tests/timed/timed_expert_stage.h"

#include <algorithm>
#include <array>
#include <map>

#include "common/check.h"

namespace apollo {
namespace {

constexpr std::uint32_t kNumbers = 1u << 20;  // Exact in float.

std::uint32_t NumberAt(const Rows& rows, int row) {
  return static_cast<std::uint32_t>(
      rows.host()[static_cast<std::size_t>(row) *
                  static_cast<std::size_t>(rows.width())]);
}

Rows RowsOf(const std::vector<std::uint32_t>& numbers, int width) {
  Rows rows = Rows::Host(static_cast<int>(numbers.size()), width);
  float* out = rows.host().data();
  for (const std::uint32_t number : numbers) {
    for (int i = 0; i < width; ++i) *out++ = static_cast<float>(number);
  }
  return rows;
}

// The output of an expert.
std::uint32_t Apply(int layer, int expert, std::uint32_t number) {
  return (number * 31337u + static_cast<std::uint32_t>(layer) * 977u +
          static_cast<std::uint32_t>(expert) * 131071u + 7u) %
         kNumbers;
}

}  // namespace

class TimedExpertStage::Step final : public ExpertStep {
 public:
  struct Row {
    int slice = 0;
    int block = 0;  // Of those that the slice touches.
    int family = -1;
    bool hybrid = false;
    std::uint32_t number = 0;
    std::uint32_t sum = 0;  // Of the outputs in the current layer.
  };
  struct Waiting {
    int expert = 0;
    std::vector<int> rows;  // Indices of Step::rows.
  };

  std::vector<Row> rows;
  std::vector<int> slice_ends;  // Indices of Step::rows.
  std::vector<bool> failed;     // By slice.
  std::vector<Waiting> absent;
  std::vector<SliceOutcome> outcomes;

  void EndLayer() {
    for (Row& row : rows) row.number = row.sum % kNumbers;
  }
  // Takes the outputs of a group of absent rows, or fails their slices.
  void TakeAbsent(const Waiting& group, const std::optional<Rows>& outputs) {
    for (std::size_t r = 0; r < group.rows.size(); ++r) {
      Row& row = rows[static_cast<std::size_t>(group.rows[r])];
      if (outputs) {
        row.sum += NumberAt(*outputs, static_cast<int>(r));
      } else {
        failed[static_cast<std::size_t>(row.slice)] = true;
      }
    }
  }
  // Returns a step of some slices. Their absent rows must be in no group with
  // others, or in none of `absent`.
  std::unique_ptr<Step> PartOf(std::span<const int> slices) const {
    auto part = std::make_unique<Step>();
    std::map<int, int> moved;  // Indices of rows.
    for (const int s : slices) {
      const auto slice = static_cast<std::size_t>(s);
      for (int r = s == 0 ? 0 : slice_ends[slice - 1]; r < slice_ends[slice];
           ++r) {
        moved[r] = static_cast<int>(part->rows.size());
        part->rows.push_back(rows[static_cast<std::size_t>(r)]);
        part->rows.back().slice = static_cast<int>(part->failed.size());
      }
      part->slice_ends.push_back(static_cast<int>(part->rows.size()));
      part->failed.push_back(failed[slice]);
      part->outcomes.push_back(outcomes[slice]);
    }
    for (const Waiting& group : absent) {
      if (!moved.contains(group.rows.front())) continue;
      part->absent.push_back({group.expert, {}});
      for (const int r : group.rows) {
        part->absent.back().rows.push_back(moved.at(r));
      }
    }
    return part;
  }
};

TimedExpertStage::TimedExpertStage(ModelConfig config, LayerExperts experts,
                                   int blocks, const ExpertCost& cost,
                                   Timer& timer)
    : config_(std::move(config)),
      cost_(cost),
      timer_(timer),
      experts_(std::move(experts)),
      blocks_(blocks) {}

void TimedExpertStage::Work(absl::Duration cost, Timer::Event event) {
  APOLLO_CHECK(!at_work_);
  at_work_ = true;
  worked_ += cost;
  timer_.After(cost, [this, alive = std::weak_ptr<void>(alive_),
                      event = std::move(event)]() mutable {
    if (alive.expired()) return;
    at_work_ = false;
    event();
  });
}

void TimedExpertStage::AddExpert(LayerExpert which,
                                 std::unique_ptr<ExpertWeights> /*weights*/) {
  APOLLO_CHECK(!at_work_);
  std::set<LayerExpert> each =
      experts_.Each(config_.boundary, config_.num_layers);
  each.insert(which);
  experts_ = LayerExperts::Of(each, config_.boundary, config_.num_layers);
}

void TimedExpertStage::RemoveExpert(LayerExpert which) {
  APOLLO_CHECK(!at_work_);
  std::set<LayerExpert> each =
      experts_.Each(config_.boundary, config_.num_layers);
  each.erase(which);
  experts_ = LayerExperts::Of(each, config_.boundary, config_.num_layers);
}

std::unique_ptr<ExpertStep> TimedExpertStage::Begin(
    std::vector<ExpertSlice> slices) {
  auto step = std::make_unique<Step>();
  for (const ExpertSlice& slice : slices) {
    const int index = static_cast<int>(step->failed.size());
    for (int r = 0; r < slice.boundary.rows(); ++r) {
      const int block = (slice.first_position + r) / kBlockTokens -
                        slice.first_position / kBlockTokens;
      step->rows.push_back({index, block, slice.family, slice.hybrid,
                            NumberAt(slice.boundary, r)});
    }
    step->slice_ends.push_back(static_cast<int>(step->rows.size()));
    step->failed.push_back(false);
    SliceOutcome outcome;
    const auto layers = static_cast<std::size_t>(config_.num_sparse_layers());
    outcome.layers = config_.num_sparse_layers();
    outcome.expert_use.assign(
        layers * static_cast<std::size_t>(config_.num_experts), 0);
    outcome.off_family.assign(layers, 0);
    outcome.use_by_block =
        UnusedBlocks(slice.first_position, slice.boundary.rows(), layers,
                     static_cast<std::size_t>(config_.num_experts));
    step->outcomes.push_back(std::move(outcome));
  }
  return step;
}

std::vector<Rows> TimedExpertStage::Guests(int layer,
                                           const std::vector<GuestRows>& guests,
                                           absl::Duration& cost) const {
  std::vector<Rows> outputs;
  for (const GuestRows& guest : guests) {
    APOLLO_CHECK(experts_.Has(layer, guest.expert));
    std::vector<std::uint32_t> numbers;
    for (int r = 0; r < guest.rows.rows(); ++r) {
      numbers.push_back(Apply(layer, guest.expert, NumberAt(guest.rows, r)));
    }
    cost += cost_.expert_row * guest.rows.rows();
    outputs.push_back(RowsOf(numbers, config_.hidden_size));
  }
  return outputs;
}

void TimedExpertStage::RunLayer(ExpertStep& generic, int layer,
                                std::vector<GuestRows> guests, Absent absent,
                                GuestsDone done) {
  auto& step = static_cast<Step&>(generic);
  const auto experts = static_cast<std::uint32_t>(config_.num_experts);
  absl::Duration cost;
  std::map<int, std::vector<int>> away;
  for (std::size_t i = 0; i < step.rows.size(); ++i) {
    Step::Row& row = step.rows[i];
    row.sum = 0;
    const std::uint32_t by_row =
        (row.number / 64 + static_cast<std::uint32_t>(layer)) % experts;
    const bool off_family =
        row.family < 0 || (row.number % 8 == 0 && !row.hybrid);
    const auto first =
        off_family ? by_row : static_cast<std::uint32_t>(row.family);
    const std::uint32_t next =
        row.hybrid ? 0 : row.number / 512 % (experts - 1);
    const std::uint32_t second = (first + 1 + next) % experts;
    SliceOutcome& outcome = step.outcomes[static_cast<std::size_t>(row.slice)];
    BlockUse& block = outcome.use_by_block[static_cast<std::size_t>(row.block)];
    const auto sparse = static_cast<std::size_t>(layer - config_.boundary);
    for (const std::uint32_t e : {first, second}) {
      const int expert = static_cast<int>(e);
      ++outcome.expert_use[sparse * experts + e];
      ++block.by_expert[sparse * experts + e];
      if (!experts_.Has(layer, expert)) {
        away[expert].push_back(static_cast<int>(i));
        continue;
      }
      row.sum += Apply(layer, expert, row.number);
      cost += cost_.expert_row;
    }
    if (row.family >= 0 && first != static_cast<std::uint32_t>(row.family) &&
        second != static_cast<std::uint32_t>(row.family)) {
      ++outcome.off_family[sparse];
      ++block.off_family[sparse];
    }
  }
  std::vector<AbsentRows> rows_away;
  step.absent.clear();
  for (auto& [expert, rows] : away) {
    AbsentRows& one = rows_away.emplace_back();
    one.expert = expert;
    std::vector<std::uint32_t> numbers;
    for (const int i : rows) {
      const Step::Row& row = step.rows[static_cast<std::size_t>(i)];
      numbers.push_back(row.number);
      if (one.slices.empty() || one.slices.back() != row.slice) {
        one.slices.push_back(row.slice);
      }
    }
    one.rows = RowsOf(numbers, config_.hidden_size);
    step.absent.push_back({expert, std::move(rows)});
  }
  if (step.absent.empty()) step.EndLayer();
  std::vector<Rows> outputs = Guests(layer, guests, cost);
  const absl::Duration attention =
      cost_.layer + cost_.row * static_cast<double>(step.rows.size());
  Work(attention, [this, cost, absent = std::move(absent),
                   rows_away = std::move(rows_away), done = std::move(done),
                   outputs = std::move(outputs)]() mutable {
    // The device goes on with the resident experts meanwhile.
    Work(cost,
         [done = std::move(done), outputs = std::move(outputs)]() mutable {
           done(std::move(outputs));
         });
    if (!rows_away.empty()) absent(std::move(rows_away));
  });
}

void TimedExpertStage::Resume(ExpertStep& generic,
                              std::vector<std::optional<Rows>> outputs,
                              Done done) {
  auto& step = static_cast<Step&>(generic);
  APOLLO_CHECK(outputs.size() == step.absent.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    step.TakeAbsent(step.absent[i], outputs[i]);
  }
  step.EndLayer();
  Work(absl::ZeroDuration(), std::move(done));
}

std::unique_ptr<ExpertStep> TimedExpertStage::Split(
    ExpertStep& generic, std::span<const int> moved,
    std::vector<AbsentOutput> outputs, Done done) {
  auto& step = static_cast<Step&>(generic);
  APOLLO_CHECK(outputs.size() == step.absent.size());
  std::vector<Step::Waiting> missing;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].missing) {
      missing.push_back(std::move(step.absent[i]));
    } else {
      step.TakeAbsent(step.absent[i], outputs[i].rows);
    }
  }
  step.absent = std::move(missing);
  std::vector<int> staying;
  for (int s = 0; s < static_cast<int>(step.failed.size()); ++s) {
    if (!std::binary_search(moved.begin(), moved.end(), s)) {
      staying.push_back(s);
    }
  }
  std::unique_ptr<Step> waiting = step.PartOf(moved);
  step = std::move(*step.PartOf(staying));
  step.EndLayer();
  Work(absl::ZeroDuration(), std::move(done));
  return waiting;
}

void TimedExpertStage::RunExperts(int layer, std::vector<GuestRows> guests,
                                  GuestsDone done) {
  absl::Duration cost = cost_.guests;
  std::vector<Rows> outputs = Guests(layer, guests, cost);
  Work(cost, [done = std::move(done), outputs = std::move(outputs)]() mutable {
    done(std::move(outputs));
  });
}

void TimedExpertStage::Finish(ExpertStep& generic,
                              std::vector<TokenRequest> requests,
                              Finished done) {
  auto& step = static_cast<Step&>(generic);
  for (const TokenRequest& request : requests) {
    const auto slice = static_cast<std::size_t>(request.slice);
    APOLLO_CHECK(!step.failed[slice]);
    if (!request.sample) continue;
    const Step::Row& last =
        step.rows[static_cast<std::size_t>(step.slice_ends[slice] - 1)];
    step.outcomes[slice].sampled =
        SampledToken{static_cast<std::int32_t>(last.number % 256), -0.5f, {}};
  }
  Work(cost_.finish + cost_.token * static_cast<double>(requests.size()),
       [done = std::move(done), outcomes = std::move(step.outcomes)]() mutable {
         done(std::move(outcomes));
       });
}

}  // namespace apollo
