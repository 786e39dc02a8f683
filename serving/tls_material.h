#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>

#include "serving/certificate.h"

namespace apollo {

// The files of --tls_cert, --tls_key and --tls_ca, all in PEM form.
struct TlsFiles {
  std::string certificate;  // Of this process, then those of its issuers.
  std::string key;          // Without a passphrase.
  std::string authorities;  // Their certificates sign those of all peers.
};

// What these files contain, checked.
struct TlsMaterial {
  std::string certificate;
  std::string key;
  std::string authorities;
  Certificate own;  // The first of `certificate`.
  bool operator==(const TlsMaterial&) const = default;
};

// Reads the files. Returns an error that names the flag and the file if one
// cannot be read, if the key is not that of the certificate, or if the
// certificate is not signed by one of the authorities or not valid at `now`.
absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files,
                                            absl::Time now);

// Returns true if users other than the owner of the file and its group may read
// it: a key is no secret then.
bool OthersMayRead(const std::string& path);

}  // namespace apollo
