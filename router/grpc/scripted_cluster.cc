#include "router/grpc/scripted_cluster.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

#include "router/access/pass_testing.h"

namespace apollo {

v1::GenerateRequest Prompt(const std::string& prompt) {
  v1::GenerateRequest request;
  request.set_prompt(prompt);
  request.mutable_sampling()->set_seed(5);
  return request;
}

std::string TextOf(const std::vector<v1::GenerateResponse>& events,
                   unsigned choice) {
  std::string text;
  unsigned tokens = 0;
  bool finished = false;
  for (const v1::GenerateResponse& event : events) {
    if (event.has_delta() && event.delta().choice() == choice) {
      EXPECT_FALSE(finished);
      EXPECT_EQ(event.delta().index(), tokens);
      tokens += event.delta().token_ids_size();
      text += event.delta().text();
    } else if (event.has_finished() && event.finished().choice() == choice) {
      EXPECT_FALSE(finished);
      EXPECT_EQ(event.finished().usage().generated_tokens(), tokens);
      finished = true;
    }
  }
  EXPECT_TRUE(finished);
  return text;
}

ScriptedClusterTest::ScriptedClusterTest(const CallLimits& limits)
    : registry_(std::make_shared<prometheus::Registry>()) {
  auto model = RouterModel::Load("tests/golden/published", {});
  if (!model.ok()) throw std::runtime_error(model.status().ToString());
  model_ = *std::move(model);
  backend_ = std::make_unique<ScriptedBackend>(*model_->tokenizer);
  metrics_ = std::make_unique<RequestMetrics>(*registry_);
  calls_ = std::make_unique<CallTable>(limits, clock_);
  service_ = std::make_unique<InferenceService>(
      SessionContext{*model_, *backend_, *metrics_, clock_, *calls_},
      [this](RpcMethod method, const grpc::ServerContextBase& context,
             std::size_t message_bytes) {
        if (admit_ != nullptr) return admit_(method, context, message_bytes);
        const auto& metadata = context.client_metadata();
        const auto tenant = metadata.find("test-tenant");
        Admission admission;
        if (tenant != metadata.end()) {
          admission.pass =
              PassOf(std::string(tenant->second.data(), tenant->second.size()));
        }
        return admission;
      });
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) throw std::runtime_error("the server did not start");
  address_ = "127.0.0.1:" + std::to_string(port);
  channel_ = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
  stub_ = v1::InferenceService::NewStub(channel_);
}

ScriptedClusterTest::~ScriptedClusterTest() {
  backend_->Join();
  stub_.reset();
  channel_.reset();
  server_->Shutdown();
  server_->Wait();
  EXPECT_TRUE(backend_->AwaitNoHandles()) << "a call was leaked";
}

int ScriptedClusterTest::Running() {
  const std::string name = "\napollo_num_requests_running ";
  const std::string text = Metrics();
  return std::stoi(text.substr(text.find(name) + name.size()));
}

int ScriptedClusterTest::AwaitRunning(int wanted) {
  const auto forever =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (Running() != wanted && std::chrono::steady_clock::now() < forever) {
    std::this_thread::yield();
  }
  return Running();
}

std::string ScriptedClusterTest::Metrics() {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

ScriptedClusterTest::Answer ScriptedClusterTest::Generate(
    const v1::GenerateRequest& request, const std::string& tenant) {
  Answer answer;
  grpc::ClientContext context;
  if (!tenant.empty()) context.AddMetadata("test-tenant", tenant);
  const auto reader = stub_->Generate(&context, request);
  v1::GenerateResponse response;
  while (reader->Read(&response)) answer.events.push_back(response);
  answer.status = reader->Finish();
  return answer;
}

}  // namespace apollo
