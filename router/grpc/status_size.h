#pragma once

#include <cstddef>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo {

// The bound of a response for clients that name none: gRPC clients accept 4 MiB
// by default.
inline constexpr std::size_t kMostStatusBytes = 4'000'000;
// Smaller bounds count as this one: it has room for 1,000 callers and all
// families.
inline constexpr std::size_t kLeastStatusBytes = 1 << 20;

// Returns the bound for a request.
std::size_t MostBytesOf(const v1::GetStatusRequest& request);

// Shortens a response to `most_bytes`, in steps, of which it takes as few as
// needed: sums by layer in place of the experts of all placement reports;
// numbers in place of the lists of experts by layer; without the last
// processes, which are counted. Callers and families stay.
void ShortenStatus(std::size_t most_bytes, v1::GetStatusResponse& response);

}  // namespace apollo
