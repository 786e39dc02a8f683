#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <optional>

#include "serving/membership.h"
#include "serving/peer_name.h"
#include "serving/process_flags.h"
#include "serving/tls.h"

namespace apollo {

// The flags that protect what a process sends and receives: --tls_cert,
// --tls_key, --tls_ca, --tls_trust_domain, --tls_server_name,
// --allow_plaintext and --metrics_plaintext.

// Reads the flags of TLS; call after absl::ParseCommandLine. Returns nothing if
// no file is given, and INVALID_ARGUMENT naming the flag if one of the files is
// missing or the trust domain is malformed.
absl::StatusOr<std::optional<TlsOptions>> ReadTlsFlags();

// Opens the certificate of the process, which must have the role, for
// `flags.server`, or makes sure that it needs none. The name of the process
// becomes that of the certificate if --name is not given. Returns the errors of
// ReadTlsFlags and Tls::Open; INVALID_ARGUMENT if --name differs from the
// certificate; and FAILED_PRECONDITION, naming the flag that allows it, for a
// port in plaintext that other machines can reach. Starts no thread.
absl::Status SecureProcess(PeerRole role, absl::Time now, ProcessFlags& flags);

// Returns the check of the addresses that the process may call: all over TLS or
// with --allow_plaintext, else only local ones.
Membership::Check PeerCheck(const ProcessFlags& flags);

}  // namespace apollo
