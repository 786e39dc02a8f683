#include "kernels/cuda/experts.h"

#include <cmath>
#include <set>

#include "kernels/cuda/testing.h"
#include "kernels/gate.h"
#include "kernels/reference.h"

namespace apollo::cuda {
namespace {

class ExpertsTest : public GpuTest {
 protected:
  // Runs the gate, and compares it with ChooseExperts on logits of the
  // reference.
  void CheckRows(const GateOptions& options, int rows, int hidden) {
    const std::vector<Bf16> x = RandomBf16(rows * hidden);
    const std::vector<float> w = Random(options.experts * hidden, 0.1f);
    std::vector<std::int32_t> pinned;
    for (int r = 0; r < rows; ++r) pinned.push_back(r % options.experts - 1);
    const Device<Bf16> device_x(x);
    const Device<float> device_w(w), weights(rows * options.top_k);
    const Device<std::int32_t> device_pinned(pinned),
        experts(rows * options.top_k);
    const Device<std::uint8_t> replaced(rows);
    ExpectOk(cuda::Run(
        Gate{options, device_x.get(), device_w.get(), rows, hidden,
             device_pinned.get(), experts.get(), weights.get(), replaced.get()},
        nullptr));
    std::vector<float> logits(rows * options.experts);
    reference::MatMul(Widened(x).data(), rows, hidden, w.data(),
                      options.experts, nullptr, logits.data());
    const auto chosen = experts.Read();
    const auto weight = weights.Read();
    const auto was_replaced = replaced.Read();
    for (int r = 0; r < rows; ++r) {
      std::vector<ExpertChoice> choices(options.top_k);
      const bool expected = ChooseExperts(&logits[r * options.experts], options,
                                          pinned[r], choices.data());
      EXPECT_EQ(was_replaced[r], expected ? 1 : 0);
      for (int j = 0; j < options.top_k; ++j) {
        EXPECT_EQ(chosen[r * options.top_k + j], choices[j].expert);
        EXPECT_NEAR(weight[r * options.top_k + j], choices[j].weight, 1e-5);
      }
    }
  }
};

TEST_F(ExpertsTest, GateChoosesAsTheReference) {
  for (const bool normalize : {false, true}) {
    CheckRows({7, 2, normalize}, 20, 104);
    CheckRows({40, 6, normalize}, 9, 264);
    CheckRows({3, 3, normalize}, 4, 8);
    CheckRows({12, 1, normalize}, 5, 16);
  }
}

TEST_F(ExpertsTest, EqualLogitsGoToTheLowerExpertAndNaNStillChooses) {
  std::vector<Bf16> x(2 * 8, Bf16BitsFromF32(1));
  for (int i = 8; i < 16; ++i) x[i] = 0x7fc0;  // NaN
  const Device<Bf16> device_x(x);
  const Device<float> w(std::vector<float>(5 * 8, 0.5f)), weights(4);
  const Device<std::int32_t> experts(4);
  const Device<std::uint8_t> replaced(2);
  ExpectOk(cuda::Run(Gate{{5, 2, false},
                          device_x.get(),
                          w.get(),
                          2,
                          8,
                          nullptr,
                          experts.get(),
                          weights.get(),
                          replaced.get()},
                     nullptr));
  EXPECT_TRUE(experts.Read() == (std::vector<std::int32_t>{0, 1, 0, 1}));
  EXPECT_NEAR(weights.Read()[0], 0.2f, 1e-6);
  EXPECT_TRUE(std::isnan(weights.Read()[2]));
}

TEST_F(ExpertsTest, AssignmentsAreGroupedInTheirOrder) {
  constexpr int kExperts = 5, kTopK = 2, kRows = 50, kGuests = 7;
  std::vector<std::int32_t> experts;
  for (int c = 0; c < kRows * kTopK + kGuests; ++c) {
    experts.push_back(c * c % 7 % kExperts);
  }
  std::vector<std::uint8_t> dropped(kRows);
  dropped[3] = dropped[49] = 1;
  const Device<std::int32_t> device_experts(experts), offsets(kExperts + 1),
      source(experts.size()), target(experts.size());
  const Device<std::uint8_t> device_dropped(dropped);
  for (const bool drop : {false, true}) {
    GroupByExpert group;
    group.experts = device_experts.get();
    group.assignments = static_cast<int>(experts.size());
    group.choices = kRows * kTopK;
    group.top_k = kTopK;
    group.num_experts = kExperts;
    group.dropped = drop ? device_dropped.get() : nullptr;
    group.offsets = offsets.get();
    group.source = source.get();
    group.target = target.get();
    ExpectOk(cuda::Run(group, nullptr));
    const auto first = offsets.Read(), from = source.Read(), to = target.Read();
    EXPECT_EQ(first[0], 0);
    int p = 0;
    for (int e = 0; e < kExperts; ++e) {
      for (int c = 0; c < group.assignments; ++c) {
        const bool own = c < group.choices;
        if (experts[c] != e || (drop && own && dropped[c / kTopK])) continue;
        EXPECT_EQ(to[p], c);
        EXPECT_EQ(from[p], own ? c / kTopK : kRows + c - group.choices);
        ++p;
      }
      EXPECT_EQ(first[e + 1], p);
    }
  }
}

TEST_F(ExpertsTest, OutputsAreWeightedAndAdded) {
  constexpr int kRows = 3, kHidden = 1032, kTopK = 2;
  const std::vector<float> weights = Random(kRows * kTopK),
                           outputs = Random(kRows * kTopK * kHidden),
                           shared = Random(kRows * kHidden),
                           gate = Random(kHidden, 0.05f),
                           residual = Random(kRows * kHidden);
  const std::vector<Bf16> x = RandomBf16(kRows * kHidden);
  const std::vector<float> wide = Widened(x);
  const Device<float> device_weights(weights), device_outputs(outputs),
      device_shared(shared), device_gate(gate);
  const Device<Bf16> device_x(x);
  for (const bool with_shared : {false, true}) {
    const Device<float> sum(residual);
    CombineExperts combine;
    combine.rows = kRows;
    combine.hidden = kHidden;
    combine.top_k = kTopK;
    combine.weights = device_weights.get();
    combine.outputs = device_outputs.get();
    combine.shared = with_shared ? device_shared.get() : nullptr;
    combine.shared_gate = device_gate.get();
    combine.x = device_x.get();
    combine.residual = sum.get();
    ExpectOk(cuda::Run(combine, nullptr));
    std::vector<float> expected = residual;
    for (int r = 0; r < kRows; ++r) {
      double logit = 0;
      for (int i = 0; i < kHidden; ++i) {
        logit += static_cast<double>(wide[r * kHidden + i]) * gate[i];
      }
      for (int i = 0; i < kHidden; ++i) {
        double y = 0;
        for (int j = 0; j < kTopK; ++j) {
          const int c = r * kTopK + j;
          y += static_cast<double>(weights[c]) * outputs[c * kHidden + i];
        }
        if (with_shared) {
          y += shared[r * kHidden + i] / (1 + std::exp(-logit));
        }
        expected[r * kHidden + i] += static_cast<float>(y);
      }
    }
    ExpectNear(sum.Read(), expected, 1e-5, 1e-5);
  }
}

TEST_F(ExpertsTest, GatesBeyondTheLimitsAreRefused) {
  EXPECT_TRUE(CheckGate({7, 2, false}).ok());
  for (const GateOptions& options :
       {GateOptions{0, 1, false}, GateOptions{2000, 2, false},
        GateOptions{7, 8, false}, GateOptions{64, 33, false},
        GateOptions{7, 0, false}}) {
    EXPECT_EQ(CheckGate(options).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace apollo::cuda
