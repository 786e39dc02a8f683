#include "serving/otlp_tracer.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <opentelemetry/common/key_value_iterable_view.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter.h>
#include <opentelemetry/exporters/otlp/otlp_grpc_exporter_options.h>
#include <opentelemetry/sdk/common/global_log_handler.h>
#include <opentelemetry/sdk/instrumentationscope/instrumentation_scope.h>
#include <opentelemetry/sdk/resource/resource.h>
#include <opentelemetry/sdk/trace/batch_span_processor.h>
#include <opentelemetry/sdk/trace/batch_span_processor_options.h>
#include <opentelemetry/sdk/trace/exporter.h>
#include <opentelemetry/sdk/trace/recordable.h>
#include <opentelemetry/trace/span_context.h>
#include <opentelemetry/trace/trace_state.h>
#include <prometheus/counter.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/mutex.h"
#include "serving/trace_metrics.h"
#include "serving/version.h"

namespace apollo {
namespace {

namespace otel = opentelemetry;
namespace sdk = opentelemetry::sdk;

constexpr std::size_t kBatch = 512;
constexpr std::size_t kMostReasonBytes = 200;

// Keeps the SDK's last message instead of printing each.
class LastMessage final : public sdk::common::internal_log::LogHandler {
 public:
  void Handle(
      sdk::common::internal_log::LogLevel /*level*/, const char* /*file*/,
      int /*line*/, const char* message,
      const sdk::common::AttributeMap& /*attributes*/) noexcept override {
    MutexLock lock(mutex_);
    text_ = std::string(message).substr(0, kMostReasonBytes);
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }

  // The process's only one; the SDK keeps it, too.
  static LastMessage& Get() {
    using sdk::common::internal_log::GlobalLogHandler;
    using sdk::common::internal_log::LogHandler;
    static const std::shared_ptr<LastMessage> handler = [] {
      auto made = std::make_shared<LastMessage>();
      GlobalLogHandler::SetLogHandler(otel::nostd::shared_ptr<LogHandler>(
          std::shared_ptr<LogHandler>(made)));
      return made;
    }();
    return *handler;
  }

 private:
  Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

// What became of spans.
struct Outcomes {
  explicit Outcomes(prometheus::Registry& registry)
      : family(CounterFamily(registry, kTraceMetrics[0])) {}
  prometheus::Family<prometheus::Counter>& family;
  prometheus::Counter& sent = family.Add({{"result", "sent"}});
  prometheus::Counter& failed = family.Add({{"result", "failed"}});
  prometheus::Counter& dropped = family.Add({{"result", "dropped"}});
  std::atomic<std::int64_t> waiting{0};
  // When the last batches must be sent, by Clock::Real(), in nanoseconds.
  std::atomic<std::int64_t> close_at{std::numeric_limits<std::int64_t>::max()};
};

// Counts what an exporter does, and ends its work when the process stops.
class CountedExporter final : public sdk::trace::SpanExporter {
 public:
  using Recordable = sdk::trace::Recordable;

  CountedExporter(std::unique_ptr<sdk::trace::SpanExporter> exporter,
                  Outcomes& outcomes, std::string endpoint)
      : exporter_(std::move(exporter)),
        outcomes_(outcomes),
        endpoint_(std::move(endpoint)) {}

  std::unique_ptr<Recordable> MakeRecordable() noexcept override {
    return exporter_->MakeRecordable();
  }
  sdk::common::ExportResult Export(
      const otel::nostd::span<std::unique_ptr<Recordable>>& spans) noexcept
      override {
    const auto count = static_cast<double>(spans.size());
    const bool late =
        absl::ToInt64Nanoseconds(Clock::Real().Now()) >= outcomes_.close_at;
    const auto result =
        late ? sdk::common::ExportResult::kFailure : exporter_->Export(spans);
    const bool sent = result == sdk::common::ExportResult::kSuccess;
    (sent ? outcomes_.sent : outcomes_.failed).Increment(count);
    outcomes_.waiting -= static_cast<std::int64_t>(spans.size());
    if (!late) LogChange(sent);
    return result;
  }
  bool ForceFlush(std::chrono::microseconds timeout) noexcept override {
    return exporter_->ForceFlush(timeout);
  }
  bool Shutdown(std::chrono::microseconds timeout) noexcept override {
    return exporter_->Shutdown(timeout);
  }

 private:
  void LogChange(bool sent) {
    if (sent != failing_) return;
    failing_ = !sent;
    if (sent) {
      LogInfo("trace_export_recovered", {{"collector", endpoint_}});
    } else {
      LogWarning(
          "trace_export_failed",
          {{"collector", endpoint_}, {"reason", LastMessage::Get().text()}});
    }
  }

  const std::unique_ptr<sdk::trace::SpanExporter> exporter_;
  Outcomes& outcomes_;
  const std::string endpoint_;
  bool failing_ = false;  // Of the SDK's thread.
};

std::unique_ptr<sdk::trace::SpanExporter> MakeExporter(
    const OtlpTracer::Options& options) {
  otel::exporter::otlp::OtlpGrpcExporterOptions grpc;
  const bool secure = !options.authorities.empty();
  // All options, because the SDK takes the others from the environment.
  grpc.endpoint =
      absl::StrCat(secure ? "https://" : "http://", options.endpoint);
  grpc.use_ssl_credentials = secure;
  grpc.ssl_credentials_cacert_path.clear();
  grpc.ssl_credentials_cacert_as_string = options.authorities;
  grpc.timeout =
      std::chrono::milliseconds(absl::ToInt64Milliseconds(options.timeout));
  grpc.metadata.clear();
  grpc.compression.clear();
  grpc.max_threads = 1;
  grpc.retry_policy_max_attempts = 0;
  return std::make_unique<otel::exporter::otlp::OtlpGrpcExporter>(grpc);
}

otel::trace::SpanKind KindOf(SpanKind kind) {
  switch (kind) {
    case SpanKind::kServer:
      return otel::trace::SpanKind::kServer;
    case SpanKind::kClient:
      return otel::trace::SpanKind::kClient;
    case SpanKind::kInternal:
      break;
  }
  return otel::trace::SpanKind::kInternal;
}

// As OpenTelemetry's conventions for gRPC: what a caller did itself is no error
// of a server.
bool IsError(const Span& span) {
  switch (span.code) {
    case absl::StatusCode::kOk:
      return false;
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return span.kind == SpanKind::kClient;
  }
}

// Calls `use` with the value in the SDK's type, which refers to it.
template <typename Use>
void WithValue(const SpanAttribute& attribute, Use use) {
  if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    use(otel::common::AttributeValue(otel::nostd::string_view(*text)));
  } else if (const auto* all =
                 std::get_if<std::vector<std::string>>(&attribute.value)) {
    const std::vector<otel::nostd::string_view> views(all->begin(), all->end());
    use(otel::common::AttributeValue(
        otel::nostd::span<const otel::nostd::string_view>(views.data(),
                                                          views.size())));
  } else if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    use(otel::common::AttributeValue(*number));
  } else if (const auto* real = std::get_if<double>(&attribute.value)) {
    use(otel::common::AttributeValue(*real));
  } else {
    use(otel::common::AttributeValue(std::get<bool>(attribute.value)));
  }
}

otel::trace::SpanId IdOf(const std::array<std::uint8_t, 8>& id) {
  return otel::trace::SpanId(
      otel::nostd::span<const std::uint8_t, 8>(id.data(), id.size()));
}

void SetIdentity(const Span& span, sdk::trace::Recordable& out) {
  const auto& id = span.context.trace_id;
  const otel::trace::TraceFlags sampled(otel::trace::TraceFlags::kIsSampled);
  const otel::trace::SpanContext context(
      otel::trace::TraceId(
          otel::nostd::span<const std::uint8_t, 16>(id.data(), id.size())),
      IdOf(span.context.span_id), sampled, /*is_remote=*/false,
      otel::trace::TraceState::FromHeader(span.context.state));
  out.SetIdentity(context,
                  span.parent ? IdOf(*span.parent) : otel::trace::SpanId());
  out.SetTraceFlags(sampled);
}

void SetEvents(const Span& span, absl::Duration epoch,
               sdk::trace::Recordable& out) {
  for (const SpanEvent& event : span.events) {
    std::map<std::string, otel::common::AttributeValue> attributes;
    for (const SpanAttribute& attribute : event.attributes) {
      // Texts only: others would need storage.
      const auto* text = std::get_if<std::string>(&attribute.value);
      if (text == nullptr) continue;
      attributes.emplace(attribute.name, otel::nostd::string_view(*text));
    }
    out.AddEvent(
        event.name, absl::ToChronoTime(absl::UnixEpoch() + epoch + event.time),
        otel::common::KeyValueIterableView<
            std::map<std::string, otel::common::AttributeValue>>(attributes));
  }
}

}  // namespace

struct OtlpTracer::Sender {
  Sender(const Options& options, prometheus::Registry& registry)
      : outcomes(registry),
        resource(sdk::resource::Resource::Create(
            {{"service.name", options.service},
             {"service.namespace", "apollo-moe"},
             {"service.instance.id", options.process},
             {"service.version", kVersion}})),
        scope(sdk::instrumentationscope::InstrumentationScope::Create(
            "apollo-moe", kVersion)) {}

  Outcomes outcomes;
  // Spans that wait refer to these.
  const sdk::resource::Resource resource;
  const otel::nostd::unique_ptr<sdk::instrumentationscope::InstrumentationScope>
      scope;
  std::unique_ptr<sdk::trace::BatchSpanProcessor> processor;
  std::atomic<bool> started{false};
};

OtlpTracer::OtlpTracer(Options options)
    : Tracer(options.sample),
      options_(std::move(options)),
      sender_(std::make_unique<Sender>(options_, *registry_)) {}

void OtlpTracer::Start() {
  LastMessage::Get();
  sdk::trace::BatchSpanProcessorOptions batches;
  const auto most_waiting = static_cast<std::size_t>(options_.most_waiting);
  // Twice what Take lets in, because the SDK's ring may refuse a span while it
  // is nearly full, and says nothing: the span would be counted as waiting for
  // ever.
  batches.max_queue_size = 2 * most_waiting;
  batches.max_export_batch_size = std::min(kBatch, most_waiting);
  batches.schedule_delay_millis =
      std::chrono::milliseconds(absl::ToInt64Milliseconds(options_.period));
  sender_->processor = std::make_unique<sdk::trace::BatchSpanProcessor>(
      std::make_unique<CountedExporter>(MakeExporter(options_),
                                        sender_->outcomes, options_.endpoint),
      batches);
  sender_->started = true;
}

OtlpTracer::~OtlpTracer() {
  if (!sender_->started) return;
  sender_->outcomes.close_at =
      absl::ToInt64Nanoseconds(Clock::Real().Now() + options_.timeout);
  sender_->processor->Shutdown();
}

void OtlpTracer::Flush() {
  if (sender_->started) sender_->processor->ForceFlush();
}

void OtlpTracer::Take(Span span) {
  Outcomes& outcomes = sender_->outcomes;
  if (!sender_->started ||
      outcomes.waiting.fetch_add(1) >= options_.most_waiting) {
    if (sender_->started) --outcomes.waiting;
    outcomes.dropped.Increment();
    return;
  }
  std::unique_ptr<sdk::trace::Recordable> out =
      sender_->processor->MakeRecordable();
  // Anew for each span: the system's time may be set.
  const absl::Duration epoch =
      absl::Now() - absl::UnixEpoch() - Clock::Real().Now();
  SetIdentity(span, *out);
  out->SetName(span.name);
  out->SetSpanKind(KindOf(span.kind));
  out->SetResource(sender_->resource);
  out->SetInstrumentationScope(*sender_->scope);
  out->SetStartTime(absl::ToChronoTime(absl::UnixEpoch() + epoch + span.begun));
  out->SetDuration(absl::ToChronoNanoseconds(span.ended - span.begun));
  for (const SpanAttribute& attribute : span.attributes) {
    WithValue(attribute, [&](const otel::common::AttributeValue& value) {
      out->SetAttribute(attribute.name, value);
    });
  }
  SetEvents(span, epoch, *out);
  if (IsError(span)) {
    const std::string code = absl::StatusCodeToString(span.code);
    out->SetAttribute("error.type", otel::nostd::string_view(code));
    out->SetStatus(otel::trace::StatusCode::kError, "");
  }
  sender_->processor->OnEnd(std::move(out));
}

}  // namespace apollo
