// Tests that every field of every frame is transferred: none is missing from
// the test values, the encoded messages or the decoded frames.
#include <gtest/gtest.h>

#include <tuple>
#include <utility>

#include "common/rows_testing.h"
#include "link/field_coverage.h"
#include "link/frame_codec.h"

namespace apollo {
namespace {

using Message = internal::v1::LinkMessage;

// All members of each struct. A new member fails to compile here; then FullX
// below must set it, too.
auto Members(const LayerExperts& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const WorkerInfo& x) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v,
               w, y, z, aa, bb, cc, dd] = x;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u,
                  v, w, y, z, aa, bb, cc, dd);
}
auto Members(const PlacedExpert& x) {
  const auto& [a, b, c, d, e, f, g, h] = x;
  return std::tie(a, b, c, d, e, f, g, h);
}
auto Members(const PlacementReport& x) {
  const auto& [a, b, c, d, e, f, g, h] = x;
  return std::tie(a, b, c, d, e, f, g, h);
}
auto Members(const DeviceTransport& x) {
  const auto& [a, b, c, d] = x;
  return std::tie(a, b, c, d);
}
auto Members(const DeviceOpen& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const DeviceCredit& x) {
  const auto& [a, b, c, d] = x;
  return std::tie(a, b, c, d);
}
auto Members(const DevicePayload& x) {
  const auto& [a, b, c, d, e] = x;
  return std::tie(a, b, c, d, e);
}
auto Members(const DeviceFailed& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const DeviceEnded& x) {
  const auto& [a, b, c] = x;
  return std::tie(a, b, c);
}
auto Members(const DeviceResend& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const Reach& x) {
  const auto& [a] = x;
  return std::tie(a);
}
auto Members(const Progress& x) {
  const auto& [a, b, c] = x;
  return std::tie(a, b, c);
}
auto Members(const LogitBias& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const SamplingOptions& x) {
  const auto& [a, b, c, d, e, f, g, h] = x;
  return std::tie(a, b, c, d, e, f, g, h);
}
auto Members(const SequenceStart& x) {
  const auto& [a, b, c, d, e, f, g, h, i] = x;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
auto Members(const SequenceRows& x) {
  const auto& [a, b, c, d, e, f, g, h, i] = x;
  return std::tie(a, b, c, d, e, f, g, h, i);
}
auto Members(const StageStep& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const TokenLogprob& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const SequenceOutput& x) {
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = x;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
}
auto Members(const StageResult& x) {
  const auto& [a, b, c] = x;
  return std::tie(a, b, c);
}
auto Members(const ReleaseSequences::Item& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}
auto Members(const ReleaseSequences& x) {
  const auto& [a] = x;
  return std::tie(a);
}
auto Members(const ExpertRows& x) {
  const auto& [a, b, c] = x;
  return std::tie(a, b, c);
}
auto Members(const ExpertOutputs& x) {
  const auto& [a, b] = x;
  return std::tie(a, b);
}

// Expects that no member has its default value, which it would keep if it were
// not transferred.
template <typename T>
T EveryMemberSet(T full) {
  const T unset{};
  const auto values = Members(full);
  const auto nothing = Members(unset);
  int member = 0;
  const auto check = [&member](bool unset) {
    EXPECT_FALSE(unset) << "member " << member << " of a struct is not set";
    ++member;
  };
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (check(std::get<i>(values) == std::get<i>(nothing)), ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(values)>>());
  return full;
}

WorkerInfo FullInfo() {
  LayerExperts resident(std::set<int>{0, 3, 1023});
  resident.in_layer = {{5, {1, 2}}, {6, {7}}};
  LayerExperts reaches(std::set<int>{0, 1, 3});
  reaches.in_layer = {{6, {4}}};
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = "e-1";
  info.model_hash = "abc";
  info.version = "1.2";
  info.resident = EveryMemberSet(resident);
  info.cache_tokens = 1ll << 40;
  info.instance = 1ull << 63 | 1;
  info.wire_version = 77;
  info.oldest_wire_version = 76;
  info.numerics = "cpu/int8/f16/1";
  info.config_hash = "c";
  info.tokenizer_hash = "t";
  info.reaches = EveryMemberSet(reaches);
  info.running_sequences = 12;
  info.queued_rows = 1000;
  info.draining = true;
  info.cache_tokens_used = 1ll << 39;
  info.rows_computed = 1ll << 42;
  info.certificate_expires = 1ll << 33;
  info.placement = EveryMemberSet(
      PlacementReport{{EveryMemberSet(PlacedExpert{5, 1, ExpertHold::kStandby,
                                                   1ll << 40, 7, 8, 9, 10}),
                       {6, 2, ExpertHold::kFlag},
                       {6, 3, ExpertHold::kAbsent},
                       {6, 4, ExpertHold::kFile},
                       {6, 5, ExpertHold::kAuto}},
                      "expert 5 loaded",
                      1ll << 41,
                      true,
                      14,
                      true,
                      true,
                      true});
  info.hand_over = true;
  info.ready = true;
  info.revision = 1ull << 40;
  info.sequence_options = 5;
  info.takes_parts = false;
  info.keeps_placement = true;
  info.keeps_prefixes = true;
  info.same_placement = true;
  info.device_transport =
      EveryMemberSet(DeviceTransport{22809, "host", "gpu", true});
  return EveryMemberSet(info);
}

StageStep FullStep() {
  const SamplingOptions sampling = EveryMemberSet(
      SamplingOptions{0.7f,
                      0.9f,
                      40,
                      1ull << 63,
                      -1.5f,
                      2.f,
                      0.25f,
                      {EveryMemberSet(LogitBias{1, -100.f}), {259, 0.5f}}});
  const SequenceStart start = EveryMemberSet(SequenceStart{
      5, true, sampling, 77, 4, "sw", "r-1", 20, TraceContext{{1}, {2}, true}});
  // No correct peer sends such a position with a start, but decoding accepts
  // it.
  const SequenceRows rows = EveryMemberSet(SequenceRows{
      1ull << 61,
      3,
      4095,
      {0, 259, 7},
      start,
      true,
      {259, 7},
      1,
      {{{1, 2, 3}}, {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255}}}});
  return EveryMemberSet(StageStep{
      1ull << 62,
      {rows,
       {9, 1, 0, {5}, SequenceStart{-1, false, {}, 1, 0, "", ""}, true, {}, 0},
       {8, 1, 1, {5}, {}, false, {}, 0}}});
}

StageResult FullResult() {
  const SequenceOutput output =
      EveryMemberSet(SequenceOutput{1ull << 60,
                                    2,
                                    9,
                                    EveryMemberSet(TokenLogprob{12, -0.5f}),
                                    {{12, -0.5f}, {0, -7.f}},
                                    {-1.f, -2.f},
                                    {4, 0, 0xffffffffu},
                                    absl::ResourceExhaustedError("full"),
                                    {7, 0xfffffffeu},
                                    {{3, -1.f}, {0, -2.f}},
                                    4096,
                                    {9, 0, 0xfffffffdu},
                                    {6, 0xfffffffcu}});
  return EveryMemberSet(StageResult{
      1ull << 59, {output, {2, 1, 0, {}, {}, {}, {}, {}, {}}}, true});
}

ReleaseSequences FullRelease() {
  return EveryMemberSet(ReleaseSequences{
      {EveryMemberSet(ReleaseSequences::Item{1ull << 60, 9}), {7, 1}}});
}

// A frame of each kind with all fields set.
std::vector<Frame> FullFrames() {
  std::vector<Frame> frames;
  frames.push_back({FullInfo()});
  frames.push_back({EveryMemberSet(Reach{{0, 5}})});
  frames.push_back({EveryMemberSet(Progress{true, true, 1ull << 39})});
  frames.push_back({FullStep(), Rows::FromVector({1, 2}, 1)});
  frames.push_back({WorkerInfo()});  // Has takes_parts.
  frames.push_back({FullResult()});
  frames.push_back({FullRelease()});
  frames.push_back({EveryMemberSet(ExpertRows{1ull << 59, 23, 6}),
                    Rows::FromVector({3}, 1)});
  std::vector<float> large(kMaxPieceBytes / sizeof(float) + 1, 5.f);
  frames.push_back(
      {EveryMemberSet(ExpertOutputs{4, absl::NotFoundError("gone")}),
       Rows::FromVector(std::move(large), 1)});
  frames.push_back({EveryMemberSet(DeviceOpen{1ull << 40, {0, 1, 2}})});
  frames.push_back({EveryMemberSet(
      DeviceCredit{1ull << 41, 1ull << 42, 1ull << 43, 1ull << 44})});
  frames.push_back({EveryMemberSet(
      DevicePayload{1ull << 45, 1ull << 46, 512, 4096, RowType::kBf16})});
  frames.push_back({EveryMemberSet(DeviceFailed{1ull << 47, "late"})});
  frames.push_back({EveryMemberSet(DeviceEnded{1ull << 48, 5, "dead"})});
  frames.push_back({EveryMemberSet(DeviceResend{1ull << 49, 1ull << 50}),
                    Rows::FromVector({4, 5}, 1)});
  return frames;
}

TEST(FrameFieldsTest, EveryFieldOfEveryMessageIsEncoded) {
  FieldCoverage coverage;
  for (const Frame& frame : FullFrames()) {
    for (const Message& message : EncodeFrame(frame, 1)) coverage.Add(message);
  }
  // Only the router uses the number of choices.
  EXPECT_EQ(coverage.Missing(*Message::descriptor()),
            std::vector<std::string>{"apollo.v1.SamplingParams.choices"});
}

TEST(FrameFieldsTest, EveryKindOfFrameIsTried) {
  std::set<std::size_t> kinds;
  for (const Frame& frame : FullFrames()) kinds.insert(frame.body.index());
  EXPECT_EQ(kinds.size(), std::variant_size_v<decltype(Frame::body)>);
}

TEST(FrameFieldsTest, DecodingRestoresTheEncodedFrame) {
  FrameDecoder decoder;
  std::uint64_t number = 0;
  for (const Frame& frame : FullFrames()) {
    std::optional<Frame> decoded;
    for (const Message& message : EncodeFrame(frame, number)) {
      auto added = decoder.Add(message);
      ASSERT_TRUE(added.ok()) << added.status();
      if (added->has_value()) decoded = *std::move(added);
    }
    ASSERT_TRUE(decoded.has_value()) << "frame " << number;
    EXPECT_TRUE(decoded->body == frame.body) << "frame " << number;
    EXPECT_EQ(Numbers(decoded->payload), Numbers(frame.payload))
        << "frame " << number;
    ++number;
  }
}

TEST(FieldCoverageTest, NamesFieldsThatAreNeverSet) {
  Message message;
  message.mutable_rows()->set_ticket(1);
  FieldCoverage coverage;
  coverage.Add(message);
  const std::vector<std::string> missing =
      coverage.Missing(*internal::v1::ExpertRows::descriptor());
  EXPECT_EQ(missing,
            (std::vector<std::string>{"apollo.internal.v1.ExpertRows.expert",
                                      "apollo.internal.v1.ExpertRows.layer"}));
}

}  // namespace
}  // namespace apollo
