#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// Makes gRPC's own reports of errors lines of the process's log, at most
// kGrpcLinesPerSecond: a foreign client can cause one by each connection. Call
// it as often as you like. Thread-safe.
void CaptureGrpcLog();

inline constexpr int kGrpcLinesPerSecond = 5;

// Returns the text of a report that may be logged: only those of gRPC's
// security code, which tell why a handshake has failed. Others could quote what
// a client has sent. `file` is the source file in gRPC.
std::optional<std::string> SafeGrpcText(std::string_view file,
                                        std::string_view text);

}  // namespace apollo
