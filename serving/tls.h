#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <prometheus/collectable.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/mutex.h"
#include "common/ticker.h"
#include "serving/call_guard.h"
#include "serving/memory_file.h"
#include "serving/peer_name.h"
#include "serving/tls_watch.h"

namespace apollo {

struct TlsOptions {
  TlsFiles files;
  std::string trust_domain = "apollo";
  // The host that the certificates of called processes must name. Empty: that
  // of their address.
  std::string server_name = {};
};

// The certificate of a process, which serves and calls with it: mutual TLS, of
// version 1.2 or 1.3, for all its ports and channels. New files are taken
// without a restart, for connections that begin afterwards; gRPC notices them
// within 2 s. Publishes apollo_tls_certificate_expiry_seconds, and
// kGuardMetrics. Thread-safe.
class Tls {
 public:
  // Reads the files. The certificate must have the role. Returns the errors of
  // ReadTlsMaterial, and FAILED_PRECONDITION naming the file if it has another
  // role or none. Starts no thread.
  static absl::StatusOr<std::shared_ptr<Tls>> Open(TlsOptions options,
                                                   PeerRole role,
                                                   absl::Time now);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // Returns the role and name in the certificate, which never change.
  const PeerName& self() const { return self_; }
  const TlsOptions& options() const { return options_; }
  // Returns when the certificate in use expires, in seconds since 1970. Never
  // waits for a file.
  std::int64_t expires() const {
    return static_cast<std::int64_t>(expiry_.Value());
  }

  // Returns credentials for a port. Each client must prove itself with a
  // certificate, or may if `optional`; `callers` limits who may call which
  // service (CallGuard). Starts the threads that follow the files.
  std::shared_ptr<grpc::ServerCredentials> ForServer(
      std::map<std::string, Callers> callers, bool optional = false);

  // Returns credentials for channels to processes of a role: see ExpectedPeer.
  // Starts the same threads.
  std::shared_ptr<grpc::ChannelCredentials> ForChannels(PeerRole role);

  // Looks for new files; see TlsWatch. The thread does so every second. For
  // tests.
  void Look(absl::Time now);

  // Reads the files now and takes what is new; see TlsWatch::ReadNow.
  absl::Status ReadNow(absl::Time now);

  const std::shared_ptr<prometheus::Registry>& metrics() const {
    return registry_;
  }

 private:
  Tls(TlsOptions options, PeerName self, TlsMaterial material,
      MemoryFile identity, MemoryFile authorities);

  absl::Status Take(const TlsMaterial& material)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> Provider();

  const TlsOptions options_;
  const PeerName self_;
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  prometheus::Gauge& expiry_;

  Mutex mutex_;
  // Certificate and key are one file, so that nobody reads one of them from
  // another state.
  MemoryFile identity_ ABSL_GUARDED_BY(mutex_);
  MemoryFile authorities_ ABSL_GUARDED_BY(mutex_);
  TlsWatch watch_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_
      ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Ticker> ticker_;  // Calls Look.
};

}  // namespace apollo
