#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// A place in a trace: the span that further spans have as their parent. Ids and
// their text are those of W3C Trace Context
// (https://www.w3.org/TR/trace-context/).
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id = {};
  std::array<std::uint8_t, 8> span_id = {};
  bool sampled = false;
  // The caller's `tracestate`, passed on as it came; empty: none.
  std::string state = {};
  bool operator==(const TraceContext&) const = default;
};

// Names of the gRPC metadata that carry a context.
inline constexpr char kTraceparent[] = "traceparent";
inline constexpr char kTracestate[] = "tracestate";

// Reads a `traceparent`, of version 00 or a later one, and the `tracestate`
// beside it. Returns nullopt for anything malformed: a request is then treated
// as if it had none. A `tracestate` that is too long or not printable ASCII is
// left out.
std::optional<TraceContext> ParseTraceparent(std::string_view traceparent,
                                             std::string_view tracestate = {});

// Returns the `traceparent` of the context, of version 00.
std::string FormatTraceparent(const TraceContext& context);

// Returns an id in lower-case hexadecimal digits.
std::string TraceIdText(const TraceContext& context);

// Returns trace id, span id and flags in 25 bytes, for protocols of the
// cluster. The state is not among them.
std::string PackTraceContext(const TraceContext& context);
// Returns nullopt unless the bytes are a context with valid ids.
std::optional<TraceContext> UnpackTraceContext(std::string_view bytes);

// Returns the context of a new span: in the trace of `parent`, sampled as it
// is; without one in a new trace, of which the share `sample`, from 0 to 1, is
// sampled. The choice depends on the trace id only. Any thread.
TraceContext BeginSpan(const std::optional<TraceContext>& parent,
                       double sample = 0);

}  // namespace apollo
