#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <variant>

#include "proto/apollo/internal/v1/generation.pb.h"
#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

// Conversion of the messages between routers and dense workers to and from
// plain data. Decoding returns INVALID_ARGUMENT, naming the field, for values
// that the plain data cannot hold or that are out of the documented range. It
// knows no model: the worker checks that tokens and families exist. Unknown
// fields are ignored.

// A router supports workers of this version and the previous one. Version 1 had
// no version number, no answer_tokens and no control. Newer options of requests
// have a version of their own: kSequenceOptions.
inline constexpr std::uint32_t kGenerationWireVersion = 2;

internal::v1::RunRequest ToProto(const GenerationRequest& request);
absl::StatusOr<GenerationRequest> FromProto(
    const internal::v1::RunRequest& message);

using GenerationEvent = std::variant<GenerationStarted, PromptLogprobs,
                                     GeneratedToken, GenerationFinished>;
internal::v1::RunEvent ToProto(const GenerationStarted& started);
internal::v1::RunEvent ToProto(const PromptLogprobs& prompt);
internal::v1::RunEvent ToProto(const GeneratedToken& token);
internal::v1::RunEvent ToProto(const GenerationFinished& finished);
absl::StatusOr<GenerationEvent> FromProto(
    const internal::v1::RunEvent& message);

internal::v1::RoutingResponse ToProto(const RoutingCounts& counts);
absl::StatusOr<RoutingCounts> FromProto(
    const internal::v1::RoutingResponse& message);

}  // namespace apollo
