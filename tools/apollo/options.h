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
  kHealth
};

// What the command line says. The values of the request's fields are passed on
// as they are: the server is the one to judge them, and names the field.
struct Options {
  Command command = Command::kModel;

  std::string server = "127.0.0.1:50051";
  bool json = false;
  // Seconds; 0: the command's own default (see DefaultTimeout in call.h).
  double timeout = 0;

  // The question, the prompt or the text of ask, score, detect and tokenize.
  // "-" means standard input.
  std::string text;
  std::vector<std::string> continuations;  // score

  // ask, chat and score.
  std::string language;
  v1::RoutingMode routing = v1::ROUTING_MODE_UNSPECIFIED;
  bool raw = false;  // `text` is the prompt verbatim, not a chat message.
  std::string system;
  std::string request_id;
  bool parse_special_tokens = false;  // Also tokenize.

  // ask and chat.
  v1::SamplingParams sampling;
  std::uint32_t max_new_tokens = 0;
  std::vector<std::string> stop;
  std::optional<std::uint32_t> logprobs;
  bool ignore_eos = false;

  // routing: seconds back from now; 0: since the start.
  std::int64_t window = 0;

  // health: seconds to wait until the server is ready.
  double wait = 0;
};

}  // namespace apollo::client
