#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

namespace apollo {

// The parts of an X.509 certificate (RFC 5280) that the cluster uses.
struct Certificate {
  absl::Time not_before;
  absl::Time not_after;
  std::vector<std::string> uris;       // Subject alternative names.
  std::vector<std::string> dns_names;  // The same.
  std::string sha256;                  // Of the DER form, in lower-case hex.
  bool operator==(const Certificate&) const = default;
};

// Parses the first certificate of a PEM text. Returns INVALID_ARGUMENT if there
// is none, or if a time or name in it is malformed. Thread-safe, as all of
// these functions.
absl::StatusOr<Certificate> ParseCertificate(const std::string& pem);

// Checks that the private key belongs to the first certificate. Returns
// INVALID_ARGUMENT if not, or if one of them cannot be read: a key with a
// passphrase cannot.
absl::Status CheckKey(const std::string& certificate_pem,
                      const std::string& key_pem);

// Checks that the first certificate is signed by a certificate of `ca_pem`,
// perhaps through the others of its own text, and that all of them are valid at
// `now`. Returns FAILED_PRECONDITION with the reason, or INVALID_ARGUMENT if a
// text cannot be read.
absl::Status CheckIssuer(const std::string& certificate_pem,
                         const std::string& ca_pem, absl::Time now);

// Returns true if the first certificate names that host, a DNS name or an IP
// address without brackets, among its subject alternative names (RFC 6125; a
// wildcard stands for one label). The common name does not count.
bool NamesHost(const std::string& certificate_pem, const std::string& host);

}  // namespace apollo
