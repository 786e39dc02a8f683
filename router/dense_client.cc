#include "router/dense_client.h"

#include <chrono>
#include <optional>
#include <utility>

#include "common/mutex.h"
#include "link/sampling_proto.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

pb::RunRequest ToProto(const GenerationRequest& request) {
  pb::RunRequest out;
  out.set_request_id(request.request_id);
  out.mutable_prompt()->Add(request.prompt.begin(), request.prompt.end());
  out.set_family(request.family);
  out.set_hybrid(request.hybrid);
  apollo::ToProto(request.sampling, out.mutable_sampling());
  out.set_max_new_tokens(request.max_new_tokens);
  out.set_top_logprobs(request.top_logprobs);
  out.set_ignore_eos(request.ignore_eos);
  out.set_score_tokens(request.score_tokens);
  out.set_language(request.language);
  out.set_use_with_tokens(request.use_with_tokens);
  out.set_priority(request.priority);
  out.set_cache_salt(request.cache_salt);
  out.set_shorten_to_cache(request.shorten_to_cache);
  return out;
}

LayerUse FromProto(const pb::ExpertUse& in) {
  return {static_cast<int>(in.layer()),
          {in.tokens_by_expert().begin(), in.tokens_by_expert().end()},
          in.off_family_tokens()};
}

RoutingCounts FromProto(const pb::RoutingResponse& in) {
  RoutingCounts out;
  out.covered = absl::Seconds(in.covered_seconds());
  for (const pb::LanguageUse& from : in.languages()) {
    LanguageUse& language = out.languages.emplace_back();
    language.language = from.language();
    language.tokens = from.tokens();
    language.family_tokens = from.family_tokens();
    for (const pb::ExpertUse& layer : from.layers()) {
      language.layers.push_back(FromProto(layer));
    }
  }
  return out;
}

GenerationFinished FromProto(const pb::RunFinished& in) {
  GenerationFinished out;
  out.cause = in.reason() == pb::RunFinished::EOS      ? FinishCause::kEos
              : in.reason() == pb::RunFinished::LENGTH ? FinishCause::kLength
                                                       : FinishCause::kScored;
  for (const pb::ExpertUse& use : in.expert_use()) {
    out.expert_use.push_back(FromProto(use));
  }
  out.score_logprobs.assign(in.score_logprobs().begin(),
                            in.score_logprobs().end());
  return out;
}

// One running sequence. Lives until gRPC is done with it.
class RunReactor final : public grpc::ClientReadReactor<pb::RunEvent> {
 public:
  RunReactor(std::shared_ptr<pb::DenseWorkerService::Stub> stub,
             const GenerationRequest& request,
             std::shared_ptr<GenerationSink> sink)
      : stub_(std::move(stub)),
        request_(ToProto(request)),
        sink_(std::move(sink)) {}

  void Begin(std::shared_ptr<RunReactor> self) {
    {
      MutexLock lock(mutex_);
      self_ = std::move(self);
    }
    stub_->async()->Run(&context_, &request_, this);
    StartRead(&event_);
    StartCall();
  }

  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      MutexLock lock(mutex_);
      Take();
    }
    StartRead(&event_);
  }

  void Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (broken_ || finished_) return;
    switch (event_.event_case()) {
      case pb::RunEvent::kStarted:
        sink_->OnStarted({event_.started().dense_worker(),
                          event_.started().expert_worker(),
                          static_cast<int>(event_.started().cached_tokens())});
        break;
      case pb::RunEvent::kToken: {
        const pb::RunToken& token = event_.token();
        // Indices are contiguous: a duplicate is dropped, a gap is an error.
        if (static_cast<int>(token.index()) < next_index_) break;
        if (static_cast<int>(token.index()) > next_index_) {
          broken_ = true;
          context_.TryCancel();
          break;
        }
        GeneratedToken out{
            next_index_++, token.token(), token.logprob(), {}, {}};
        for (const pb::Alternative& a : token.alternatives()) {
          out.alternatives.push_back({a.token(), a.logprob()});
        }
        for (const pb::ExpertUse& use : token.expert_use()) {
          out.expert_use.push_back(FromProto(use));
        }
        sink_->OnToken(out);
        break;
      }
      case pb::RunEvent::kFinished:
        finished_ = FromProto(event_.finished());
        break;
      default:
        break;
    }
  }

  void OnDone(const grpc::Status& status) override {
    // Both are released after the lock. The sink must be: it holds the call
    // that holds this.
    std::shared_ptr<RunReactor> self;
    std::shared_ptr<GenerationSink> sink;
    {
      MutexLock lock(mutex_);
      sink = std::move(sink_);
      if (broken_) {
        sink->OnFinished(
            absl::InternalError("tokens of the answer are missing"));
      } else if (!status.ok()) {
        sink->OnFinished(
            absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                         status.error_message()));
      } else if (!finished_) {
        sink->OnFinished(
            absl::UnavailableError("the dense worker broke off; try again"));
      } else {
        sink->OnFinished(*std::move(finished_));
      }
      self = std::move(self_);
    }
  }

  const std::shared_ptr<pb::DenseWorkerService::Stub> stub_;
  const pb::RunRequest request_;
  grpc::ClientContext context_;
  pb::RunEvent event_;  // Of the read under way, or being taken.

  Mutex mutex_;  // Orders what different threads of gRPC do, one at a time.
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  int next_index_ ABSL_GUARDED_BY(mutex_) = 0;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<GenerationFinished> finished_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RunReactor> self_ ABSL_GUARDED_BY(mutex_);
};

class RunCall final : public GenerationCall {
 public:
  explicit RunCall(std::shared_ptr<RunReactor> reactor)
      : reactor_(std::move(reactor)) {}
  void Cancel() override { reactor_->Cancel(); }

 private:
  const std::shared_ptr<RunReactor> reactor_;
};

}  // namespace

DenseClient::DenseClient(std::shared_ptr<grpc::Channel> channel)
    : stub_(internal::v1::DenseWorkerService::NewStub(std::move(channel))) {}

std::unique_ptr<GenerationCall> DenseClient::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  auto reactor = std::make_shared<RunReactor>(stub_, request, std::move(sink));
  reactor->Begin(reactor);
  return std::make_unique<RunCall>(std::move(reactor));
}

void DenseClient::CollectRouting(
    absl::Duration window,
    std::function<void(absl::StatusOr<RoutingCounts>)> done) {
  struct Question {
    grpc::ClientContext context;
    pb::RoutingRequest request;
    pb::RoutingResponse response;
  };
  auto question = std::make_shared<Question>();
  question->context.set_deadline(std::chrono::system_clock::now() +
                                 kDenseAnswerLimit);
  question->request.set_window_seconds(
      static_cast<std::uint32_t>(absl::ToInt64Seconds(window)));
  stub_->async()->Routing(
      &question->context, &question->request, &question->response,
      [question, stub = stub_,
       done = std::move(done)](const grpc::Status& status) {
        if (!status.ok()) {
          done(absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                            status.error_message()));
          return;
        }
        done(FromProto(question->response));
      });
}

}  // namespace apollo
