#include "serving/peer_verifier.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <optional>
#include <utility>

#include "serving/certificate.h"
#include "serving/host_port.h"

namespace apollo {
namespace {

using grpc::experimental::ExternalCertificateVerifier;
using Request = grpc::experimental::TlsCustomVerificationCheckRequest;

// Returns the host of a target, as certificates name it.
std::string HostOf(std::string target) {
  if (const std::size_t end = target.rfind(']'); end != std::string::npos) {
    return target.substr(1, end - 1);
  }
  // More than one colon: an IPv6 address without a port.
  if (target.find(':') != target.rfind(':')) return target;
  const std::optional<HostPort> parsed = ParseHostPort(target);
  return parsed ? parsed->host : target;
}

grpc::Status Refused(const std::string& reason) {
  return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, reason);
}

class PeerVerifier final : public ExternalCertificateVerifier {
 public:
  explicit PeerVerifier(ExpectedPeer expected)
      : expected_(std::move(expected)) {}

  bool Verify(Request* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const grpc::string_ref pem = request->peer_cert();
    const grpc::string_ref target = request->target_name();
    *status = CheckServer(expected_, std::string(pem.data(), pem.size()),
                          std::string(target.data(), target.size()));
    return true;  // At once: `status` is the answer.
  }
  void Cancel(Request*) override {}

 private:
  const ExpectedPeer expected_;
};

}  // namespace

grpc::Status CheckServer(const ExpectedPeer& expected,
                         const std::string& certificate_pem,
                         const std::string& target) {
  const absl::StatusOr<Certificate> certificate =
      ParseCertificate(certificate_pem);
  if (!certificate.ok()) {
    return Refused("the server's certificate cannot be read");
  }
  const std::optional<PeerName> peer =
      FindPeerName(certificate->uris, expected.trust_domain);
  if (!peer || peer->role != expected.role) {
    return Refused(
        absl::StrCat("the server's certificate ",
                     peer ? absl::StrCat("has the role ", RoleName(peer->role))
                          : absl::StrCat("has no role of the trust domain ",
                                         expected.trust_domain),
                     "; it must have the role ", RoleName(expected.role)));
  }
  const std::string host =
      expected.host.empty() ? HostOf(target) : expected.host;
  if (!NamesHost(certificate_pem, host)) {
    return Refused(absl::StrCat("the server's certificate does not name ", host,
                                " among its alternative names"));
  }
  return grpc::Status::OK;
}

std::shared_ptr<grpc::experimental::CertificateVerifier> MakePeerVerifier(
    ExpectedPeer expected) {
  return ExternalCertificateVerifier::Create<PeerVerifier>(std::move(expected));
}

}  // namespace apollo
