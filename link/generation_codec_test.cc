#include "link/generation_codec.h"

#include <absl/strings/escaping.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <tuple>

namespace apollo {
namespace {

namespace pb = internal::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// --- Every member and every field -------------------------------------------
//
// Each struct below has a non-default value in every member. ExpectAllSet
// verifies this; it names all members, so that it does not compile when one is
// added. Reflection verifies that every field of the message is set, and
// decoding must give an equal struct. So any member or field that the codec
// misses is found.

template <typename T>
void ExpectNone(const T& value, const T& fallback, int member) {
  EXPECT_FALSE(value == fallback) << "member " << member;
}

template <typename... T>
void ExpectAllDiffer(const std::tuple<const T&...>& set,
                     const std::tuple<const T&...>& fallback) {
  int member = 0;
  std::apply(
      [&](const T&... values) {
        std::apply(
            [&](const T&... others) {
              (ExpectNone(values, others, member++), ...);
            },
            fallback);
      },
      set);
}

auto Members(const LogitBias& in) {
  const auto& [a, b] = in;
  return std::tie(a, b);
}
auto Members(const SamplingOptions& in) {
  const auto& [a, b, c, d, e, f, g, h] = in;
  return std::tie(a, b, c, d, e, f, g, h);
}
auto Members(const PromptLogprobs::Token& in) {
  const auto& [a, b, c] = in;
  return std::tie(a, b, c);
}
auto Members(const PromptLogprobs& in) {
  const auto& [a, b] = in;
  return std::tie(a, b);
}
auto Members(const TokenLogprob& in) {
  const auto& [a, b] = in;
  return std::tie(a, b);
}
auto Members(const GenerationRequest& in) {
  // The deadline is that of the call, whose metadata has the trace; `shared`
  // and `hashes` stay in the router.
  const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, caller,
               deadline, r, shared, hashes, trace] = in;
  static_cast<void>(deadline);
  static_cast<void>(shared);
  static_cast<void>(hashes);
  static_cast<void>(trace);
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, caller, r);
}
auto Members(const SequenceNumerics& in) {
  const auto& [a, b] = in;
  return std::tie(a, b);
}
auto Members(const GenerationStarted& in) {
  const auto& [a, b, c, d] = in;
  return std::tie(a, b, c, d);
}
auto Members(const LayerUse& in) {
  const auto& [a, b, c] = in;
  return std::tie(a, b, c);
}
auto Members(const GeneratedToken& in) {
  const auto& [a, b, c, d, e] = in;
  return std::tie(a, b, c, d, e);
}
auto Members(const GenerationFinished& in) {
  const auto& [a, b, c] = in;
  return std::tie(a, b, c);
}
auto Members(const LanguageUse& in) {
  const auto& [a, b, c, d] = in;
  return std::tie(a, b, c, d);
}
auto Members(const RoutingCounts& in) {
  const auto& [a, b] = in;
  return std::tie(a, b);
}

template <typename T>
const T& AllSet(const T& value) {
  SCOPED_TRACE(typeid(T).name());
  ExpectAllDiffer(Members(value), Members(T()));
  return value;
}

// Fields that the codec does not handle.
const std::set<std::string> kOthers = {
    "apollo.v1.SamplingParams.choices",       // Only in the router.
    "apollo.internal.v1.RunRequest.control",  // Only in later messages.
};

void ExpectEveryField(const Message& message) {
  const auto& type = *message.GetDescriptor();
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (kOthers.contains(std::string(field.full_name()))) continue;
    if (field.is_repeated()) {
      EXPECT_GT(reflection.FieldSize(message, &field), 0) << field.full_name();
      if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (field.is_map()) continue;  // See field_coverage.cc.
      for (int k = 0; k < reflection.FieldSize(message, &field); ++k) {
        ExpectEveryField(reflection.GetRepeatedMessage(message, &field, k));
      }
      continue;
    }
    // One of the bodies of an event.
    if (field.real_containing_oneof() != nullptr &&
        !reflection.HasField(message, &field)) {
      continue;
    }
    EXPECT_TRUE(reflection.HasField(message, &field)) << field.full_name();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      ExpectEveryField(reflection.GetMessage(message, &field));
    }
  }
}

SamplingOptions Sampling() {
  return AllSet(SamplingOptions{0.5f,
                                0.25f,
                                7,
                                ~std::uint64_t{6},
                                -1.5f,
                                1.25f,
                                0.125f,
                                {AllSet(LogitBias{3, 100}), {INT_MAX, -100}}});
}

LayerUse Use(int layer) {
  return AllSet(LayerUse{layer, {1, ~std::uint64_t{0}, 0}, 9});
}

GenerationRequest Request() {
  GenerationRequest request;
  request.request_id = "r-1";
  request.prompt = {3, 0, INT_MAX};
  request.answer_tokens = 2;
  request.family = 6;
  request.hybrid = true;
  request.sampling = Sampling();
  request.max_new_tokens = INT_MAX;
  request.shorten_to_cache = true;
  request.top_logprobs = kMaxTopLogprobs;
  request.end_tokens = {0, INT_MAX};
  request.ignore_eos = true;
  request.score_tokens = 1;
  request.prompt_logprobs = kMaxTopLogprobs;
  request.language = "sw";
  request.use_with_tokens = true;
  request.priority = -kMaxPriority;
  request.cache_salt = std::string("\xff\0t", 3);
  request.caller = "ward-7";
  request.numerics = AllSet(SequenceNumerics{"cpu/f32/f16/1", "cpu/int8"});
  return AllSet(request);
}

TEST(GenerationCodecTest, ARequestIsTransferredInFull) {
  const pb::RunRequest message = ToProto(Request());
  ExpectEveryField(message);
  const auto request = FromProto(message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(*request == Request());
}

template <typename Event>
void ExpectTravels(const Event& event) {
  const pb::RunEvent message = ToProto(AllSet(event));
  ExpectEveryField(message);
  const auto back = FromProto(message);
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_TRUE(std::holds_alternative<Event>(*back));
  EXPECT_TRUE(std::get<Event>(*back) == event);
}

TEST(GenerationCodecTest, EventsAreTransferredInFull) {
  ExpectTravels(
      GenerationStarted{"dense-1", "expert-2", 48,
                        SequenceNumerics{"cpu/f32/f16/1", "cpu/int8"}});
  ExpectTravels(PromptLogprobs{
      1,
      {AllSet(PromptLogprobs::Token{77, -0.25f, {AllSet(TokenLogprob{8, -1})}}),
       {78, -0.5f, {{8, -1}, {9, -2}}}}});
  ExpectTravels(GeneratedToken{
      5, 77, -0.25f, {AllSet(TokenLogprob{8, -1})}, {Use(12), Use(13)}});
  for (const FinishCause cause : {FinishCause::kLength, FinishCause::kScored}) {
    ExpectTravels(GenerationFinished{cause, {Use(12)}, {-1.5f, -2}});
  }
  // The default cause.
  const GenerationFinished eos{FinishCause::kEos, {Use(12)}, {}};
  EXPECT_TRUE(std::get<GenerationFinished>(*FromProto(ToProto(eos))) == eos);
}

TEST(GenerationCodecTest, CountsAreTransferredInFull) {
  const RoutingCounts counts{
      absl::Seconds(1.5),
      {AllSet(LanguageUse{"de", 10, 8, {Use(12), Use(13)}})}};
  const pb::RoutingResponse message = ToProto(AllSet(counts));
  ExpectEveryField(message);
  const auto back = FromProto(message);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(*back == counts);
}

// --- Invalid messages -------------------------------------------------------

template <typename Result>
void ExpectRefused(const Result& result, const std::string& field) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument)
      << field;
  EXPECT_EQ(std::string(result.status().message()).substr(0, field.size() + 4),
            field + " is ");
}

void ExpectRefused(const std::string& field,
                   const std::function<void(pb::RunRequest&)>& change) {
  pb::RunRequest message = ToProto(Request());
  change(message);
  ExpectRefused(FromProto(message), field);
}

TEST(GenerationCodecTest, InvalidRequestsAreRefusedNamingTheField) {
  constexpr std::uint32_t kTooMany = std::uint32_t{INT_MAX} + 1;
  ExpectRefused("answer_tokens",
                [](auto& m) { m.set_answer_tokens(kTooMany); });
  ExpectRefused("family", [](auto& m) { m.set_family(-2); });
  ExpectRefused("max_new_tokens",
                [](auto& m) { m.set_max_new_tokens(kTooMany); });
  ExpectRefused("top_logprobs", [](auto& m) { m.set_top_logprobs(21); });
  ExpectRefused("score_tokens", [](auto& m) { m.set_score_tokens(kTooMany); });
  ExpectRefused("prompt_logprobs", [](auto& m) { m.set_prompt_logprobs(21); });
  ExpectRefused("priority", [](auto& m) { m.set_priority(101); });
  ExpectRefused("priority", [](auto& m) { m.set_priority(-101); });
  ExpectRefused("control",
                [](auto& m) { m.mutable_control()->set_paused(true); });
}

TEST(GenerationCodecTest, TooManyEndTokensAreRefused) {
  pb::RunRequest message = ToProto(Request());
  message.clear_end_tokens();
  for (int i = 0; i < kMaxEndTokens; ++i) message.add_end_tokens(i);
  EXPECT_TRUE(FromProto(message).ok());
  message.add_end_tokens(9);
  const absl::Status status = FromProto(message).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message().find("end_tokens has 17 tokens"), 0u) << status;
}

TEST(GenerationCodecTest, InvalidSamplingIsRefusedNamingTheField) {
  const auto refused = [](const std::string& field,
                          void (v1::SamplingParams::*set)(float),
                          std::initializer_list<float> values) {
    for (const float value : values) {
      ExpectRefused("sampling." + field, [&](pb::RunRequest& message) {
        (message.mutable_sampling()->*set)(value);
      });
    }
  };
  using P = v1::SamplingParams;
  refused("temperature", &P::set_temperature, {-0.1f, 100.5f, NAN, INFINITY});
  refused("top_p", &P::set_top_p, {-0.1f, 1.1f, NAN});
  refused("presence_penalty", &P::set_presence_penalty, {-2.1f, 2.1f, NAN});
  refused("frequency_penalty", &P::set_frequency_penalty, {-2.1f, 2.1f, NAN});
  refused("min_p", &P::set_min_p, {-0.1f, 1.1f, NAN});
  ExpectRefused("sampling.top_k",
                [](auto& m) { m.mutable_sampling()->set_top_k(1u << 31); });
  for (const auto& [token, bias] :
       {std::pair(-1, 1.0f), {7, 100.5f}, {7, -100.5f}, {7, NAN}}) {
    pb::RunRequest message = ToProto(Request());
    (*message.mutable_sampling()->mutable_logit_bias())[token] = bias;
    const absl::Status status = FromProto(message).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message().find("sampling.logit_bias has "), 0u) << status;
  }
}

TEST(GenerationCodecTest, OnlyRequestsWithNewOptionsNeedNewWorkers) {
  GenerationRequest request = Request();
  EXPECT_TRUE(NeedsNewOptions(request));
  request.prompt_logprobs.reset();
  EXPECT_TRUE(NeedsNewOptions(request));
  request.sampling.logit_bias.clear();
  EXPECT_TRUE(NeedsNewOptions(request));
  request.sampling.min_p = 0;
  EXPECT_FALSE(NeedsNewOptions(request));
  request.prompt_logprobs = 0;
  EXPECT_TRUE(NeedsNewOptions(request));
}

TEST(GenerationCodecTest, AMissingTopPIsOne) {
  pb::RunRequest message = ToProto(Request());
  message.mutable_sampling()->clear_top_p();
  EXPECT_EQ(FromProto(message)->sampling.top_p, 1.0f);
}

TEST(GenerationCodecTest, InvalidEventsAreRefusedNamingTheField) {
  pb::RunEvent event;
  ExpectRefused(FromProto(event), "event");
  event.mutable_started()->set_cached_tokens(1u << 31);
  ExpectRefused(FromProto(event), "started.cached_tokens");
  event.mutable_token()->set_index(1u << 31);
  ExpectRefused(FromProto(event), "token.index");
  event.mutable_prompt()->set_index(1u << 31);
  ExpectRefused(FromProto(event), "prompt.index");
  event = ToProto(GeneratedToken{0, 1, -1, {}, {Use(1), Use(2)}});
  event.mutable_token()->mutable_expert_use(1)->set_layer(1u << 31);
  ExpectRefused(FromProto(event), "token.expert_use[1].layer");
  event.mutable_finished();
  ExpectRefused(FromProto(event), "finished.reason");
  event.mutable_finished()->set_reason(
      static_cast<pb::RunFinished::Reason>(99));
  ExpectRefused(FromProto(event), "finished.reason");
}

TEST(GenerationCodecTest, InvalidCountsAreRefusedNamingTheField) {
  for (const double seconds : {-1.0, double{NAN}}) {
    pb::RoutingResponse message;
    message.set_covered_seconds(seconds);
    ExpectRefused(FromProto(message), "covered_seconds");
  }
}

// --- Previous wire versions -------------------------------------------------
//
// Bytes written by processes of these versions. They must be readable as long
// as the version is supported, so no field's number or type may change.

template <typename T>
T Bytes(const std::string& hex) {
  T message;
  EXPECT_TRUE(message.ParseFromString(absl::HexStringToBytes(hex)));
  return message;
}

TEST(GenerationCodecTest, RequestsOfVersionOneAreRead) {
  GenerationRequest request = Request();
  request.answer_tokens = 0;  // Version 1 did not have it, nor these options.
  request.prompt_logprobs.reset();
  request.end_tokens.clear();
  request.numerics.reset();
  request.caller.clear();
  request.sampling.min_p = 0;
  request.sampling.logit_bias.clear();
  const auto read = FromProto(Bytes<pb::RunRequest>(
      "0a03722d3112070300ffffffff07180620012a210d0000003f150000803e"
      "180720f9ffffffffffffffff012d0000c0bf350000a03f30ffffffff0738"
      "144001480152027377580160c7016a03ff00747001"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == request);
}

TEST(GenerationCodecTest, EventsOfVersionOneAreRead) {
  const auto read = [](const std::string& hex) {
    return *FromProto(Bytes<pb::RunEvent>(hex));
  };
  EXPECT_TRUE(std::get<GenerationStarted>(
                  read("0a150a0764656e73652d3112086578706572742d321830")) ==
              (GenerationStarted{"dense-1", "expert-2", 48}));
  EXPECT_TRUE(
      std::get<GeneratedToken>(read(
          "123a0805104d1d000080be2207080815000080bf2a12080c120c01ffffff"
          "ffffffffffff010018092a12080d120c01ffffffffffffffffff01001809")) ==
      (GeneratedToken{5, 77, -0.25f, {{8, -1}}, {Use(12), Use(13)}}));
  EXPECT_TRUE(
      std::get<GenerationFinished>(
          read("1a2008031212080c120c01ffffffffffffffffff010018091a080000c0bf"
               "000000c0")) ==
      (GenerationFinished{FinishCause::kScored, {Use(12)}, {-1.5f, -2}}));
}

TEST(GenerationCodecTest, CountsOfVersionOneAreRead) {
  const auto counts = FromProto(Bytes<pb::RoutingResponse>(
      "09000000000000f83f12300a026465100a18082212080c120c01ffffffff"
      "ffffffffff010018092212080d120c01ffffffffffffffffff01001809"));
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_TRUE(*counts == (RoutingCounts{absl::Seconds(1.5),
                                        {{"de", 10, 8, {Use(12), Use(13)}}}}));
}

}  // namespace
}  // namespace apollo
