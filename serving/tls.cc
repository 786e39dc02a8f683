#include "serving/tls.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "serving/peer_verifier.h"
#include "serving/single_metrics.h"

namespace apollo {
namespace {

// gRPC's shortest interval.
constexpr unsigned int kRefreshSeconds = 1;

absl::Status CheckRole(const TlsOptions& options, PeerRole role,
                       const std::optional<PeerName>& found) {
  if (found && found->role == role) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "--tls_cert: ", options.files.certificate, ": the certificate ",
      found ? absl::StrCat("has the role ", RoleName(found->role))
            : absl::StrCat("has no role of the trust domain ",
                           options.trust_domain),
      "; this program needs one with the alternative name URI:",
      PeerUri(options.trust_domain, {role, "NAME"})));
}

std::string IdentityText(const TlsMaterial& material) {
  return absl::StrCat(material.key, "\n", material.certificate);
}

void WarnIfExposed(const std::string& key) {
  if (!OthersMayRead(key)) return;
  LogWarning("key_file_exposed",
             {{"file", key},
              {"reason", "every user may read the private key; chmod 600"}});
}

using CertificateProvider =
    std::shared_ptr<grpc::experimental::CertificateProviderInterface>;

// Takes the authorities, and its own certificate, from a provider. Newer
// versions of gRPC name them one by one.
template <typename Options>
void WatchFiles(Options& options, const CertificateProvider& provider) {
  if constexpr (requires { options.set_root_certificate_provider(provider); }) {
    options.set_root_certificate_provider(provider);
    options.set_identity_certificate_provider(provider);
  } else {
    options.set_certificate_provider(provider);
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
  }
}

template <typename Options>
Options MakeServerOptions(const CertificateProvider& provider) {
  if constexpr (requires { Options::Create(provider); }) {
    return *Options::Create(provider);  // Fails without a provider only.
  } else {
    return Options(provider);
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<Tls>> Tls::Open(TlsOptions options,
                                               PeerRole role, absl::Time now) {
  ASSIGN_OR_RETURN(TlsMaterial material, ReadTlsMaterial(options.files, now));
  const std::optional<PeerName> self =
      FindPeerName(material.own.uris, options.trust_domain);
  RETURN_IF_ERROR(CheckRole(options, role, self));
  ASSIGN_OR_RETURN(MemoryFile identity,
                   MemoryFile::Make(IdentityText(material)));
  ASSIGN_OR_RETURN(MemoryFile authorities,
                   MemoryFile::Make(material.authorities));
  return std::shared_ptr<Tls>(new Tls(std::move(options), *self,
                                      std::move(material), std::move(identity),
                                      std::move(authorities)));
}

Tls::Tls(TlsOptions options, PeerName self, TlsMaterial material,
         MemoryFile identity, MemoryFile authorities)
    : options_(std::move(options)),
      self_(std::move(self)),
      expiry_(AddGauge(*registry_, "apollo_tls_certificate_expiry_seconds",
                       "Unix time at which the certificate of this process "
                       "expires.")),
      identity_(std::move(identity)),
      authorities_(std::move(authorities)),
      watch_(options_.files, std::move(material),
             [this](const TlsMaterial& renewed)
                 ABSL_NO_THREAD_SAFETY_ANALYSIS { return Take(renewed); }) {
  expiry_.Set(absl::ToDoubleSeconds(watch_.current().own.not_after -
                                    absl::UnixEpoch()));
}

Tls::~Tls() = default;

absl::Status Tls::Take(const TlsMaterial& material) {
  const std::optional<PeerName> name =
      FindPeerName(material.own.uris, options_.trust_domain);
  if (name != self_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--tls_cert: ", options_.files.certificate,
        ": the new certificate must have the same alternative name as the old "
        "one: URI:",
        PeerUri(options_.trust_domain, self_)));
  }
  RETURN_IF_ERROR(authorities_.Replace(material.authorities));
  RETURN_IF_ERROR(identity_.Replace(IdentityText(material)));
  expiry_.Set(
      absl::ToDoubleSeconds(material.own.not_after - absl::UnixEpoch()));
  WarnIfExposed(options_.files.key);
  return absl::OkStatus();
}

void Tls::Look(absl::Time now) {
  MutexLock lock(mutex_);
  watch_.Look(now);
}

absl::Status Tls::ReadNow(absl::Time now) {
  MutexLock lock(mutex_);
  return watch_.ReadNow(now);
}

std::shared_ptr<grpc::experimental::CertificateProviderInterface>
Tls::Provider() {
  MutexLock lock(mutex_);
  if (provider_ != nullptr) return provider_;
  WarnIfExposed(options_.files.key);
  provider_ =
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          identity_.path(), identity_.path(), authorities_.path(),
          kRefreshSeconds);
  ticker_ = std::make_unique<Ticker>(TlsWatch::kInterval,
                                     [this] { Look(absl::Now()); });
  return provider_;
}

std::shared_ptr<grpc::ServerCredentials> Tls::ForServer(
    std::map<std::string, Callers> callers, bool optional) {
  const auto provider = Provider();
  auto options =
      MakeServerOptions<grpc::experimental::TlsServerCredentialsOptions>(
          provider);
  WatchFiles(options, provider);
  options.set_cert_request_type(
      optional ? GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY
               : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  auto credentials = grpc::experimental::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<CallGuard>(
      options_.trust_domain, std::move(callers), registry_));
  return credentials;
}

std::shared_ptr<grpc::ChannelCredentials> Tls::ForChannels(PeerRole role) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  WatchFiles(options, Provider());
  options.set_certificate_verifier(
      MakePeerVerifier({options_.trust_domain, role, options_.server_name}));
  // The verifier has checked the server for all calls of the channel.
  options.set_check_call_host(false);
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace apollo
