#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tracing/trace_context.h"

namespace apollo {

// A fact about a span. As in logs, never user text, tokens or anything derived
// from them.
struct SpanAttribute {
  SpanAttribute(const char* name, std::string value)
      : name(name), value(std::move(value)) {}
  SpanAttribute(const char* name, const char* value)
      : name(name), value(std::string(value)) {}
  SpanAttribute(const char* name, int value)
      : name(name), value(std::int64_t{value}) {}
  SpanAttribute(const char* name, std::int64_t value)
      : name(name), value(value) {}
  SpanAttribute(const char* name, double value) : name(name), value(value) {}
  SpanAttribute(const char* name, bool value) : name(name), value(value) {}
  SpanAttribute(const char* name, std::vector<std::string> value)
      : name(name), value(std::move(value)) {}
  bool operator==(const SpanAttribute&) const = default;

  std::string name;
  std::variant<std::string, std::int64_t, double, bool,
               std::vector<std::string>>
      value;
};

// Something that happened at one moment of a span.
struct SpanEvent {
  std::string name;  // noun_participle, as in logs.
  absl::Duration time;
  std::vector<SpanAttribute> attributes = {};
  bool operator==(const SpanEvent&) const = default;
};

enum class SpanKind { kInternal, kServer, kClient };

// A span that has ended. Times are those of Clock::Real() of this process.
// Plain data: a span costs nothing but memory until a Tracer takes it.
struct Span {
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  TraceContext context;  // Its own.
  // Its parent in the trace; nullopt: it is the first.
  std::optional<std::array<std::uint8_t, 8>> parent;
  absl::Duration begun;
  absl::Duration ended;
  std::vector<SpanAttribute> attributes;
  std::vector<SpanEvent> events;
  // The code only: texts of errors may name callers.
  absl::StatusCode code = absl::StatusCode::kOk;
  bool operator==(const Span&) const = default;
};

// Returns a span that begins at `begun` below `parent`, which is sampled, or
// that is the first one of the trace of `context` without it.
inline Span MakeSpan(std::string name, SpanKind kind, TraceContext context,
                     const std::optional<TraceContext>& parent,
                     absl::Duration begun) {
  Span span;
  span.name = std::move(name);
  span.kind = kind;
  span.context = std::move(context);
  if (parent) span.parent = parent->span_id;
  span.begun = begun;
  return span;
}

}  // namespace apollo
