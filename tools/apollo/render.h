#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "proto/apollo/v1/inference.pb.h"

// Messages as text for people, and as JSON for programs. Pure functions.
namespace apollo::client {

// One line of JSON without a line feed: names as in the .proto file, fields
// with default values included. 64-bit integers are strings and bytes are
// Base64, as protobuf's JSON mapping has it.
std::string JsonLine(const google::protobuf::Message& message);

// "language de (0.98), family 4 (...), topk, served by a and b, 12 prompt
// tokens"
std::string StartedLine(const v1::GenerateStarted& started);

// "128 tokens in 3.2 s, the first after 0.21 s, 41.2 tokens/s, ended: eos"
std::string FinishedLine(const v1::GenerateFinished& finished);

// A line for each token of the delta: position, id, log-probability and the
// alternatives. Empty if the delta has no log-probabilities.
std::string LogprobLines(const v1::GenerateDelta& delta);

// A line for each continuation: "*" before the best, the sum, the number of
// tokens, and the continuation, quoted.
std::string ScoreLines(const v1::ScoreRequest& request,
                       const v1::ScoreResponse& response);

// A line for each token: id, tab, bytes, quoted.
std::string TokenLines(const v1::TokenizeResponse& response);

// The best candidate first, then the others.
std::string LanguageLines(const v1::DetectLanguageResponse& response);

std::string ModelLines(const v1::GetModelResponse& model);

// A table for each sparse layer: a line for each language, with the share of
// its choices that went to each expert and, of its tokens with a family, the
// share that the gate led past the family's expert.
std::string RoutingLines(const v1::GetRoutingResponse& routing);

// In double quotes; quotes, backslashes and control characters escaped, UTF-8
// kept, bytes that are not UTF-8 as \xNN.
std::string Quoted(std::string_view bytes);

// Faint on a terminal.
std::string Dim(const std::string& text, bool is_terminal);

}  // namespace apollo::client
