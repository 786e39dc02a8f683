#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "proto/apollo/v1/inference.pb.h"

// Pure functions that format messages as text for people and JSON for programs.
namespace apollo::client {

// Returns a message as one line of JSON without a line feed. Names are those of
// the .proto file; fields with default values are included. As in protobuf's
// JSON mapping, 64-bit integers are strings and bytes are Base64.
std::string JsonLine(const google::protobuf::Message& message);

// Returns for example "language de (0.98), family 4 (...), routing topk, dense
// worker a, expert worker b, 12 prompt tokens", with the reason if there is no
// family.
std::string StartedLine(const v1::GenerateStarted& started);

// Returns for example "128 tokens in 3.20 s, the first after 0.21 s, then 41.2
// tokens/s, ended by eos".
std::string FinishedLine(const v1::GenerateFinished& finished);

// Returns a line for each token of the delta, or of the piece of the prompt:
// position, id, log-probability and alternatives. Empty without
// log-probabilities.
std::string LogprobLines(const v1::GenerateDelta& delta);
std::string LogprobLines(const v1::PromptLogprobs& prompt);

// Returns a line for each continuation: "*" for the best, the sum, the number
// of tokens, and the quoted continuation.
std::string ScoreLines(const v1::ScoreRequest& request,
                       const v1::ScoreResponse& response);

// Returns a line for each token: id, tab, quoted bytes.
std::string TokenLines(const v1::TokenizeResponse& response);

// Returns the best candidate, followed by the others.
std::string LanguageLines(const v1::DetectLanguageResponse& response);

std::string ModelLines(const v1::GetModelResponse& model);

// Returns a table for each sparse layer with a line for each language: the
// share of its choices that each expert received and, of its tokens with a
// family, the share for which the gate did not choose the family's expert.
std::string RoutingLines(const v1::GetRoutingResponse& routing);

// Returns the bytes in double quotes. Escapes quotes, backslashes and control
// characters, keeps UTF-8, and writes other bytes as \xNN.
std::string Quoted(std::string_view bytes);

// Returns faint text for a terminal, else the text.
std::string Dim(const std::string& text, bool is_terminal);

}  // namespace apollo::client
