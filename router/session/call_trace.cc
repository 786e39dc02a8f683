#include "router/session/call_trace.h"

#include <absl/strings/str_cat.h>

namespace apollo {
namespace {

constexpr char kService[] = "apollo.v1.InferenceService";

const char* OperationOf(const CallTrace::Facts& facts) {
  if (facts.entry.method == "Score") return "score";
  return facts.is_chat ? "chat" : "text_completion";
}

}  // namespace

std::unique_ptr<CallTrace> CallTrace::Begin(
    Tracer* tracer, const std::optional<TraceContext>& parent,
    absl::Duration arrived) {
  if (tracer == nullptr) return nullptr;
  TraceContext context = BeginSpan(parent, tracer->sample());
  if (!context.sampled) return nullptr;
  return std::unique_ptr<CallTrace>(new CallTrace(
      *tracer,
      MakeSpan("", SpanKind::kServer, std::move(context), parent, arrived)));
}

void CallTrace::Started(absl::Duration now) {
  if (std::exchange(started_, true)) return;
  span_.events.push_back({"sequence_started", now});
}

void CallTrace::Token(absl::Duration now) {
  if (std::exchange(any_token_, true)) return;
  span_.events.push_back({"first_token_received", now});
}

void CallTrace::End(const Facts& facts, absl::Duration now) {
  const AuditEntry& entry = facts.entry;
  span_.name = absl::StrCat(kService, "/", entry.method);
  span_.ended = now;
  span_.code = facts.code;
  span_.attributes = {{"rpc.system", "grpc"},
                      {"rpc.service", kService},
                      {"rpc.method", entry.method},
                      {"rpc.grpc.status_code", static_cast<int>(facts.code)},
                      {"gen_ai.operation.name", OperationOf(facts)},
                      {"gen_ai.provider.name", "apollo-moe"},
                      {"gen_ai.request.model", facts.model},
                      {"gen_ai.request.choice.count", facts.sequences},
                      {"gen_ai.usage.input_tokens", entry.prompt_tokens},
                      {"gen_ai.usage.output_tokens", entry.answer_tokens},
                      {"gen_ai.response.finish_reasons", entry.finish_reasons},
                      {"apollo.request_id", entry.request_id},
                      {"apollo.language", entry.language},
                      {"apollo.family", entry.family},
                      {"apollo.resumed", entry.resumed}};
  tracer_.Take(std::move(span_));
}

}  // namespace apollo
