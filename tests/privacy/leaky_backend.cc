#include "tests/privacy/leaky_backend.h"

#include <absl/strings/str_join.h>
#include <prometheus/counter.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "common/clock.h"
#include "common/log.h"
#include "tracing/span.h"
#include "tracing/trace_context.h"

namespace apollo {

std::unique_ptr<GenerationCall> LeakyBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  std::string text;
  for (const std::int32_t token : request.prompt) {
    text += tokenizer_.TokenBytes(token);
  }
  Leak(text, request.prompt);
  GenerationStarted started;
  started.dense_worker = started.expert_worker = "leaky";
  sink->OnStarted(started);
  if (leak_ == "error") {
    sink->OnFinished(absl::InternalError("cannot answer " + text));
  } else {
    sink->OnFinished(GenerationFinished{});
  }
  return nullptr;
}

void LeakyBackend::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  MutexLock lock(mutex_);
  ProcessStatus status;
  status.role = ProcessRole::kDenseWorker;
  status.name = "leaky";
  status.reason = status_;
  done({status});
}

void LeakyBackend::Leak(const std::string& text,
                        const std::vector<std::int32_t>& tokens) {
  if (leak_ == "log") {
    LogInfo("prompt_received", {{"text", text}});
  } else if (leak_ == "log_tokens") {
    LogInfo("prompt_received", {{"tokens", absl::StrJoin(tokens, ", ")}});
  } else if (leak_ == "output") {
    std::puts(text.c_str());
    std::fflush(stdout);
  } else if (leak_ == "metrics") {
    prometheus::BuildCounter()
        .Name("apollo_leaks_total")
        .Register(registry_)
        .Add({{"text", text}})
        .Increment();
  } else if (leak_ == "audit") {
    AuditEntry entry;
    entry.caller.name = text;
    audit_->Write(entry);
  } else if (leak_ == "status") {
    MutexLock lock(mutex_);
    status_ = text;
  } else if (leak_ == "core") {
    std::abort();
  } else if (leak_.rfind("span_", 0) == 0) {
    LeakToSpan(text, tokens);
  } else {
    LeakToFile(text);
  }
}

void LeakyBackend::LeakToSpan(const std::string& text,
                              const std::vector<std::int32_t>& tokens) {
  const absl::Duration now = Clock::Real().Now();
  Span span = MakeSpan("sequence", SpanKind::kInternal,
                       BeginSpan(/*parent=*/std::nullopt, /*sample=*/1),
                       /*parent=*/std::nullopt, now);
  span.ended = now;
  if (leak_ == "span_name") span.name = text;
  if (leak_ == "span_attribute") {
    span.attributes = {{"apollo.prompt", std::vector<std::string>{text}}};
  }
  if (leak_ == "span_event") {
    span.events.push_back({"prompt_received", now, {{"text", text}}});
  }
  if (leak_ == "span_tokens") {
    span.attributes = {{"apollo.tokens", absl::StrJoin(tokens, ", ")}};
  }
  tracer_->Take(std::move(span));
}

void LeakyBackend::LeakToFile(const std::string& text) const {
  std::string path;
  if (leak_ == "file") path = "state";  // In the working folder.
  if (leak_ == "tmp") path = std::string(std::getenv("TMPDIR")) + "/scratch";
  if (leak_ == "address") path = address_file_;
  if (!path.empty()) std::ofstream(path, std::ios::app) << text << "\n";
}

}  // namespace apollo
