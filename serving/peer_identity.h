#pragma once

#include <string>
#include <vector>

namespace apollo {

// The identity that the other end of a connection has proven with its
// certificate. Names are those of the certificate's subject alternative names;
// its common name counts for nothing.
struct PeerIdentity {
  bool proven = false;  // False over plaintext: everything else is empty.
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
  std::string certificate_sha256;  // Of its DER form, in lower-case hex.
  bool operator==(const PeerIdentity&) const = default;
};

}  // namespace apollo
