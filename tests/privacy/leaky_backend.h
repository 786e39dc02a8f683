#pragma once

#include <prometheus/registry.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "model/tokenizer/tokenizer.h"
#include "router/audit/audit_log.h"
#include "router/backend.h"
#include "tracing/tracer.h"

namespace apollo {

// A stand-in for the cluster that leaks the text of each prompt by one channel,
// to prove that the search for leaks finds them. Never part of a product.
// Thread-safe.
class LeakyBackend final : public RouterBackend {
 public:
  // All but `leak` must outlive the backend. `audit` and `tracer` may be null.
  // `leak` is one of: log, log_tokens, output, metrics, audit, status, error,
  // file, tmp, address, core, span_name, span_attribute, span_event,
  // span_tokens; or "none".
  LeakyBackend(const Tokenizer& tokenizer, prometheus::Registry& registry,
               AuditLog* audit, Tracer* tracer, std::string leak,
               std::string address_file)
      : tokenizer_(tokenizer),
        registry_(registry),
        audit_(audit),
        tracer_(tracer),
        leak_(std::move(leak)),
        address_file_(std::move(address_file)) {}

  // Answers with nothing, within the call.
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override { return true; }
  std::string ModelHash() override { return "leaky"; }
  void CollectRouting(
      absl::Duration /*window*/,
      std::function<void(std::vector<WorkerRouting>)> done) override {
    done({{"leaky", RoutingCounts()}});
  }
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

 private:
  void Leak(const std::string& text, const std::vector<std::int32_t>& tokens);
  void LeakToSpan(const std::string& text,
                  const std::vector<std::int32_t>& tokens);
  void LeakToFile(const std::string& text) const;

  const Tokenizer& tokenizer_;
  prometheus::Registry& registry_;
  AuditLog* const audit_;
  Tracer* const tracer_;
  const std::string leak_;
  const std::string address_file_;
  Mutex mutex_;
  std::string status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
