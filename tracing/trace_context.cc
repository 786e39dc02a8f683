#include "tracing/trace_context.h"

#include <absl/random/random.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "common/strings.h"

namespace apollo {
namespace {

// Lengths in the text: "00-" id "-" id "-" flags.
constexpr std::size_t kTextBytes = 55;
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::uint8_t kSampledFlag = 1;
// W3C asks for at least this much to be passed on.
constexpr std::size_t kMostStateBytes = 512;

template <std::size_t kBytes>
std::string_view Bytes(const std::array<std::uint8_t, kBytes>& id) {
  return {reinterpret_cast<const char*>(id.data()), kBytes};
}

template <std::size_t kBytes>
std::string Hex(const std::array<std::uint8_t, kBytes>& id) {
  return absl::BytesToHexString(ToAbsl(Bytes(id)));
}

template <std::size_t kBytes>
bool AnySet(const std::array<std::uint8_t, kBytes>& id) {
  return std::any_of(id.begin(), id.end(), [](auto byte) { return byte != 0; });
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;  // Capitals are not allowed either.
}

// Reads two digits for each byte.
template <std::size_t kBytes>
bool ReadHex(std::string_view text, std::array<std::uint8_t, kBytes>& out) {
  for (std::size_t i = 0; i < kBytes; ++i) {
    const std::optional<int> high = HexDigit(text[2 * i]);
    const std::optional<int> low = HexDigit(text[2 * i + 1]);
    if (!high || !low) return false;
    out[i] = static_cast<std::uint8_t>(*high * 16 + *low);
  }
  return true;
}

bool Passes(std::string_view state) {
  return state.size() <= kMostStateBytes &&
         std::all_of(state.begin(), state.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e; });
}

template <std::size_t kBytes>
void Draw(std::array<std::uint8_t, kBytes>& id) {
  static thread_local absl::BitGen generator;
  do {
    for (std::uint8_t& byte : id) {
      byte = static_cast<std::uint8_t>(absl::Uniform<int>(generator, 0, 256));
    }
  } while (!AnySet(id));
}

// Like OpenTelemetry's TraceIdRatioBased, so that routers agree.
bool IsSampled(const TraceContext& context, double sample) {
  std::uint64_t low = 0;
  for (std::size_t i = 8; i < 16; ++i) low = low << 8 | context.trace_id[i];
  return std::ldexp(static_cast<double>(low), -64) < sample;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view traceparent,
                                             std::string_view tracestate) {
  TraceContext context;
  std::array<std::uint8_t, 1> version = {}, flags = {};
  if (traceparent.size() < kTextBytes || traceparent[kTraceAt - 1] != '-' ||
      traceparent[kSpanAt - 1] != '-' || traceparent[kFlagsAt - 1] != '-' ||
      !ReadHex(traceparent, version) || version[0] == 0xff ||
      !ReadHex(traceparent.substr(kTraceAt), context.trace_id) ||
      !ReadHex(traceparent.substr(kSpanAt), context.span_id) ||
      !ReadHex(traceparent.substr(kFlagsAt), flags) ||
      !AnySet(context.trace_id) || !AnySet(context.span_id)) {
    return std::nullopt;
  }
  // A later version may be longer.
  if (traceparent.size() > kTextBytes &&
      (version[0] == 0 || traceparent[kTextBytes] != '-')) {
    return std::nullopt;
  }
  context.sampled = (flags[0] & kSampledFlag) != 0;
  if (Passes(tracestate)) context.state = std::string(tracestate);
  return context;
}

std::string FormatTraceparent(const TraceContext& context) {
  return absl::StrCat("00-", Hex(context.trace_id), "-", Hex(context.span_id),
                      context.sampled ? "-01" : "-00");
}

std::string TraceIdText(const TraceContext& context) {
  return Hex(context.trace_id);
}

std::string PackTraceContext(const TraceContext& context) {
  std::string bytes(Bytes(context.trace_id));
  bytes += Bytes(context.span_id);
  bytes += static_cast<char>(context.sampled ? kSampledFlag : 0);
  return bytes;
}

std::optional<TraceContext> UnpackTraceContext(std::string_view bytes) {
  TraceContext context;
  const std::size_t ids = context.trace_id.size() + context.span_id.size();
  if (bytes.size() != ids + 1) return std::nullopt;
  std::memcpy(context.trace_id.data(), bytes.data(), context.trace_id.size());
  std::memcpy(context.span_id.data(), bytes.data() + context.trace_id.size(),
              context.span_id.size());
  context.sampled = (bytes[ids] & kSampledFlag) != 0;
  if (!AnySet(context.trace_id) || !AnySet(context.span_id)) {
    return std::nullopt;
  }
  return context;
}

TraceContext BeginSpan(const std::optional<TraceContext>& parent,
                       double sample) {
  TraceContext context;
  if (parent) {
    context = *parent;
  } else {
    Draw(context.trace_id);
    context.sampled = IsSampled(context, sample);
  }
  Draw(context.span_id);
  return context;
}

}  // namespace apollo
