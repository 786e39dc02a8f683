#include "dense_worker/run_service.h"

#include <memory>
#include <utility>

#include "common/mutex.h"
#include "link/sampling_proto.h"
#include "serving/queued_writer.h"
#include "serving/version.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

GenerationRequest FromProto(const pb::RunRequest& in) {
  GenerationRequest out;
  out.request_id = in.request_id();
  out.prompt.assign(in.prompt().begin(), in.prompt().end());
  out.family = in.family();
  out.hybrid = in.hybrid();
  out.sampling = apollo::FromProto(in.sampling());
  out.max_new_tokens = static_cast<int>(in.max_new_tokens());
  out.top_logprobs = static_cast<int>(in.top_logprobs());
  out.ignore_eos = in.ignore_eos();
  out.score_tokens = static_cast<int>(in.score_tokens());
  out.language = in.language();
  out.use_with_tokens = in.use_with_tokens();
  out.priority = in.priority();
  out.cache_salt = in.cache_salt();
  out.shorten_to_cache = in.shorten_to_cache();
  return out;
}

void ToProto(const LayerUse& in, pb::ExpertUse* out) {
  out->set_layer(in.layer);
  out->mutable_tokens_by_expert()->Add(in.tokens_by_expert.begin(),
                                       in.tokens_by_expert.end());
  out->set_off_family_tokens(in.off_family_tokens);
}

void ToProto(const GenerationFinished& in, pb::RunFinished* out) {
  out->set_reason(in.cause == FinishCause::kEos      ? pb::RunFinished::EOS
                  : in.cause == FinishCause::kLength ? pb::RunFinished::LENGTH
                                                     : pb::RunFinished::SCORED);
  for (const LayerUse& use : in.expert_use) ToProto(use, out->add_expert_use());
  out->mutable_score_logprobs()->Add(in.score_logprobs.begin(),
                                     in.score_logprobs.end());
}

// One call: a sink that writes to the router's stream.
class RunCall final : public QueuedWriter<pb::RunEvent> {
 public:
  RunCall(RequestMetrics& metrics, const Clock& clock)
      : clock_(clock), metrics_(metrics, "Run", clock.Now()) {}

  // The sink shares the call, which lives until both gRPC and the sequence are
  // done with it.
  class Sink final : public GenerationSink {
   public:
    explicit Sink(std::shared_ptr<RunCall> call) : call_(std::move(call)) {}

    void OnStarted(const GenerationStarted& started) override {
      pb::RunEvent event;
      event.mutable_started()->set_dense_worker(started.dense_worker);
      event.mutable_started()->set_expert_worker(started.expert_worker);
      event.mutable_started()->set_cached_tokens(started.cached_tokens);
      call_->Push(std::move(event));
    }

    void OnToken(const GeneratedToken& token) override {
      {
        MutexLock lock(call_->mutex_);
        call_->metrics_.Token(call_->clock_.Now());
      }
      pb::RunEvent event;
      pb::RunToken* to = event.mutable_token();
      to->set_index(token.index);
      to->set_token(token.token);
      to->set_logprob(token.logprob);
      for (const TokenLogprob& alternative : token.alternatives) {
        pb::Alternative* a = to->add_alternatives();
        a->set_token(alternative.token);
        a->set_logprob(alternative.logprob);
      }
      for (const LayerUse& use : token.expert_use) {
        ToProto(use, to->add_expert_use());
      }
      call_->Push(std::move(event));
    }

    void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
      {
        MutexLock lock(call_->mutex_);
        call_->metrics_.End(absl::StatusCodeToString(finished.status().code()),
                            call_->clock_.Now());
      }
      if (finished.ok()) {
        pb::RunEvent event;
        ToProto(*finished, event.mutable_finished());
        call_->Push(std::move(event));
        call_->End(grpc::Status::OK);
      } else {
        call_->End(grpc::Status(
            static_cast<grpc::StatusCode>(finished.status().code()),
            std::string(finished.status().message())));
      }
    }

   private:
    const std::shared_ptr<RunCall> call_;
  };

  void Begin(std::shared_ptr<RunCall> self, GenerationBackend& backend,
             GenerationRequest request) {
    {
      MutexLock lock(mutex_);
      self_ = self;
      metrics_.PromptTokens(static_cast<int>(request.prompt.size()));
    }
    std::shared_ptr<GenerationCall> call =
        backend.Start(std::move(request), std::make_shared<Sink>(self));
    bool cancelled = false;
    {
      MutexLock lock(mutex_);
      call_ = call;
      cancelled = cancelled_;
    }
    if (cancelled) call->Cancel();
  }

 private:
  void OnCancel() override {
    std::shared_ptr<GenerationCall> call;
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      call = call_;
    }
    if (call != nullptr) call->Cancel();
  }

  void Over() override {
    std::shared_ptr<RunCall> self;
    MutexLock lock(mutex_);
    self = std::move(self_);
    // `self` is destroyed after `lock`: see the order above.
  }

  const Clock& clock_;
  Mutex mutex_;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<GenerationCall> call_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<RunCall> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<pb::RunEvent>* RunService::Run(
    grpc::CallbackServerContext* /*context*/, const pb::RunRequest* request) {
  auto call = std::make_shared<RunCall>(metrics_, clock_);
  RunCall* const reactor = call.get();
  reactor->Begin(std::move(call), backend_, FromProto(*request));
  return reactor;
}

grpc::ServerUnaryReactor* RunService::Describe(
    grpc::CallbackServerContext* context,
    const pb::DescribeRequest* /*request*/, pb::DescribeResponse* response) {
  response->set_name(facts_.name);
  response->set_model_hash(facts_.model_hash);
  response->set_config_hash(facts_.fingerprint.config);
  response->set_tokenizer_hash(facts_.fingerprint.tokenizer);
  response->set_version(kVersion);
  response->set_running_sequences(facts_.running());
  response->set_ready(facts_.ready());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* RunService::Routing(
    grpc::CallbackServerContext* context, const pb::RoutingRequest* request,
    pb::RoutingResponse* response) {
  const RoutingCounts counts =
      facts_.routing.Counts(absl::Seconds(request->window_seconds()));
  response->set_covered_seconds(absl::ToDoubleSeconds(counts.covered));
  for (const LanguageUse& language : counts.languages) {
    pb::LanguageUse* to = response->add_languages();
    to->set_language(language.language);
    to->set_tokens(language.tokens);
    to->set_family_tokens(language.family_tokens);
    for (const LayerUse& layer : language.layers) {
      ToProto(layer, to->add_layers());
    }
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace apollo
