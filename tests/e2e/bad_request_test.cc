// Invalid requests through a real cluster: each gives INVALID_ARGUMENT with the
// field and the reason, and the cluster continues.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

using Spoil = std::function<void(v1::GenerateRequest&)>;

std::string ViolatedField(const grpc::Status& status) {
  rpc::Status details;
  rpc::BadRequest bad;
  if (!details.ParseFromString(status.error_details()) ||
      details.details_size() == 0 || !rpc::Unpack(details.details(0), &bad) ||
      bad.field_violations_size() == 0) {
    return "";
  }
  return bad.field_violations(0).field();
}

TEST(BadRequestTest, NamesTheFieldAndGoesOn) {
  const struct {
    const char* field;
    Spoil spoil;
  } kCases[] = {
      {"prompt", [](auto& r) { r.set_prompt(""); }},
      {"prompt", [](auto& r) { r.clear_input(); }},
      {"prompt", [](auto& r) { r.set_prompt("ab\xc3("); }},
      {"prompt", [](auto& r) { r.set_prompt(std::string(600, 'x')); }},
      {"prompt", [](auto& r) { r.set_prompt(std::string(2 << 20, 'x')); }},
      {"language", [](auto& r) { r.set_language("tlh"); }},
      {"sampling.temperature",
       [](auto& r) { r.mutable_sampling()->set_temperature(-1); }},
      {"sampling.temperature",
       [](auto& r) { r.mutable_sampling()->set_temperature(NAN); }},
      {"sampling.top_p",
       [](auto& r) { r.mutable_sampling()->set_top_p(INFINITY); }},
      {"sampling.presence_penalty",
       [](auto& r) { r.mutable_sampling()->set_presence_penalty(3); }},
      {"sampling.choices",
       [](auto& r) { r.mutable_sampling()->set_choices(9); }},
      {"max_new_tokens", [](auto& r) { r.set_max_new_tokens(4000000000u); }},
      {"max_new_tokens", [](auto& r) { r.set_max_new_tokens(511); }},
      {"chat.messages[0].role",
       [](auto& r) {
         auto* message = r.mutable_chat()->add_messages();
         message->set_role(static_cast<v1::Role>(17));
         message->set_content("x");
       }},
      {"chat.messages", [](auto& r) { r.mutable_chat(); }},
      {"routing",
       [](auto& r) { r.set_routing(static_cast<v1::RoutingMode>(9)); }},
      {"stop[0]", [](auto& r) { r.add_stop(""); }},
      {"logprobs", [](auto& r) { r.set_logprobs(21); }},
      {"request_id", [](auto& r) { r.set_request_id("a b"); }},
  };
  for (const int expert_workers : {0, 1}) {
    Cluster cluster(Runfile("tests/golden/published"),
                    {.expert_workers = expert_workers});
    cluster.Start();
    const auto stub = cluster.NewStub();
    for (const auto& c : kCases) {
      v1::GenerateRequest request = GreedyRequest("fever", 4);
      c.spoil(request);
      const Answer answer = Generate(*stub, request);
      EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
          << c.field << ": " << answer.status.error_message();
      EXPECT_EQ(ViolatedField(answer.status), c.field)
          << answer.status.error_message();
    }
    // Zero max_new_tokens means as many as the context allows.
    v1::GenerateRequest all = GreedyRequest("fever", 0);
    all.set_ignore_eos(true);
    const Answer answer = Generate(*stub, all);
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.ids.size(), 512u - 5);
    cluster.StopAll();
  }
}

}  // namespace
}  // namespace apollo
