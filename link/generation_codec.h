#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <variant>

#include "proto/apollo/internal/v1/generation.pb.h"
#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

// What routers and dense workers say to each other, on the wire and as plain
// data. Decoding refuses with INVALID_ARGUMENT, naming the field, what the
// plain data cannot hold or what is out of the range that its comments give; it
// knows nothing of a model, so whether tokens and families exist is the
// worker's to check. Fields that this version does not know are passed over.

// A router takes workers of this version and of the one before. Version 1 had
// no number yet, and neither answer_tokens nor control.
inline constexpr std::uint32_t kGenerationWireVersion = 2;

internal::v1::RunRequest ToProto(const GenerationRequest& request);
absl::StatusOr<GenerationRequest> FromProto(
    const internal::v1::RunRequest& message);

using GenerationEvent =
    std::variant<GenerationStarted, GeneratedToken, GenerationFinished>;
internal::v1::RunEvent ToProto(const GenerationStarted& started);
internal::v1::RunEvent ToProto(const GeneratedToken& token);
internal::v1::RunEvent ToProto(const GenerationFinished& finished);
absl::StatusOr<GenerationEvent> FromProto(
    const internal::v1::RunEvent& message);

internal::v1::RoutingResponse ToProto(const RoutingCounts& counts);
absl::StatusOr<RoutingCounts> FromProto(
    const internal::v1::RoutingResponse& message);

}  // namespace apollo
