#include "link/frame_codec.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <utility>

#include "common/status_macros.h"
#include "link/device_codec.h"
#include "link/sampling_codec.h"
#include "link/worker_info_codec.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

// The maximum memory reserved at once for an announced payload.
constexpr std::uint64_t kReservedBytes = std::uint64_t{16} << 20;

static_assert(std::endian::native == std::endian::little,
              "payloads are little endian on the wire");

absl::Status StatusFrom(int code, const std::string& message) {
  return absl::Status(static_cast<absl::StatusCode>(code), message);
}

void ToProto(const WorkerInfo& in, pb::LinkMessage* message) {
  apollo::ToProto(in, message->mutable_info());
}

void ToProto(const Reach& in, pb::LinkMessage* message) {
  pb::Reach* out = message->mutable_reach();
  for (const int e : in.experts) out->add_experts(e);
}

void ToProto(const Progress& in, pb::LinkMessage* message) {
  pb::Progress* out = message->mutable_progress();
  out->set_regular(in.regular);
  out->set_still(in.still);
  if (in.received) out->set_received(*in.received);
}

void ToProto(const StageStep& in, pb::LinkMessage* message) {
  pb::StageStep* out = message->mutable_step();
  out->set_step(in.step);
  for (const SequenceRows& rows : in.sequences) {
    pb::SequenceRows* to = out->add_sequences();
    to->set_sequence(rows.sequence);
    to->set_attempt(rows.attempt);
    to->set_first_position(rows.first_position);
    to->mutable_tokens()->Add(rows.tokens.begin(), rows.tokens.end());
    if (rows.start) {
      pb::SequenceStart* start = to->mutable_start();
      start->set_family(rows.start->family);
      start->set_hybrid(rows.start->hybrid);
      *start->mutable_sampling() = ToProto(rows.start->sampling);
      start->set_prompt_tokens(rows.start->prompt_tokens);
      start->set_top_logprobs(rows.start->top_logprobs);
      start->set_language(rows.start->language);
      start->set_request_id(rows.start->request_id);
      start->set_score_alternatives(rows.start->score_alternatives);
      if (rows.start->trace) {
        start->set_trace(PackTraceContext(*rows.start->trace));
      }
    }
    to->set_sample(rows.sample);
    to->mutable_score_targets()->Add(rows.score_targets.begin(),
                                     rows.score_targets.end());
    to->set_unscored_rows(rows.unscored_rows);
    std::string* const hashes = to->mutable_block_hashes();
    hashes->reserve(rows.block_hashes.size() * sizeof(BlockHash));
    for (const BlockHash& hash : rows.block_hashes) {
      hashes->append(hash.bytes.begin(), hash.bytes.end());
    }
  }
}

void ToProto(const StageResult& in, pb::LinkMessage* message) {
  pb::StageResult* out = message->mutable_result();
  out->set_step(in.step);
  out->set_more(in.more);
  for (const SequenceOutput& output : in.outputs) {
    pb::SequenceOutput* to = out->add_outputs();
    to->set_sequence(output.sequence);
    to->set_attempt(output.attempt);
    to->set_position(output.position);
    if (output.sampled) {
      to->set_sampled(true);
      to->set_token(output.sampled->token);
      to->set_logprob(output.sampled->logprob);
    }
    for (const TokenLogprob& alternative : output.alternatives) {
      pb::Alternative* a = to->add_alternatives();
      a->set_token(alternative.token);
      a->set_logprob(alternative.logprob);
    }
    to->mutable_score_logprobs()->Add(output.score_logprobs.begin(),
                                      output.score_logprobs.end());
    to->mutable_expert_use()->Add(output.expert_use.begin(),
                                  output.expert_use.end());
    to->mutable_off_family()->Add(output.off_family.begin(),
                                  output.off_family.end());
    for (const TokenLogprob& a : output.score_alternatives) {
      pb::Alternative* alternative = to->add_score_alternatives();
      alternative->set_token(a.token);
      alternative->set_logprob(a.logprob);
    }
    to->set_held_tokens(output.held_tokens);
    to->mutable_held_expert_use()->Add(output.held_expert_use.begin(),
                                       output.held_expert_use.end());
    to->mutable_held_off_family()->Add(output.held_off_family.begin(),
                                       output.held_off_family.end());
    to->set_error_code(static_cast<int>(output.status.code()));
    to->set_error_message(std::string(output.status.message()));
  }
}

void ToProto(const ReleaseSequences& in, pb::LinkMessage* message) {
  pb::ReleaseSequences* out = message->mutable_release();
  for (const ReleaseSequences::Item& item : in.items) {
    pb::ReleaseSequences::Item* to = out->add_items();
    to->set_sequence(item.sequence);
    to->set_attempt(item.attempt);
  }
}

void ToProto(const ExpertRows& in, pb::LinkMessage* message) {
  pb::ExpertRows* out = message->mutable_rows();
  out->set_ticket(in.ticket);
  out->set_layer(in.layer);
  out->set_expert(in.expert);
}

void ToProto(const ExpertOutputs& in, pb::LinkMessage* message) {
  pb::ExpertOutputs* out = message->mutable_outputs();
  out->set_ticket(in.ticket);
  out->set_error_code(static_cast<int>(in.status.code()));
  out->set_error_message(std::string(in.status.message()));
}

Progress ProgressFrom(const pb::Progress& in) {
  Progress out = {in.regular(), in.still()};
  if (in.has_received()) out.received = in.received();
  return out;
}

absl::StatusOr<std::vector<BlockHash>> HashesFrom(const std::string& in) {
  constexpr std::size_t kSize = sizeof(BlockHash::bytes);
  if (in.size() % kSize != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("hashes of blocks have ", in.size(),
                     " bytes, which is no multiple of ", kSize));
  }
  std::vector<BlockHash> out(in.size() / kSize);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(i * kSize), kSize,
                out[i].bytes.begin());
  }
  return out;
}

absl::StatusOr<StageStep> StepFrom(const pb::StageStep& in) {
  StageStep out;
  out.step = in.step();
  for (const pb::SequenceRows& from : in.sequences()) {
    SequenceRows& rows = out.sequences.emplace_back();
    rows.sequence = from.sequence();
    rows.attempt = from.attempt();
    rows.first_position = static_cast<int>(from.first_position());
    rows.tokens.assign(from.tokens().begin(), from.tokens().end());
    if (from.has_start()) {
      SamplingOptions sampling;
      if (const auto wrong = FromProto(from.start().sampling(), sampling);
          !wrong.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("sampling.", wrong[0].name, " ", wrong[0].reason));
      }
      rows.start =
          SequenceStart{from.start().family(),
                        from.start().hybrid(),
                        sampling,
                        static_cast<int>(from.start().prompt_tokens()),
                        static_cast<int>(from.start().top_logprobs()),
                        from.start().language(),
                        from.start().request_id(),
                        static_cast<int>(from.start().score_alternatives()),
                        UnpackTraceContext(from.start().trace())};
    }
    rows.sample = from.sample();
    rows.score_targets.assign(from.score_targets().begin(),
                              from.score_targets().end());
    rows.unscored_rows = static_cast<int>(from.unscored_rows());
    ASSIGN_OR_RETURN(rows.block_hashes, HashesFrom(from.block_hashes()));
  }
  return out;
}

StageResult ResultFrom(const pb::StageResult& in) {
  StageResult out;
  out.step = in.step();
  out.more = in.more();
  for (const pb::SequenceOutput& from : in.outputs()) {
    SequenceOutput& output = out.outputs.emplace_back();
    output.sequence = from.sequence();
    output.attempt = from.attempt();
    output.position = static_cast<int>(from.position());
    if (from.sampled()) {
      output.sampled = TokenLogprob{from.token(), from.logprob()};
    }
    for (const pb::Alternative& a : from.alternatives()) {
      output.alternatives.push_back({a.token(), a.logprob()});
    }
    output.score_logprobs.assign(from.score_logprobs().begin(),
                                 from.score_logprobs().end());
    output.expert_use.assign(from.expert_use().begin(),
                             from.expert_use().end());
    output.off_family.assign(from.off_family().begin(),
                             from.off_family().end());
    for (const pb::Alternative& a : from.score_alternatives()) {
      output.score_alternatives.push_back({a.token(), a.logprob()});
    }
    output.status = StatusFrom(from.error_code(), from.error_message());
    output.held_tokens = static_cast<int>(from.held_tokens());
    output.held_expert_use.assign(from.held_expert_use().begin(),
                                  from.held_expert_use().end());
    output.held_off_family.assign(from.held_off_family().begin(),
                                  from.held_off_family().end());
  }
  return out;
}

using Body = decltype(Frame::body);

// Decodes the body of a frame's first message.
absl::StatusOr<Body> BodyFrom(const pb::LinkMessage& message) {
  switch (message.body_case()) {
    case pb::LinkMessage::kInfo:
      return FromProto(message.info());
    case pb::LinkMessage::kProgress:
      return ProgressFrom(message.progress());
    case pb::LinkMessage::kReach: {
      const auto& experts = message.reach().experts();
      return Reach{{experts.begin(), experts.end()}};
    }
    case pb::LinkMessage::kStep: {
      ASSIGN_OR_RETURN(StageStep step, StepFrom(message.step()));
      return step;
    }
    case pb::LinkMessage::kResult:
      return ResultFrom(message.result());
    case pb::LinkMessage::kRelease: {
      ReleaseSequences release;
      for (const auto& item : message.release().items()) {
        release.items.push_back({item.sequence(), item.attempt()});
      }
      return release;
    }
    case pb::LinkMessage::kRows:
      return ExpertRows{message.rows().ticket(),
                        static_cast<int>(message.rows().layer()),
                        static_cast<int>(message.rows().expert())};
    case pb::LinkMessage::kOutputs:
      return ExpertOutputs{message.outputs().ticket(),
                           StatusFrom(message.outputs().error_code(),
                                      message.outputs().error_message())};
    default:
      break;
  }
  Body device;
  if (DeviceBodyFrom(message, device)) return device;
  return absl::InvalidArgumentError("a frame without a known body");
}

}  // namespace

std::vector<pb::LinkMessage> EncodeFrame(const Frame& frame,
                                         std::uint64_t number) {
  std::vector<pb::LinkMessage> messages(1);
  std::visit([&](const auto& body) { ToProto(body, &messages[0]); },
             frame.body);
  const std::span<const float> numbers = frame.payload.host();
  const char* bytes = reinterpret_cast<const char*>(numbers.data());
  const std::size_t size = numbers.size_bytes();
  messages[0].set_frame(number);
  messages[0].set_payload_bytes(size);
  std::size_t done = std::min(size, kMaxPieceBytes);
  messages[0].set_payload(bytes, done);
  while (done < size) {
    pb::LinkMessage& piece = messages.emplace_back();
    piece.mutable_continuation()->set_offset(done);
    piece.set_frame(number);
    const std::size_t count = std::min(size - done, kMaxPieceBytes);
    piece.set_payload(bytes + done, count);
    done += count;
  }
  return messages;
}

absl::Status FrameDecoder::AddPiece(const pb::LinkMessage& message) {
  const std::string& piece = message.payload();
  if (piece.size() > payload_bytes_ - received_bytes_) {
    return absl::InvalidArgumentError(
        absl::StrCat("a frame's payload is longer than the ", payload_bytes_,
                     " bytes it announced"));
  }
  if (piece.empty()) return absl::OkStatus();  // data() may be null.
  // Memory grows with the received pieces, not with the announced size.
  numbers_.resize((received_bytes_ + piece.size() + sizeof(float) - 1) /
                  sizeof(float));
  std::memcpy(reinterpret_cast<char*>(numbers_.data()) + received_bytes_,
              piece.data(), piece.size());
  received_bytes_ += piece.size();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Frame>> FrameDecoder::Add(
    const pb::LinkMessage& message) {
  if (message.frame() < next_number_) return std::nullopt;  // A duplicate.
  if (message.frame() > next_number_) {
    return absl::DataLossError(absl::StrCat(
        "frame ", message.frame(), " came instead of frame ", next_number_));
  }
  if (message.body_case() == pb::LinkMessage::kContinuation) {
    if (!partial_) {
      return absl::InvalidArgumentError("a piece of a payload without a frame");
    }
    const std::uint64_t offset = message.continuation().offset();
    if (offset != 0 && offset < received_bytes_) return std::nullopt;
    if (offset > received_bytes_) {
      return absl::DataLossError(
          absl::StrCat("a piece of a payload came at byte ", offset,
                       " instead of ", received_bytes_));
    }
  } else {
    if (partial_) {
      return absl::DataLossError(
          "a frame began before the previous one was complete");
    }
    if (message.payload_bytes() > kMaxPayloadBytes ||
        message.payload_bytes() % sizeof(float) != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("a frame announces a payload of ",
                       message.payload_bytes(), " bytes"));
    }
    Frame frame;
    ASSIGN_OR_RETURN(frame.body, BodyFrom(message));
    numbers_.reserve(std::min(message.payload_bytes(), kReservedBytes) /
                     sizeof(float));
    partial_ = std::move(frame);
    payload_bytes_ = message.payload_bytes();
    received_bytes_ = 0;
  }
  RETURN_IF_ERROR(AddPiece(message));
  if (received_bytes_ < payload_bytes_) return std::nullopt;
  ++next_number_;
  std::optional<Frame> complete = std::move(partial_);
  partial_.reset();
  complete->payload =
      Rows::FromVector(std::exchange(numbers_, {}),
                       static_cast<int>(payload_bytes_ / sizeof(float)));
  return complete;
}

}  // namespace apollo
