// Any headers and claims of a call, against one policy: nobody is admitted as
// another caller than the one that the connection, the edge or the signature
// stands for.
//
// The input is a byte that says what certificate the connection has proven, and
// a series of headers: a byte for the kind, then the value after its size.

#include <absl/time/time.h>
#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "router/access/access_control.h"
#include "router/access/edge_identity.h"
#include "router/access/token_signer.h"

namespace apollo {
namespace {

constexpr char kPolicy[] = R"({"version": 1, "callers": [
  {"name": "clinic", "role": "client", "identities": {"uris": ["u:clinic"]}},
  {"name": "named", "role": "client", "identities": {"uris": ["u:named"]}},
  {"name": "portal", "role": "client", "identities": {"tokens": [
     {"issuer": "i", "audience": "a", "subject": "portal"}]}},
  {"name": "edge", "role": "edge", "identities": {"uris": ["u:edge"]}}]})";

enum Header : std::uint8_t { kBearer, kClaims, kCallerSan, kForwarded, kKinds };

// The router's access control, with a key that is drawn once.
class Door {
 public:
  Door() {
    const char* const folder = std::getenv("TEST_TMPDIR");
    const std::filesystem::path temporary =
        folder != nullptr ? std::filesystem::path(folder)
                          : std::filesystem::temp_directory_path();
    std::string name = (temporary / "callers.XXXXXX").string();
    APOLLO_CHECK(mkdtemp(name.data()) != nullptr);
    const std::string policy = name + "/policy", keys = name + "/keys";
    std::ofstream(policy) << kPolicy;
    std::ofstream(keys) << KeySet({signer_.Jwk()});
    auto access = AccessControl::Open(
        {policy, keys}, "model", Clock::Real(),
        [] { return absl::FromUnixSeconds(2'000'000'000); });
    std::filesystem::remove_all(name);
    APOLLO_CHECK(access.ok());
    access_ = *std::move(access);
  }

  std::string Sign(const std::string& claims) const {
    return "Bearer " + signer_.Sign("ES256", claims);
  }
  AccessControl& access() { return *access_; }

 private:
  const TokenSigner signer_ = TokenSigner::Ec("k1");
  std::unique_ptr<AccessControl> access_;
};

void CheckCaller(const CallEvidence& evidence, bool is_signed,
                 const std::string& name) {
  // A token counts more than a certificate, and is never overlooked.
  if (!evidence.authorization.empty()) {
    APOLLO_CHECK(is_signed && name == "portal");
    return;
  }
  APOLLO_CHECK(evidence.peer.proven);
  const std::string& uri = evidence.peer.uris.front();
  if (uri == "u:clinic") {
    APOLLO_CHECK(name == "clinic");
    return;
  }
  // The edge calls for somebody whom it has named.
  APOLLO_CHECK(uri == "u:edge" && name != "edge");
  const auto uris = UrisFromEdge(evidence);
  APOLLO_CHECK(uris.ok());
  bool named = false;
  for (const std::string& each : *uris) named |= each == "u:" + name;
  APOLLO_CHECK(named);
}

void Try(const std::uint8_t* data, std::size_t size) {
  static Door* const door = new Door;
  if (size == 0) return;
  CallEvidence evidence;
  const char* const certificates[] = {"", "u:clinic", "u:edge", "u:stranger"};
  const std::string certificate = certificates[data[0] % 4];
  evidence.peer.proven = !certificate.empty();
  if (evidence.peer.proven) evidence.peer.uris = {certificate};
  google::protobuf::io::CodedInputStream in(data + 1,
                                            static_cast<int>(size) - 1);
  bool is_signed = false;
  std::string value;
  std::uint8_t kind = 0;
  for (std::uint32_t length = 0; in.ReadRaw(&kind, 1) &&
                                 in.ReadVarint32(&length) &&
                                 in.ReadString(&value, length & 0xffff);) {
    switch (kind % kKinds) {
      case kBearer:
        evidence.authorization.push_back(value);
        break;
      case kClaims:
        is_signed = true;
        evidence.authorization.push_back(door->Sign(value));
        break;
      case kCallerSan:
        evidence.caller_san.push_back(value);
        break;
      default:
        evidence.forwarded_client.push_back(value);
    }
  }
  const Admission call = door->access().Admit(RpcMethod::kGenerate, evidence);
  const absl::StatusCode code = call.status.code();
  if (call.status.ok()) {
    CheckCaller(evidence, is_signed, call.pass->caller());
    return;
  }
  APOLLO_CHECK(code == absl::StatusCode::kUnauthenticated ||
               code == absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  apollo::Try(data, size);
  return 0;
}
