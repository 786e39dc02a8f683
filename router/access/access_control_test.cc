#include "router/access/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "common/fake_clock.h"
#include "router/access/access_metrics.h"
#include "router/access/quota_refusal.h"
#include "router/access/token_signer.h"

namespace apollo {
namespace {

using testing::HasSubstr;
using testing::Not;
using Code = absl::StatusCode;

const absl::Time kNow = absl::FromUnixSeconds(2'000'000'000);

constexpr char kPolicy[] = R"({"version": 1, "callers": [
  {"name": "clinic", "role": "client", "identities": {
     "uris": ["u:clinic"], "dns_names": ["clinic.example"],
     "certificate_sha256": [
       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]},
   "limits": {"message_bytes": 100, "metadata_bytes": 50}},
  {"name": "portal", "role": "client", "identities": {"tokens": [
     {"issuer": "https://login", "audience": "apollo", "subject": "portal"},
     {"issuer": "https://login", "audience": "apollo", "claim": "client_id",
      "value": "mobile"}]},
   "limits": {"requests_per_second": 1, "requests_burst": 2}},
  {"name": "ops", "role": "operator", "identities": {"uris": ["u:ops"]}},
  {"name": "other-model", "role": "client", "models": ["large"],
   "identities": {"uris": ["u:other-model"]}},
  {"name": "edge-a", "role": "edge", "identities": {"uris": ["u:edge"]}},
  {"name": "edge-b", "role": "edge", "identities": {"uris": ["u:edge-b"]}}]})";

CallEvidence Certificate(const std::string& uri) {
  CallEvidence evidence;
  evidence.peer.proven = true;
  evidence.peer.uris = {uri};
  return evidence;
}

class AccessControlTest : public testing::Test {
 protected:
  AccessControlTest()
      : policy_file_(testing::TempDir() + "/policy.json"),
        keys_file_(testing::TempDir() + "/keys.json") {
    Write(policy_file_, kPolicy);
    Write(keys_file_, KeySet({signer_.Jwk()}));
    Open();
  }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc) << text;
  }

  void Open() {
    auto access = AccessControl::Open({policy_file_, keys_file_}, "small",
                                      clock_, [] { return kNow; });
    ASSERT_TRUE(access.ok()) << access.status();
    access_ = *std::move(access);
  }

  // Returns the name of the caller of a call, or the code of its refusal.
  std::string CallerOf(const CallEvidence& evidence,
                       RpcMethod method = RpcMethod::kGenerate) {
    const Admission admission = access_->Admit(method, evidence);
    return admission.status.ok()
               ? admission.pass->caller()
               : absl::StatusCodeToString(admission.status.code());
  }

  std::string Token(const std::string& claims) {
    return "Bearer " + signer_.Sign("ES256", R"({"iss": "https://login",
        "exp": 2000000100, )" + claims + "}");
  }

  std::string Metrics() {
    return prometheus::TextSerializer().Serialize(
        AccessMetrics(access_->ledger()).Collect());
  }

  const TokenSigner signer_ = TokenSigner::Ec("k1");
  const std::string policy_file_;
  const std::string keys_file_;
  FakeClock clock_;
  std::unique_ptr<AccessControl> access_;
};

TEST_F(AccessControlTest, EachIdentityAloneIsEnough) {
  EXPECT_EQ(CallerOf(Certificate("u:clinic")), "clinic");
  CallEvidence evidence;
  evidence.peer.proven = true;
  evidence.peer.dns_names = {"x", "clinic.example"};
  EXPECT_EQ(CallerOf(evidence), "clinic");
  evidence.peer.dns_names = {};
  evidence.peer.certificate_sha256 = std::string(64, 'a');
  EXPECT_EQ(CallerOf(evidence), "clinic");
  evidence = {};
  evidence.authorization = {Token(R"("aud": "apollo", "sub": "portal")")};
  EXPECT_EQ(CallerOf(evidence), "portal");
  evidence.authorization = {
      Token(R"("aud": ["x", "apollo"], "client_id": "mobile")")};
  EXPECT_EQ(CallerOf(evidence), "portal");
}

TEST_F(AccessControlTest, StrangersAreRefused) {
  EXPECT_EQ(CallerOf({}), "UNAUTHENTICATED");
  EXPECT_EQ(CallerOf(Certificate("u:stranger")), "PERMISSION_DENIED");
  // Names count only if the other end has proven them.
  CallEvidence unproven = Certificate("u:clinic");
  unproven.peer.proven = false;
  EXPECT_EQ(CallerOf(unproven), "UNAUTHENTICATED");
  // One certificate of two callers.
  CallEvidence two = Certificate("u:clinic");
  two.peer.uris.push_back("u:ops");
  EXPECT_EQ(CallerOf(two), "PERMISSION_DENIED");
}

TEST_F(AccessControlTest, TokensOfOthersAreRefused) {
  CallEvidence evidence;
  for (const char* claims :
       {R"("aud": "billing", "sub": "portal")",
        R"("aud": "apollo", "sub": "stranger")",
        R"("aud": "apollo", "client_id": "portal")", R"("aud": "apollo")"}) {
    evidence.authorization = {Token(claims)};
    EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED") << claims;
  }
  evidence.authorization = {
      "Bearer " +
      signer_.Sign("ES256", R"({"iss": "https://evil", "aud": "apollo",
                               "sub": "portal", "exp": 2000000100})")};
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");
}

// A certificate must not make up for a token that has expired.
TEST_F(AccessControlTest, AWrongTokenIsNeverOverlooked) {
  CallEvidence evidence = Certificate("u:clinic");
  evidence.authorization = {"Bearer x.y.z"};
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
  evidence.authorization = {"Basic abc"};
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
  const std::string token = Token(R"("aud": "apollo", "sub": "portal")");
  evidence.authorization = {token, token};
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
  evidence.authorization = {token};
  EXPECT_EQ(CallerOf(evidence), "portal");
}

TEST_F(AccessControlTest, OnlyAnEdgeNamesOthers) {
  CallEvidence evidence = Certificate("u:edge");
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");  // Calls nothing itself.
  evidence.caller_san = {"u:clinic"};
  EXPECT_EQ(CallerOf(evidence), "clinic");
  evidence.caller_san = {"u:stranger"};
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");
  evidence.caller_san = {"u:edge-b"};
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");
  evidence.caller_san = {};
  evidence.forwarded_client = {"By=u:edge;URI=u:clinic"};
  EXPECT_EQ(CallerOf(evidence), "clinic");
  EXPECT_THAT(Metrics(), HasSubstr("apollo_caller_headers_ignored_total 0"));
}

TEST_F(AccessControlTest, TheHeaderOfAnotherIsIgnoredAndCounted) {
  CallEvidence evidence = Certificate("u:clinic");
  evidence.caller_san = {"u:ops"};
  EXPECT_EQ(CallerOf(evidence), "clinic");
  evidence = {};
  evidence.forwarded_client = {"URI=u:ops"};
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
  EXPECT_THAT(Metrics(), HasSubstr("apollo_caller_headers_ignored_total 2"));
}

TEST_F(AccessControlTest, WhatIsNotListedIsDenied) {
  const CallEvidence clinic = Certificate("u:clinic");
  EXPECT_EQ(CallerOf(clinic, RpcMethod::kGetStatus), "PERMISSION_DENIED");
  EXPECT_EQ(CallerOf(Certificate("u:ops"), RpcMethod::kGetStatus), "ops");
  const char* reflection =
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  EXPECT_EQ(access_->AdmitPath(reflection, clinic).code(),
            Code::kPermissionDenied);
  EXPECT_TRUE(access_->AdmitPath(reflection, Certificate("u:ops")).ok());
  // Not even operators may call what nobody knows.
  EXPECT_EQ(access_->AdmitPath("/apollo.v2.X/Y", Certificate("u:ops")).code(),
            Code::kPermissionDenied);
  EXPECT_EQ(access_->AdmitPath("/apollo.v2.X/Y", {}).code(),
            Code::kUnauthenticated);
  EXPECT_EQ(CallerOf(Certificate("u:other-model")), "PERMISSION_DENIED");
}

TEST_F(AccessControlTest, SizesAreLimitedByCaller) {
  CallEvidence evidence = Certificate("u:clinic");
  evidence.message_bytes = 100;
  evidence.metadata_bytes = 50;
  EXPECT_EQ(CallerOf(evidence), "clinic");
  evidence.message_bytes = 101;
  EXPECT_EQ(CallerOf(evidence), "INVALID_ARGUMENT");
  evidence.message_bytes = 0;
  evidence.metadata_bytes = 51;
  EXPECT_EQ(CallerOf(evidence), "INVALID_ARGUMENT");
  EXPECT_THAT(Metrics(), HasSubstr("apollo_caller_limited_total{caller=\""
                                   "clinic\",limit=\"metadata_bytes\"} 1"));
}

TEST_F(AccessControlTest, SizesOfAllCallersAreLimited) {
  Write(policy_file_, R"({"version": 1, "callers": [{"name": "new",
      "role": "client", "identities": {"uris": ["u:new"]}}],
      "overall": {"message_bytes": 100}})");
  access_->Reload();
  CallEvidence evidence = Certificate("u:new");
  evidence.message_bytes = 101;
  const Admission refused = access_->Admit(RpcMethod::kScore, evidence);
  EXPECT_EQ(refused.status.message(),
            "the message has 101 bytes; a caller may send at most 100");
  EXPECT_THAT(Metrics(), HasSubstr("apollo_caller_limited_total{caller=\""
                                   "new\",limit=\"all_message_bytes\"} 1"));
}

// Otherwise nothing would bound the calls that a known caller may not make.
TEST_F(AccessControlTest, RefusedCallsTakeRequests) {
  const std::string unlimited = R"({"version": 1, "callers": [{"name": "new",
      "role": "client", "identities": {"uris": ["u:new"]},
      "limits": {"streams": 1, "message_bytes": 10)";
  CallEvidence evidence = Certificate("u:new"), large = evidence;
  large.message_bytes = 11;
  Write(policy_file_, unlimited + R"(, "requests_per_second": 1,
      "requests_burst": 4}}]})");
  access_->Reload();
  EXPECT_EQ(access_->AdmitPath("/no.Service/M", evidence).code(),
            Code::kPermissionDenied);
  EXPECT_EQ(CallerOf(evidence, RpcMethod::kGetStatus), "PERMISSION_DENIED");
  // Twice: it has given the only stream back.
  EXPECT_EQ(CallerOf(large), "INVALID_ARGUMENT");
  EXPECT_EQ(CallerOf(large), "INVALID_ARGUMENT");
  EXPECT_EQ(access_->AdmitPath("/no.Service/M", evidence).code(),
            Code::kResourceExhausted);
  EXPECT_EQ(CallerOf(evidence, RpcMethod::kGetStatus), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(CallerOf(large), "RESOURCE_EXHAUSTED");
}

TEST_F(AccessControlTest, ARefusalNamesTheCallerIfItIsKnown) {
  CallEvidence evidence = Certificate("u:clinic");
  evidence.peer.certificate_sha256 = std::string(64, 'b');
  Admission refused = access_->Admit(RpcMethod::kGetStatus, evidence);
  EXPECT_EQ(refused.status.code(), Code::kPermissionDenied);
  EXPECT_EQ(refused.pass->caller(), "clinic");
  EXPECT_EQ(refused.pass->certificate(), std::string(64, 'b'));
  EXPECT_EQ(refused.pass->Reserve(1, 1, "").code(), Code::kCancelled);
  evidence.peer.uris = {"u:stranger"};
  refused = access_->Admit(RpcMethod::kScore, evidence);
  EXPECT_EQ(refused.pass->caller(), "");
  EXPECT_EQ(refused.pass->certificate(), std::string(64, 'b'));
}

TEST_F(AccessControlTest, ChangesOfTheFilesApplyToNewCalls) {
  const Admission running =
      access_->Admit(RpcMethod::kGenerate, Certificate("u:clinic"));
  ASSERT_TRUE(running.status.ok());
  Write(policy_file_, R"({"version": 1, "callers": [{"name": "new",
      "role": "client", "identities": {"uris": ["u:new"]}}]})");
  access_->Reload();
  EXPECT_EQ(CallerOf(Certificate("u:clinic")), "PERMISSION_DENIED");
  EXPECT_EQ(CallerOf(Certificate("u:new")), "new");
  EXPECT_EQ(running.pass->caller(), "clinic");
}

TEST_F(AccessControlTest, AWrongVersionOfAFileChangesNothing) {
  for (const char* text : {"", "{", R"({"version": 1, "callers": []})"}) {
    Write(policy_file_, text);
    Write(keys_file_, text);
    access_->Reload();
    EXPECT_EQ(CallerOf(Certificate("u:clinic")), "clinic") << text;
  }
  std::filesystem::remove(policy_file_);
  std::filesystem::remove(keys_file_);
  access_->Reload();
  CallEvidence evidence;
  evidence.authorization = {Token(R"("aud": "apollo", "sub": "portal")")};
  EXPECT_EQ(CallerOf(evidence), "portal");
}

TEST_F(AccessControlTest, WhoeverAsksForAReloadLearnsWhyAFileIsRefused) {
  EXPECT_TRUE(access_->has_keys_file());
  EXPECT_TRUE(access_->ReloadKeys().ok());
  EXPECT_TRUE(access_->ReloadPolicy().ok());
  Write(policy_file_, R"({"version": 3})");
  Write(keys_file_, "{");
  access_->Reload();  // Has logged it, and looks no more at what it has seen.
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(access_->ReloadPolicy().message(),
                HasSubstr(policy_file_ + ": version is 3"));
    EXPECT_THAT(access_->ReloadKeys().message(), HasSubstr(keys_file_));
  }
  EXPECT_EQ(CallerOf(Certificate("u:clinic")), "clinic");
  Write(policy_file_, R"({"version": 1, "callers": [{"name": "new",
      "role": "client", "identities": {"uris": ["u:new"]}}]})");
  EXPECT_TRUE(access_->ReloadPolicy().ok());
  EXPECT_EQ(CallerOf(Certificate("u:new")), "new");
}

TEST_F(AccessControlTest, KeysRotateWithoutARestart) {
  const TokenSigner next = TokenSigner::Ec("k2");
  CallEvidence evidence;
  evidence.authorization = {
      "Bearer " +
      next.Sign("ES256", R"({"iss": "https://login", "aud": "apollo",
                             "sub": "portal", "exp": 2000000100})")};
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
  Write(keys_file_, KeySet({signer_.Jwk(), next.Jwk()}));
  access_->Reload();
  EXPECT_EQ(CallerOf(evidence), "portal");
}

// A token that was verified with a key is not valid without it.
TEST_F(AccessControlTest, AKeyThatIsRemovedVerifiesNothing) {
  CallEvidence evidence;
  evidence.authorization = {Token(R"("aud": "apollo", "sub": "portal")")};
  EXPECT_EQ(CallerOf(evidence), "portal");
  Write(keys_file_, KeySet({TokenSigner::Ec("k2").Jwk()}));
  access_->Reload();
  EXPECT_EQ(CallerOf(evidence), "UNAUTHENTICATED");
}

class IssuersTest : public AccessControlTest {
 protected:
  IssuersTest() {
    policy_.insert(policy_.rfind("]}"), R"(, {"name": "b", "role": "client",
        "identities": {"tokens": [{"issuer": "https://b",
        "audience": "apollo", "subject": "b"}]}})");
    Write(policy_file_, policy_);
  }

  // Returns the caller of a token of an issuer that `signer` has signed.
  std::string CallerOfToken(const TokenSigner& signer,
                            const std::string& issuer,
                            const std::string& subject) {
    CallEvidence evidence;
    evidence.authorization = {"Bearer " +
                              signer.Sign("ES256", R"({"aud": "apollo",
                      "exp": 2000000100, "iss": ")" + issuer +
                                                       R"(", "sub": ")" +
                                                       subject + "\"}")};
    return CallerOf(evidence);
  }

  const TokenSigner other_ = TokenSigner::Ec("k2");
  std::string policy_ = kPolicy;  // With the tokens of a second issuer.
};

TEST_F(IssuersTest, AKeyVerifiesOnlyTokensOfItsIssuer) {
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  Open();
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "portal");
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "b");
  EXPECT_EQ(CallerOfToken(signer_, "https://b", "b"), "UNAUTHENTICATED");
  EXPECT_EQ(CallerOfToken(other_, "https://login", "portal"),
            "UNAUTHENTICATED");
}

TEST_F(IssuersTest, KeysForSeveralIssuersAreRefused) {
  access_->Reload();  // The key names no issuer: the old policy stays.
  EXPECT_EQ(CallerOfToken(signer_, "https://b", "b"), "PERMISSION_DENIED");
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "portal");
  Write(keys_file_, KeySet({signer_.Jwk("https://login"), other_.Jwk()}));
  const auto access = AccessControl::Open({policy_file_, keys_file_}, "small",
                                          clock_, [] { return kNow; });
  EXPECT_THAT(access.status().message(),
              HasSubstr("keys[1] has no \"issuer\"; " + policy_file_ +
                        " has tokens of 2 issuers"));
}

// The two files cannot change at once.
TEST_F(IssuersTest, AFileThatNeedsTheOtherOneWaitsForIt) {
  access_->Reload();
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "UNAUTHENTICATED");
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "b");
  // Keys that do not fit do not hold a policy up that fits the old ones.
  Write(keys_file_, KeySet({signer_.Jwk(), other_.Jwk()}));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(signer_, "https://b", "b"), "UNAUTHENTICATED");
  std::string policy = kPolicy;
  Write(policy_file_, policy.replace(policy.find("portal"), 6, "newname"));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "newname");
}

// What waits for the other file is forgotten once its own says something else.
TEST_F(IssuersTest, AVersionThatItsFileDoesNotSayAnyMoreNeverApplies) {
  access_->Reload();  // The policy waits for keys that name their issuers.
  Write(policy_file_, "{");
  access_->Reload();
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "portal");
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "PERMISSION_DENIED");
}

TEST_F(IssuersTest, AFileThatIsGoneDoesNotApplyUntilItIsBack) {
  access_->Reload();
  std::filesystem::remove(policy_file_);
  access_->Reload();
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "PERMISSION_DENIED");
  Write(policy_file_, policy_);
  access_->Reload();
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "b");
}

TEST_F(IssuersTest, KeysThatTheirFileDoesNotSayAnyMoreNeverApply) {
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  access_->Reload();
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "b");
  // These wait for a policy with one issuer.
  Write(keys_file_, KeySet({TokenSigner::Ec("k3").Jwk()}));
  EXPECT_FALSE(access_->ReloadKeys().ok());
  Write(keys_file_, "{");
  access_->Reload();
  Write(policy_file_, kPolicy);
  access_->Reload();
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "portal");
  EXPECT_EQ(CallerOfToken(other_, "https://b", "b"), "PERMISSION_DENIED");
}

// In the order in which an administrator's reload asks.
TEST_F(IssuersTest, KeysThatWereRefusedAreAcceptedAfterTheirPolicy) {
  Write(keys_file_,
        KeySet({signer_.Jwk("https://login"), other_.Jwk("https://b")}));
  access_->Reload();
  Write(keys_file_, KeySet({signer_.Jwk()}));
  Write(policy_file_, kPolicy);
  EXPECT_FALSE(access_->ReloadKeys().ok());
  EXPECT_TRUE(access_->ReloadPolicy().ok());
  EXPECT_TRUE(access_->ReloadKeys().ok());
  EXPECT_EQ(CallerOfToken(signer_, "https://login", "portal"), "portal");
}

TEST_F(AccessControlTest, ErrorsAtTheStartNameFlagFileAndField) {
  Write(policy_file_, R"({"version": 3})");
  auto access = AccessControl::Open({policy_file_, keys_file_}, "small", clock_,
                                    [] { return kNow; });
  EXPECT_EQ(access.status().message(), "--policy: " + policy_file_ +
                                           ": version is 3; it must be from 1 "
                                           "to 1");
  Write(policy_file_, kPolicy);
  access = AccessControl::Open({policy_file_, ""}, "small", clock_,
                               [] { return kNow; });
  EXPECT_THAT(access.status().message(), HasSubstr("need the keys of"));
  access = AccessControl::Open({policy_file_, "/nowhere"}, "small", clock_,
                               [] { return kNow; });
  EXPECT_THAT(access.status().message(),
              testing::AllOf(HasSubstr("--jwt_keys"), HasSubstr("/nowhere")));
  EXPECT_THAT(CheckAccessOptions({"", keys_file_}).message(),
              HasSubstr("--jwt_keys needs --policy"));
}

// Callers are named by the policy alone, whatever strangers send.
TEST_F(AccessControlTest, MetricsHaveNoNamesOfStrangers) {
  CallEvidence evidence = Certificate("u:canary-uri");
  evidence.peer.dns_names = {"canary-dns"};
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");
  evidence.authorization = {
      Token(R"("aud": "canary-audience", "sub": "canary-subject")")};
  evidence.caller_san = {"canary-san"};
  EXPECT_EQ(CallerOf(evidence), "PERMISSION_DENIED");
  EXPECT_EQ(CallerOf(Certificate("u:clinic")), "clinic");
  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, Not(HasSubstr("canary")));
  EXPECT_THAT(metrics,
              HasSubstr("apollo_caller_requests_total{caller=\"unknown\","
                        "code=\"PERMISSION_DENIED\"} 2"));
  EXPECT_THAT(metrics, HasSubstr("apollo_caller_requests_total{caller=\""
                                 "clinic\",code=\"CANCELLED\"} 1"));
}

// The message of a refused token goes to logs.
TEST_F(AccessControlTest, ErrorsNeverQuoteATokenOrItsClaims) {
  CallEvidence evidence;
  const std::string token = Token(R"("aud": "apollo", "sub": "canary")");
  for (const std::string& one : {token, token + "A", std::string("canary")}) {
    evidence.authorization = {one};
    const absl::Status status =
        access_->Admit(RpcMethod::kScore, evidence).status;
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.message(), Not(HasSubstr("canary")));
    EXPECT_THAT(status.message(),
                Not(HasSubstr(token.substr(token.find('.')))));
  }
}

}  // namespace
}  // namespace apollo
