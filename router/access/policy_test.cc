#include "router/access/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/mapped_file.h"

namespace apollo {
namespace {

using testing::HasSubstr;

// Returns a policy whose only caller has these fields besides a name and an
// identity.
std::string WithCaller(const std::string& fields) {
  return R"({"version": 1, "callers": [{"name": "a",
      "identities": {"uris": ["spiffe://apollo/client/a"]})" +
         fields + "}]}";
}

std::string ErrorOf(const std::string& text) {
  const auto policy = ParsePolicy(text, "p.json");
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(policy.status().message());
}

TEST(PolicyTest, TheExampleIsComplete) {
  const auto text = ReadFile("deploy/access/policy.json", Policy::kMaxBytes);
  ASSERT_TRUE(text.ok()) << text.status();
  const auto policy = ParsePolicy(*text, "policy.json");
  ASSERT_TRUE(policy.ok()) << policy.status();
  ASSERT_EQ(policy->callers.size(), 5u);
  const Caller& clinic = policy->callers[0];
  EXPECT_EQ(clinic.name, "clinic-a");
  EXPECT_EQ(clinic.tenant, "region-north");
  EXPECT_EQ(clinic.max_priority, 10);
  EXPECT_TRUE(clinic.any_model);
  EXPECT_EQ(clinic.limits.requests, (RateLimit{5, 20}));
  EXPECT_EQ(clinic.limits.tokens, (RateLimit{2000, 40000}));
  EXPECT_EQ(clinic.limits.streams, 16);
  EXPECT_EQ(clinic.limits.prompt_tokens, 8192);
  EXPECT_EQ(clinic.limits.message_bytes, 262144);
  EXPECT_EQ(clinic.limits.metadata_bytes, 8192);
  EXPECT_EQ(policy->overall.streams, 512);
  const Caller& portal = policy->callers[1];
  EXPECT_EQ(portal.tenant, "portal");  // Its own, if none is given.
  EXPECT_EQ(
      portal.identities.tokens[0],
      (TokenIdentity{"https://login.example.org", "apollo", "sub", "portal"}));
  EXPECT_EQ(portal.identities.tokens[1].claim, "client_id");
  EXPECT_EQ(portal.limits.tokens, (RateLimit{5000, 5000}));
  const Caller& quality = policy->callers[2];
  EXPECT_TRUE(quality.methods.contains(RpcMethod::kScore));
  EXPECT_FALSE(quality.methods.contains(RpcMethod::kGenerate));
  EXPECT_FALSE(quality.any_model);
  EXPECT_TRUE(policy->callers[3].methods.contains(RpcMethod::kReflection));
  EXPECT_TRUE(policy->callers[4].edge);
  EXPECT_TRUE(policy->callers[4].methods.empty());
  EXPECT_EQ(policy->WeightOf("lo"), 0.14);
  EXPECT_EQ(policy->WeightOf("en"), 1);
  EXPECT_EQ(policy->WeightOf(""), 1);
}

TEST(PolicyTest, AClientMayNotSeeTheCluster) {
  const auto policy = ParsePolicy(WithCaller(R"(, "role": "client")"), "p");
  ASSERT_TRUE(policy.ok()) << policy.status();
  const auto& methods = policy->callers[0].methods;
  EXPECT_TRUE(methods.contains(RpcMethod::kGenerate));
  EXPECT_FALSE(methods.contains(RpcMethod::kGetStatus));
  EXPECT_FALSE(methods.contains(RpcMethod::kGetRouting));
  EXPECT_FALSE(methods.contains(RpcMethod::kReflection));
}

TEST(PolicyTest, RolesAndMethodsAddUp) {
  const auto policy = ParsePolicy(
      WithCaller(R"(, "role": "client", "methods": ["GetStatus"])"), "p");
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_TRUE(policy->callers[0].methods.contains(RpcMethod::kGetStatus));
  EXPECT_TRUE(policy->callers[0].methods.contains(RpcMethod::kScore));
}

TEST(PolicyTest, ErrorsNameTheFileAndTheField) {
  const std::pair<std::string, const char*> cases[] = {
      {"{", "p.json: malformed JSON"},
      {"[]", "p.json: the policy is of type array; it must be an object"},
      {R"({"callers": []})", "version is missing; it must be 1"},
      {R"({"version": 2})", "version is 2; it must be from 1 to 1"},
      {R"({"version": 1, "callers": []})", "callers is empty"},
      {R"({"version": 1, "calers": []})", "callers is empty"},
      {R"({"version": 1, "callers": {}})",
       "callers is of type object; it must be an array"},
      {R"({"version": 1, "callers": [7]})",
       "callers[0] is of type number; it must be an object"},
      {R"({"version": 1, "callers": [{}]})", "callers[0].name is missing"},
      {R"({"version": 1, "callers": [{"name": "A"}]})",
       "callers[0].name must have 1 to 64 characters of [a-z0-9_.-]"},
      {R"({"version": 1, "callers": [{"name": "unknown"}]})",
       "callers[0].name is \"unknown\", which metrics use"},
      {R"({"version": 1, "callers": [{"name": "a"}]})",
       "callers[0].identities is missing"},
      {R"({"version": 1, "callers": [{"name": "a", "identities": {}}]})",
       "callers[0].identities is empty"},
      {WithCaller(""), "callers[0] has neither \"role\" nor \"methods\""},
      {WithCaller(R"(, "role": "boss")"),
       "callers[0].role is no role; it must be one of client, edge, operator"},
      {WithCaller(R"(, "methods": ["Score", "Genrate"])"),
       "callers[0].methods[1] is no method; it must be one of Generate"},
      {WithCaller(R"(, "rolle": "client", "role": "client")"),
       "callers[0].rolle is no field of a policy; did you mean \"role\"?"},
      {WithCaller(R"(, "role": "client", "tenant": "North!")"),
       "callers[0].tenant must have 1 to 64"},
      {WithCaller(R"(, "role": "client", "max_priority": 101)"),
       "callers[0].max_priority is 101; it must be from -100 to 100"},
      {WithCaller(R"(, "role": "client", "models": [1])"),
       "callers[0].models[0] is of type number; it must be a string"},
      {WithCaller(R"(, "role": "client", "limits": {"streams": 0})"),
       "callers[0].limits.streams is 0; it must be from 1 to"},
      {WithCaller(R"(, "role": "client", "limits": {"streams": 1.5})"),
       "callers[0].limits.streams is of type number; it must be an integer"},
      {WithCaller(
           R"(, "role": "client", "limits": {"prompt_tokens": 18446744073709551615})"),
       "callers[0].limits.prompt_tokens is 18446744073709551615; it must be"},
      {WithCaller(R"(, "role": "client", "limits": {"tokens_per_second": -1})"),
       "callers[0].limits.tokens_per_second is -1; it must be from"},
      {WithCaller(R"(, "role": "client", "limits": {"tokens_burst": 5})"),
       "callers[0].limits.tokens_burst needs tokens_per_second"},
      {WithCaller(R"(, "role": "client", "limits": {"token_burst": 5})"),
       "callers[0].limits.token_burst is no field"},
      {R"({"version": 1, "language_weights": {"lo": 0}})",
       "language_weights.lo is 0; it must be from 0.05 to 1"},
      {R"({"version": 1, "overall": {"streams": "many"}})",
       "overall.streams is of type string; it must be an integer"},
      {R"({"version": 1, "roles": {"client": ["Score"]}})",
       "roles.client is a built-in role"},
      {R"({"version": 1, "roles": {"x": ["Scor"]}})",
       "roles.x[0] is no method"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(ErrorOf(text), HasSubstr(error)) << text;
    EXPECT_TRUE(ErrorOf(text).starts_with("p.json: ")) << text;
  }
}

// Returns a policy whose only caller has these identities.
std::string WithIdentities(const std::string& identities,
                           const char* role = "client") {
  return R"({"version": 1, "callers": [{"name": "a", "role": ")" +
         std::string(role) + R"(", "identities": {)" + identities + "}}]}";
}

TEST(PolicyTest, ErrorsOfIdentities) {
  const std::pair<std::string, const char*> cases[] = {
      {R"("certificate_sha256": ["AB"])",
       "callers[0].identities.certificate_sha256[0] is not a SHA-256"},
      {R"("uris": [""])", "callers[0].identities.uris[0] is empty"},
      {R"("uris": "x")", "callers[0].identities.uris is of type string"},
      {R"("anonymous": 1)",
       "callers[0].identities.anonymous is of type number"},
      {R"("tokens": [{"audience": "x", "subject": "y"}])",
       "callers[0].identities.tokens[0].issuer is missing"},
      {R"("tokens": [{"issuer": "x", "subject": "y"}])",
       "callers[0].identities.tokens[0].audience is missing"},
      {R"("tokens": [{"issuer": "x", "audience": "y"}])",
       "must have either \"subject\" or both \"claim\" and \"value\""},
      {R"("tokens": [{"issuer": "x", "audience": "y", "claim": "z"}])",
       "must have either \"subject\" or both \"claim\" and \"value\""},
      {R"("tokens": [{"issuer": "x", "audience": "y", "subject": "z",
          "claim": "z", "value": "z"}])",
       "must have either \"subject\" or both \"claim\" and \"value\""},
      {R"("emails": ["x"])", "callers[0].identities.emails is no field"},
  };
  for (const auto& [identities, error] : cases) {
    EXPECT_THAT(ErrorOf(WithIdentities(identities)), HasSubstr(error))
        << identities;
  }
  EXPECT_THAT(ErrorOf(WithIdentities(R"("anonymous": true)", "edge")),
              HasSubstr("of an edge must be names or hashes of certificates"));
}

TEST(PolicyTest, NothingBelongsToTwoCallers) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"version": 1, "callers": [
        {"name": "a", "role": "client", "identities": {)" +
           first + R"(}},
        {"name": "b", "role": "client", "identities": {)" +
           second + "}}]}";
  };
  const std::string token =
      R"("tokens": [{"issuer": "x", "audience": "y", "subject": "z"}])";
  const std::string hash =
      R"("certificate_sha256": [")" + std::string(64, 'a') + R"("])";
  for (const std::string& same :
       {std::string(R"("uris": ["u"])"), std::string(R"("dns_names": ["d"])"),
        hash, token, std::string(R"("anonymous": true)")}) {
    EXPECT_THAT(ErrorOf(two(same, same)),
                HasSubstr("has a value of callers[0]"))
        << same;
  }
  EXPECT_TRUE(
      ParsePolicy(two(R"("uris": ["u"])", R"("uris": ["v"])"), "p").ok());
  EXPECT_THAT(ErrorOf(R"({"version": 1, "callers": [
          {"name": "a", "role": "client", "identities": {"uris": ["u"]}},
          {"name": "a", "role": "client", "identities": {"uris": ["v"]}}]})"),
              HasSubstr("callers[1].name has a value of callers[0]"));
}

TEST(PolicyTest, AtMostAThousandCallers) {
  std::string text = R"({"version": 1, "callers": [)";
  for (int i = 0; i <= static_cast<int>(Policy::kMaxCallers); ++i) {
    if (i > 0) text += ",";
    const std::string name = "c" + std::to_string(i);
    text += R"({"name": ")" + name +
            R"(", "role": "client", "identities": {"uris": [")" + name +
            R"("]}})";
  }
  EXPECT_THAT(ErrorOf(text + "]}"), HasSubstr("has more than 1000 callers"));
}

TEST(PolicyTest, NamesCannotBreakMetrics) {
  EXPECT_TRUE(IsCallerName("clinic_a.north-2"));
  EXPECT_TRUE(IsCallerName(std::string(64, 'x')));
  for (const std::string& name :
       {std::string(), std::string(65, 'x'), std::string("A"),
        std::string("a b"), std::string("a\""), std::string("a\n"),
        std::string("ä"), std::string("a{}"), std::string("a\0", 2)}) {
    EXPECT_FALSE(IsCallerName(name)) << name;
  }
}

TEST(RpcMethodTest, EveryMethodHasAPath) {
  EXPECT_EQ(RpcMethodOfPath("/apollo.v1.InferenceService/GetStatus"),
            RpcMethod::kGetStatus);
  for (const char* path :
       {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_EQ(RpcMethodOfPath(path), RpcMethod::kReflection);
  }
  for (const char* path :
       {"", "/apollo.v1.InferenceService/reflection",
        "/apollo.v1.InferenceService/Destroy", "/apollo.v1.Admin/Generate",
        "apollo.v1.InferenceService/Generate"}) {
    EXPECT_EQ(RpcMethodOfPath(path), std::nullopt) << path;
  }
}

}  // namespace
}  // namespace apollo
