#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::client {

enum class Command {
  kAsk,
  kChat,
  kScore,
  kDetect,
  kTokenize,
  kModel,
  kRouting,
  kStatus,
  kTop,
  kPlacement,
  kHealth,
  kAdmin
};

// The parsed command line. Values of request fields are passed on unchecked:
// the server checks them and names the field.
struct Options {
  Command command = Command::kModel;

  std::string server = "127.0.0.1:50051";
  // Files of TLS, in PEM form; empty: none. Without tls_ca: plaintext.
  std::string tls_cert, tls_key, tls_ca;
  std::string tls_server_name;  // Empty: the host of `server`.
  // File with the bearer token to send; empty: none.
  std::string token_file;
  bool json = false;
  bool verbose = false;
  // In seconds; 0: the default of the command (see DeadlineOf).
  double timeout = 0;

  // The question, prompt or text of ask, score, detect and tokenize. "-" reads
  // standard input.
  std::string text;
  std::vector<std::string> continuations;  // score

  // ask, chat and score.
  std::string language;
  v1::RoutingMode routing = v1::ROUTING_MODE_UNSPECIFIED;
  bool raw = false;        // `text` is the prompt verbatim, not a chat message.
  bool token_ids = false;  // `text` is the prompt's token ids.
  std::string system;
  std::string request_id;
  bool parse_special_tokens = false;  // Also tokenize.

  // ask and chat.
  v1::SamplingParams sampling;
  std::uint32_t max_new_tokens = 0;
  std::vector<std::string> stop;
  std::vector<std::int32_t> stop_token_ids;
  std::optional<std::uint32_t> logprobs;
  std::optional<std::uint32_t> prompt_logprobs;
  bool ignore_eos = false;
  std::int32_t priority = 0;

  // routing: in seconds; 0: since the start.
  std::int64_t window = 0;

  // top.
  bool once = false;
  double interval = 2;  // Seconds between two looks.
  std::string sort = "role";

  // health: maximum seconds to wait for the server to be ready.
  // admin drain: the same until nothing is left; 0: as the process says.
  double wait = 0;
  // health: the name that is asked for, as the server calls it. Empty: the
  // process as a whole.
  std::string service;

  std::string admin_action;  // admin: drain, reload, config or log_level.
  std::string drain_mode;    // admin drain: move, finish, or empty.
  std::string log_level;     // admin log_level: info, warning or error.
};

// Returns the mode of that name, "topk" or "hybrid"; nullopt for others.
inline std::optional<v1::RoutingMode> RoutingModeOf(const std::string& name) {
  if (name == "topk") return v1::ROUTING_MODE_TOPK;
  if (name == "hybrid") return v1::ROUTING_MODE_HYBRID;
  return std::nullopt;
}

}  // namespace apollo::client
