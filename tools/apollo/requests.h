#pragma once

#include <absl/status/statusor.h>

#include <istream>
#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/options.h"

namespace apollo::client {

// Returns the text of the command: the argument or, for "-", all of `in`
// without trailing line feeds. Returns INVALID_ARGUMENT if it is not UTF-8, too
// long to send, or with --token_ids not a list of integers.
absl::StatusOr<std::string> ReadText(const Options& options, std::istream& in);

// Returns a generation request with all options but without input.
v1::GenerateRequest GenerateRequestWithoutInput(const Options& options);

// Returns the request for one question: a chat of one message (after the system
// message, if there is one), or with --raw or --token_ids the prompt.
v1::GenerateRequest AskRequest(const Options& options, const std::string& text);

v1::ScoreRequest MakeScoreRequest(const Options& options,
                                  const std::string& text);

void AddMessage(v1::Chat& chat, v1::Role role, const std::string& content);

}  // namespace apollo::client
