#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serving/peer_identity.h"

namespace apollo {

// What a call brings along from which its caller is known. Each vector has all
// values of one header, of which there should be at most one.
struct CallEvidence {
  PeerIdentity peer;
  std::vector<std::string> authorization;
  std::vector<std::string> caller_san;        // x-apollo-caller-san
  std::vector<std::string> forwarded_client;  // x-forwarded-client-cert
  std::int64_t metadata_bytes = 0;
  std::int64_t message_bytes = 0;  // 0 if it has not been read.
};

}  // namespace apollo
