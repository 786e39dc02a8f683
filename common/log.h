#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace apollo {

// Structured logs: one JSON object per line on standard error, for example
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","process":"router",
//    "event":"started","port":50051}
// The event is a constant; the fields are facts about the system. A field must
// never contain user text, tokens or anything derived from them. Thread-safe.
using LogValue = std::variant<std::string, std::int64_t, double, bool>;

struct LogField {
  LogField(const char* name, std::string value)
      : name(name), value(std::move(value)) {}
  LogField(const char* name, const char* value)
      : name(name), value(std::string(value)) {}
  LogField(const char* name, bool value) : name(name), value(value) {}
  LogField(const char* name, double value) : name(name), value(value) {}
  LogField(const char* name, int value)
      : name(name), value(static_cast<std::int64_t>(value)) {}
  LogField(const char* name, std::int64_t value) : name(name), value(value) {}
  LogField(const char* name, std::uint64_t value)
      : name(name), value(static_cast<std::int64_t>(value)) {}

  const char* name;
  LogValue value;
};

using LogFields = std::initializer_list<LogField>;

// Sets the process name that appears in every line. Call once, before starting
// threads.
void SetLogProcess(std::string_view name);

// Drops events below that level from now on; at first none.
enum class LogLevel { kInfo, kWarning, kError };
void SetLogLevel(LogLevel level);

void LogInfo(const char* event, LogFields fields = {});
void LogInfo(const char* event, const std::vector<LogField>& fields);
void LogWarning(const char* event, LogFields fields = {});
void LogWarning(const char* event, const std::vector<LogField>& fields);
void LogError(const char* event, LogFields fields = {});
void LogError(const char* event, const std::vector<LogField>& fields);

}  // namespace apollo
