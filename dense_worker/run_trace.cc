#include "dense_worker/run_trace.h"

namespace apollo {
namespace {

constexpr char kService[] = "apollo.internal.v1.DenseWorkerService";
constexpr char kName[] = "apollo.internal.v1.DenseWorkerService/Run";

}  // namespace

std::unique_ptr<RunTrace> RunTrace::Begin(
    Tracer* tracer, const std::optional<TraceContext>& router,
    absl::Duration arrived) {
  if (tracer == nullptr || !router || !router->sampled) return nullptr;
  return std::unique_ptr<RunTrace>(new RunTrace(
      *tracer,
      MakeSpan(kName, SpanKind::kServer, BeginSpan(router), router, arrived)));
}

void RunTrace::Started(const GenerationStarted& started, absl::Duration now) {
  if (times_.started) return;
  times_.started = now;
  expert_worker_ = started.expert_worker;
  cached_tokens_ = started.cached_tokens;
}

void RunTrace::Token(absl::Duration now) {
  if (!times_.first_token) times_.first_token = now;
}

void RunTrace::Moved(const SequenceMove& move) {
  Span span = MakeSpan("move", SpanKind::kInternal, BeginSpan(span_.context),
                       span_.context, move.noticed);
  span.ended = move.continued;
  span.events = {{"worker_chosen", move.chosen},
                 {"rows_replayed", move.replayed}};
  span.attributes = {{"apollo.move.cause", move.cause},
                     {"apollo.move.from", move.from},
                     {"apollo.move.to", move.to},
                     {"apollo.move.rows", move.rows}};
  tracer_.Take(std::move(span));
}

void RunTrace::End(const Facts& facts, absl::Duration now) {
  span_.ended = now;
  span_.code = facts.code;
  span_.attributes = {{"rpc.system", "grpc"},
                      {"rpc.service", kService},
                      {"rpc.method", "Run"},
                      {"rpc.grpc.status_code", static_cast<int>(facts.code)},
                      {"gen_ai.usage.input_tokens", facts.prompt_tokens},
                      {"gen_ai.usage.output_tokens", facts.tokens},
                      {"apollo.request_id", facts.request_id},
                      {"apollo.expert_worker", expert_worker_},
                      {"apollo.cached_tokens", cached_tokens_}};
  TakeStages(span_, times_, tracer_);
  tracer_.Take(std::move(span_));
}

}  // namespace apollo
