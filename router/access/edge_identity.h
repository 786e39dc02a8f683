#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "router/access/call_evidence.h"

namespace apollo {

// Returns true if a header names a caller on behalf of whom an edge calls.
bool NamesCaller(const CallEvidence& evidence);

// Returns the URI names that an edge proxy gives as those of its client's
// certificate: the value of x-apollo-caller-san, or the URIs in the last
// element of x-forwarded-client-cert, which is that of the nearest proxy.
// Returns UNAUTHENTICATED if there are two headers, or none with a URI. Only
// for calls whose own certificate is an edge's.
absl::StatusOr<std::vector<std::string>> UrisFromEdge(
    const CallEvidence& evidence);

// Returns the values of the key "URI" in the last element of a header of Envoy:
// elements are separated by commas, pairs KEY=VALUE by semicolons, and values
// may be quoted. Keys have any case.
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers)
std::vector<std::string> UrisOfForwardedClient(std::string_view header);

}  // namespace apollo
