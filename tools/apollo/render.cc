#include "tools/apollo/render.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>
#include <absl/strings/strip.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <set>

#include "common/strings.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// Returns "topk" for ROUTING_MODE_TOPK. Unknown values stay numbers.
std::string ShortName(const std::string& name, const char* prefix, int value) {
  if (name.empty()) return absl::StrCat("value ", value);
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

std::string RoutingName(v1::RoutingMode mode) {
  return ShortName(v1::RoutingMode_Name(mode), "ROUTING_MODE_", mode);
}

std::string Language(const std::string& language, float confidence) {
  if (language.empty()) return "unknown";
  return absl::StrFormat("%s (%.2f)", language, confidence);
}

// Returns the reason for a family that was not chosen, with a leading blank;
// empty if there is none.
template <typename Message>
std::string WhyNone(const Message& m) {
  switch (m.no_family_reason()) {
    case v1::NO_FAMILY_REASON_UNSPECIFIED:
      return "";
    case v1::NO_FAMILY_REASON_NOT_DETECTED:
      return " (no language detected)";
    case v1::NO_FAMILY_REASON_UNCERTAIN:
      return absl::StrFormat(" (family %d is uncertain: %.2f < %.2f)",
                             m.likely_family(), m.family_confidence(),
                             m.language_threshold());
    case v1::NO_FAMILY_REASON_NOT_IN_FAMILIES:
      return " (a language of no family)";
    case v1::NO_FAMILY_REASON_DENSE_MODEL:
      return " (the model has no experts)";
    default:
      return absl::StrCat(" (reason ", static_cast<int>(m.no_family_reason()),
                          ")");
  }
}

std::string GivenOrDetected(const v1::GenerateStarted& started) {
  if (started.language_given()) return started.language() + " (given)";
  return Language(started.language(), started.confidence());
}

std::string Family(int family, const std::string& name) {
  if (family < 0) return "none";
  if (name.empty()) return absl::StrCat(family);
  return absl::StrCat(family, " (", name, ")");
}

// Returns a line for each token of a message with tokens and log-probabilities.
template <typename Tokens>
std::string LinesOf(const Tokens& tokens) {
  std::string lines;
  for (int i = 0; i < tokens.logprobs_size() && i < tokens.token_ids_size();
       ++i) {
    const v1::TokenLogprobs& logprobs = tokens.logprobs(i);
    absl::StrAppendFormat(&lines, "%5d  %7d  %9.4f ", tokens.index() + i,
                          tokens.token_ids(i), logprobs.logprob());
    for (const v1::TokenAlternative& other : logprobs.alternatives()) {
      absl::StrAppendFormat(&lines, " %s %.4f", Quoted(other.token()),
                            other.logprob());
    }
    lines += '\n';
  }
  return lines;
}

// Newer versions of Protobuf have another name for it.
template <typename Options>
void PrintZeros(Options& options) {
  if constexpr (requires { options.always_print_primitive_fields; }) {
    options.always_print_primitive_fields = true;
  } else {
    options.always_print_fields_with_no_presence = true;
  }
}

}  // namespace

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  PrintZeros(options);
  options.preserve_proto_field_names = true;
  std::string line;
  // Fails only for a malformed google.protobuf.Any, which the API does not use.
  if (!google::protobuf::util::MessageToJsonString(message, &line, options)
           .ok()) {
    return "{}";
  }
  return line;
}

std::string StartedLine(const v1::GenerateStarted& started) {
  std::string line = absl::StrCat(
      "language ", GivenOrDetected(started), ", family ",
      Family(started.family(), started.family_name()), WhyNone(started),
      ", routing ", RoutingName(started.routing()));
  const v1::ServingWorkers& workers = started.workers();
  if (!workers.dense_worker().empty()) {
    absl::StrAppend(&line, ", dense worker ", workers.dense_worker());
  }
  if (!workers.expert_worker().empty()) {
    absl::StrAppend(&line, ", expert worker ", workers.expert_worker());
  }
  absl::StrAppend(&line, ", ", started.prompt_tokens(), " prompt tokens");
  if (started.cached_tokens() > 0) {
    absl::StrAppend(&line, " (", started.cached_tokens(), " cached)");
  }
  return ForTerminal(line);
}

std::string FinishedLine(const v1::GenerateFinished& finished) {
  const v1::Timings& timings = finished.timings();
  const std::uint32_t tokens = finished.usage().generated_tokens();
  std::string line =
      absl::StrFormat("%d token%s in %.2f s", tokens, tokens == 1 ? "" : "s",
                      timings.total_seconds());
  if (tokens > 0) {
    absl::StrAppendFormat(&line, ", the first after %.2f s",
                          timings.first_token_seconds());
  }
  // The first token belongs to prefill, not to decoding.
  const double decoding =
      timings.total_seconds() - timings.first_token_seconds();
  if (tokens > 1 && decoding > 0) {
    absl::StrAppendFormat(&line, ", then %.1f tokens/s",
                          (tokens - 1) / decoding);
  }
  absl::StrAppend(&line, ", ended by ",
                  ShortName(v1::FinishReason_Name(finished.reason()),
                            "FINISH_REASON_", finished.reason()));
  if (finished.has_matched_stop_index()) {
    absl::StrAppend(&line, " string ", finished.matched_stop_index());
  } else if (finished.has_matched_token_id()) {
    absl::StrAppend(&line, " token ", finished.matched_token_id());
  }
  return line;
}

std::string LogprobLines(const v1::GenerateDelta& delta) {
  return LinesOf(delta);
}

std::string LogprobLines(const v1::PromptLogprobs& prompt) {
  return LinesOf(prompt);
}

std::string ScoreLines(const v1::ScoreRequest& request,
                       const v1::ScoreResponse& response) {
  std::string lines;
  for (int i = 0; i < response.scores_size(); ++i) {
    const v1::ContinuationScore& score = response.scores(i);
    const bool best = static_cast<std::uint32_t>(i) == response.best();
    absl::StrAppendFormat(
        &lines, "%c %10.4f  %3d token%s  %s\n", best ? '*' : ' ',
        score.logprob(), score.token_ids_size(),
        score.token_ids_size() == 1 ? " " : "s",
        i < request.continuations_size() ? Quoted(request.continuations(i))
                                         : "");
  }
  return lines;
}

std::string TokenLines(const v1::TokenizeResponse& response) {
  std::string lines;
  for (int i = 0; i < response.token_ids_size(); ++i) {
    absl::StrAppend(
        &lines, response.token_ids(i), "\t",
        i < response.tokens_size() ? Quoted(response.tokens(i)) : "", "\n");
  }
  return lines;
}

std::string LanguageLines(const v1::DetectLanguageResponse& response) {
  std::string lines = absl::StrCat(
      "language ", Language(response.language(), response.confidence()),
      ", family ", Family(response.family(), response.family_name()),
      WhyNone(response), "\n");
  for (const v1::LanguageCandidate& candidate : response.candidates()) {
    absl::StrAppendFormat(&lines, "  %-4s %.3f  family %s\n",
                          candidate.language(), candidate.confidence(),
                          Family(candidate.family(), ""));
  }
  return ForTerminal(lines);
}

std::string ModelLines(const v1::GetModelResponse& model) {
  std::string lines = absl::StrCat(
      "name             ", model.name(), "\n", "architecture     ",
      model.architecture(), "\n", "model hash       ", model.model_hash(), "\n",
      "layers           ", model.layers(),
      model.experts() > 0 ? ", the first sparse one is "
                          : ", the first on expert workers is ",
      model.boundary(), "\n", "hidden size      ", model.hidden_size(), "\n",
      "vocabulary       ", model.vocab_size(), "\n");
  absl::StrAppend(&lines, "experts          ",
                  model.experts() > 0
                      ? absl::StrCat(model.experts(), ", ",
                                     model.experts_per_token(), " per token")
                      : "none",
                  "\n", "context          ", model.max_context_tokens(),
                  " tokens, up to ", model.max_new_tokens(), " new\n",
                  "default routing  ", RoutingName(model.default_routing()),
                  "\n", "language from    ",
                  absl::StrFormat("%.2f", model.language_threshold()), " on",
                  model.expected_languages().empty() ? "" : ", expected: ",
                  absl::StrJoin(model.expected_languages(), " "), "\n");
  absl::StrAppend(&lines, "prompt format    ", model.prompt_format(), "\n",
                  "server version   ", model.server_version(), "\n",
                  "families\n");
  for (const v1::FamilyInfo& family : model.families()) {
    absl::StrAppend(&lines, "  expert ", family.expert(), "  ", family.name(),
                    ": ", absl::StrJoin(family.languages(), " "), "\n");
  }
  return ForTerminal(lines);
}

std::string RoutingLines(const v1::GetRoutingResponse& routing) {
  std::set<std::uint32_t> layers;
  int experts = 0;
  double covered = 0;
  for (const v1::LanguageRouting& language : routing.languages()) {
    for (const v1::LayerExpertUse& use : language.layers()) {
      layers.insert(use.layer());
      experts = std::max(experts, use.tokens_by_expert_size());
    }
  }
  for (const v1::RoutingSource& source : routing.sources()) {
    covered = std::max(covered, source.covered_seconds());
  }
  std::string lines = absl::StrFormat(
      "the last %.0f s on %d dense worker%s, %d expert%s per token\n", covered,
      routing.sources_size(), routing.sources_size() == 1 ? "" : "s",
      routing.experts_per_token(), routing.experts_per_token() == 1 ? "" : "s");
  if (layers.empty()) {
    absl::StrAppend(&lines, routing.experts_per_token() > 0
                                ? "no tokens yet\n"
                                : "the model has no sparse layers\n");
  }
  for (const std::uint32_t layer : layers) {
    absl::StrAppendFormat(&lines, "layer %-3d family      tokens", layer);
    for (int e = 0; e < experts; ++e)
      absl::StrAppendFormat(&lines, "  exp %-2d", e);
    absl::StrAppend(&lines, "  off family\n");
    for (const v1::LanguageRouting& language : routing.languages()) {
      for (const v1::LayerExpertUse& use : language.layers()) {
        if (use.layer() != layer) continue;
        const std::string family =
            language.family() < 0 ? "none" : absl::StrCat(language.family());
        absl::StrAppendFormat(&lines, "  %-7s %-6s %11d", language.language(),
                              family, language.tokens());
        double choices = 0;
        for (const std::uint64_t n : use.tokens_by_expert()) choices += n;
        for (const std::uint64_t n : use.tokens_by_expert()) {
          absl::StrAppendFormat(&lines, "  %5.1f%%",
                                choices > 0 ? 100 * n / choices : 0.0);
        }
        if (language.family_tokens() > 0) {
          absl::StrAppendFormat(
              &lines, "  %5.1f%%",
              100.0 * use.off_family_tokens() / language.family_tokens());
        } else {
          absl::StrAppend(&lines, "      -");
        }
        lines += '\n';
      }
    }
  }
  return ForTerminal(lines);
}

std::string Quoted(std::string_view bytes) {
  std::string quoted = "\"";
  while (!bytes.empty()) {
    const std::size_t valid = std::min(FirstInvalidUtf8(bytes), bytes.size());
    absl::StrAppend(&quoted,
                    absl::Utf8SafeCHexEscape(ToAbsl(bytes.substr(0, valid))));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    absl::StrAppend(&quoted, absl::CHexEscape(ToAbsl(bytes.substr(0, 1))));
    bytes.remove_prefix(1);
  }
  return quoted + "\"";
}

std::string Dim(const std::string& text, bool is_terminal) {
  return is_terminal ? "\x1b[2m" + text + "\x1b[0m" : text;
}

}  // namespace apollo::client
