// An expert stage on a slow and on a failing device, emulated.
#include <cstring>
#include <future>

#include "engine/cuda/expert_stage_testing.h"
#include "kernels/cuda/emulation/device_state.h"

namespace apollo {
namespace {

using cuda::emulation::device_state;

class CudaExpertFaultsTest : public CudaExpertStageTest {
 protected:
  ~CudaExpertFaultsTest() override {
    device_state.Release();
    device_state.Fail(cudaSuccess);
  }
  std::vector<GuestRows> Guest() {
    std::vector<GuestRows> guests;
    guests.push_back({0, BoundaryRows(9, 2, config_.hidden_size)});
    return guests;
  }
  // Returns a copy of host rows on the device, whose memory is overwritten as
  // soon as nobody holds it, as that of a link.
  static Rows Lent(const Rows& host, RowType type) {
    auto* const copy = new Rows(OnDevice(host, type));
    const std::shared_ptr<void> owner(copy, [](void* data) {
      auto* const rows = static_cast<Rows*>(data);
      std::memset(rows->data(), 0xff, rows->bytes());
      delete rows;
    });
    return Rows(copy->data(), copy->rows(), copy->width(), type, copy->device(),
                owner);
  }
  static void NoneAbsent(const std::vector<AbsentRows>&) {
    ADD_FAILURE() << "an absent expert";
  }
};

TEST_F(CudaExpertFaultsTest, ResultsWaitForTheDevice) {
  const auto stage = LoadAll();
  TestSequence sequence = MakeSequence(1, 4);
  const std::vector<Part> parts = {{&sequence, 4}};
  const auto step = Begin(*stage, parts);
  device_state.Hold();
  bool layers_done = false, guests_done = false, finished = false;
  stage->RunLayer(*step, 1, {}, NoneAbsent,
                  [&](const std::vector<Rows>&) { layers_done = true; });
  EXPECT_TRUE(layers_done);  // Nobody needs anything of the device.
  stage->RunLayer(*step, 2, Guest(), NoneAbsent,
                  [&](const std::vector<Rows>&) { guests_done = true; });
  EXPECT_TRUE(events_.empty() && !guests_done);
  device_state.Release();
  RunUntil(guests_done);
  device_state.Hold();
  stage->Finish(*step, Requests(parts),
                [&](const std::vector<SliceOutcome>&) { finished = true; });
  EXPECT_TRUE(!finished);
  device_state.Release();
  RunUntil(finished);
}

TEST_F(CudaExpertFaultsTest, AbsentRowsWaitForTheDevice) {
  const auto stage = Load({});
  TestSequence sequence = MakeSequence(1, 4);
  const auto step = Begin(*stage, {{&sequence, 4}});
  device_state.Hold();
  bool absent = false, done = false;
  stage->RunLayer(
      *step, 1, {},
      [&](const std::vector<AbsentRows>& rows) { absent = !rows.empty(); },
      [&](const std::vector<Rows>&) { done = true; });
  EXPECT_TRUE(!absent && !done);
  device_state.Release();
  RunUntil(done);
  EXPECT_TRUE(absent);
}

// Nothing that steps use may change or be used again before the device has
// passed it.
TEST_F(CudaExpertFaultsTest, ASlowDeviceComputesTheSame) {
  const auto stage = LoadAll(/*max_rows=*/16);
  TestSequence a = MakeSequence(1, 20), b = MakeSequence(2, 7, 3),
               c = MakeSequence(3, 9), x = MakeSequence(1, 20),
               y = MakeSequence(2, 7, 3), z = MakeSequence(3, 9);
  Run(*stage, {{&a, 20}, {&b, 7}});
  Run(*stage, {{&c, 9}});
  const std::vector<Part> parts = {{&x, 20}, {&y, 7}}, others = {{&z, 9}};
  device_state.Hold();
  const auto step = Begin(*stage, parts), other = Begin(*stage, others);
  int layers = 0;
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    for (ExpertStep* const s : {step.get(), other.get()}) {
      stage->RunLayer(*s, l, {}, NoneAbsent,
                      [&](const std::vector<Rows>&) { ++layers; });
    }
  }
  EXPECT_EQ(layers, 4);
  bool finished = false;
  std::vector<SliceOutcome> outcomes;
  stage->Finish(*step, Requests(parts), [&](std::vector<SliceOutcome> o) {
    outcomes = std::move(o);
    finished = true;
  });
  EXPECT_TRUE(device_state.held());
  device_state.Release();
  RunUntil(finished);
  Record(parts, outcomes);
  Record(others, Finish(*stage, *other, Requests(others)));
  ExpectSame(x, a);
  ExpectSame(y, b);
  ExpectSame(z, c);
}

// Rows from the host, of many sequences, on a device that is far behind.
TEST_F(CudaExpertFaultsTest, StepsFromTheHostAllocateNothing) {
  ModelConfig config = RandomModelConfig();
  config.hidden_size = 2048;
  UseModel(config);
  constexpr int kSequences = 40, kRows = 16;
  const auto stage = LoadAll(/*max_rows=*/kSequences * kRows);
  std::vector<TestSequence> sequences(kSequences);
  std::vector<Part> parts;
  for (TestSequence& sequence : sequences) {
    sequence.boundary = BoundaryRows(1, kRows, config.hidden_size);
    parts.push_back({&sequence, kRows});
  }
  device_state.Hold();
  const auto step = Begin(*stage, parts);
  EXPECT_TRUE(device_state.held());
  EXPECT_EQ(stage->grown(), 0);
}

// The outputs of absent experts need more memory than their inputs.
TEST_F(CudaExpertFaultsTest, StepsWithAbsentExpertsAllocateNothing) {
  const auto none = Load({}, /*max_rows=*/16), all = LoadAll();
  TestSequence sequence = MakeSequence(1, 16);
  const std::vector<Part> parts = {{&sequence, 16}};
  const auto step = Begin(*none, parts);
  for (int l = config_.boundary; l < config_.num_layers; ++l) {
    std::vector<GuestRows> guests;
    std::vector<std::optional<Rows>> outputs;
    for (AbsentRows& absent : RunLayer(*none, *step, l).absent) {
      guests.push_back({absent.expert, std::move(absent.rows)});
    }
    for (const Rows& rows : RunExperts(*all, l, std::move(guests))) {
      outputs.push_back(Rows::FromVector(Numbers(rows), rows.width()));
    }
    Resume(*none, *step, std::move(outputs));
  }
  Record(parts, Finish(*none, *step, Requests(parts)));
  EXPECT_EQ(none->grown(), 0);
}

TEST_F(CudaExpertFaultsTest, RowsOfOthersAreKeptUntilTheyHaveBeenRead) {
  const auto whole = LoadAll();
  TestSequence expected = MakeSequence(2, 7, 3);
  Run(*whole, {{&expected, 7}});
  for (const RowType type : {RowType::kBf16, RowType::kF32}) {
    // Every row uses expert 3.
    const auto here = Load({0, 1, 2, 4, 5, 6});
    TestSequence sequence = MakeSequence(2, 7, 3);
    sequence.boundary = Lent(sequence.boundary, type);
    const std::vector<Part> parts = {{&sequence, 7}};
    device_state.Hold();
    const auto step = Begin(*here, parts);
    sequence.boundary = Rows();
    EXPECT_TRUE(device_state.held());
    device_state.Release();
    for (int l = config_.boundary; l < config_.num_layers; ++l) {
      LayerResult result = RunLayer(*here, *step, l);
      ASSERT_EQ(result.absent.size(), 1u);
      auto outputs = ComputeAbsent(*whole, l, std::move(result.absent));
      outputs[0] =
          Lent(Rows::FromVector(Numbers(*outputs[0]), config_.hidden_size),
               RowType::kF32);
      device_state.Hold();
      Resume(*here, *step, std::move(outputs));
      EXPECT_TRUE(device_state.held());
      device_state.Release();
    }
    Record(parts, Finish(*here, *step, Requests(parts)));
    ExpectSame(sequence, expected);
    // Guests.
    const std::vector<Rows> alone = RunExperts(*here, 1, Guest());
    std::vector<GuestRows> guests = Guest();
    guests[0].rows = Lent(guests[0].rows, type);
    device_state.Hold();
    bool done = false;
    std::vector<Rows> outputs;
    here->RunExperts(1, std::move(guests), [&](std::vector<Rows> rows) {
      outputs = std::move(rows);
      done = true;
    });
    EXPECT_TRUE(device_state.held() && !done);
    device_state.Release();
    RunUntil(done);
    EXPECT_EQ(Numbers(outputs[0]), Numbers(alone[0]));
  }
}

TEST_F(CudaExpertFaultsTest, PendingWorkIsDroppedWithItsStep) {
  const auto stage = Load({});
  TestSequence sequence = MakeSequence(1, 4);
  const auto called = std::make_shared<bool>(false);
  auto step = Begin(*stage, {{&sequence, 4}});
  device_state.Hold();
  stage->RunLayer(
      *step, 1, {},
      [called](const std::vector<AbsentRows>&) { *called = true; },
      [called](const std::vector<Rows>&) { *called = true; });
  step.reset();
  device_state.Release();
  // The stage continues.
  TestSequence other = MakeSequence(1, 4), expected = MakeSequence(1, 4);
  const auto whole = LoadAll();
  Run(*stage, {{&other, 4}}, whole.get());
  Run(*whole, {{&expected, 4}});
  ExpectSame(other, expected);
  EXPECT_FALSE(*called);
  EXPECT_EQ(called.use_count(), 1);
}

TEST_F(CudaExpertFaultsTest, PendingWorkIsDroppedWithTheStage) {
  auto stage = LoadAll();
  TestSequence sequence = MakeSequence(1, 4);
  const auto called = std::make_shared<bool>(false);
  auto step = Begin(*stage, {{&sequence, 4}});
  stage->RunLayer(*step, 1, Guest(), NoneAbsent,
                  [called](const std::vector<Rows>&) { *called = true; });
  events_.Wait();  // Posted, but not run.
  device_state.Hold();
  stage->RunExperts(1, Guest(),
                    [called](const std::vector<Rows>&) { *called = true; });
  step.reset();
  stage.reset();
  events_.RunPosted();
  EXPECT_FALSE(*called);
  EXPECT_EQ(called.use_count(), 1);
}

TEST_F(CudaExpertFaultsTest, AFailureIsReportedOnceAndNothingIsCalled) {
  std::promise<absl::Status> failure;
  StageDeviceOptions options;
  options.max_rows = 16;
  options.on_failure = [&](const absl::Status& status) {
    failure.set_value(status);  // Throws the second time.
  };
  const auto stage = CudaExpertStage::Load(config_, *weights_, {0},
                                           {kTestCacheBytes, CacheType::kBf16},
                                           pool_, std::move(options), nullptr);
  ASSERT_TRUE(stage.ok()) << stage.status();
  (*stage)->SetPost(events_.post());
  const auto fail = [](const auto&) { ADD_FAILURE(); };
  TestSequence sequence = MakeSequence(1, 4), other = MakeSequence(1, 4);
  const auto step = Begin(**stage, {{&sequence, 4}});
  device_state.Hold();
  (*stage)->RunLayer(*step, 1, Guest(), fail, fail);
  device_state.Fail(cudaErrorIllegalAddress);
  EXPECT_EQ(failure.get_future().get().code(), absl::StatusCode::kInternal);
  (*stage)->RunExperts(1, Guest(), fail);
  (*stage)->Resume(*step, {}, [] { ADD_FAILURE(); });
  (*stage)->Finish(*step, {}, fail);
  const auto late = Begin(**stage, {{&other, 4}});
  (*stage)->RunLayer(*late, 1, {}, fail, fail);
  events_.RunPosted();
}

}  // namespace
}  // namespace apollo
