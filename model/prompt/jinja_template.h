#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/prompt/chat_turn.h"

namespace apollo {

// A chat template in Jinja, parsed and rendered by the library minja as
// transformers does it: with trim_blocks and lstrip_blocks, the variables
// `messages` and `add_generation_prompt` (true), and the functions
// raise_exception and strftime_now. docs/chat.md has the differences.
//
// Immutable, therefore thread-safe.
class JinjaTemplate {
 public:
  static constexpr std::size_t kMaxSourceBytes = 128 << 10;
  // Look-ups of variables, and numbers of range(), while one chat is rendered:
  // 1024 for each message of the longest chat that a request can have, and two
  // or three seconds of one processor at most (minja takes some 10 us for a
  // step), well within the time of a trial.
  static constexpr std::size_t kMaxSteps = 1 << 18;

  // Returns INVALID_ARGUMENT for a source that is too long or that minja cannot
  // parse, saying why. A hostile source can exhaust the stack: see trial.h.
  static absl::StatusOr<JinjaTemplate> Parse(std::string_view source);

  JinjaTemplate(JinjaTemplate&&) noexcept;
  JinjaTemplate& operator=(JinjaTemplate&&) noexcept;
  ~JinjaTemplate();

  struct Input {
    std::vector<ChatTurn> turns;
    std::map<std::string, std::string> variables;  // Such as bos_token.
    absl::Time now;                                // For strftime_now.
    absl::TimeZone zone;
  };

  // Returns the text, or one of these errors. No message contains text of the
  // chat:
  //   INVALID_ARGUMENT    the template called raise_exception. The message
  //                       quotes its argument if the source has it as a string;
  //   RESOURCE_EXHAUSTED  more than kMaxSteps, or a range() of more
  //                       than 100000 numbers (Jinja's bound), or an output of
  //                       more than 1 MiB plus 8 times the input;
  //   INTERNAL            any other failure. `detail`, unless null, receives
  //                       minja's explanation, which can contain text of the
  //                       chat.
  absl::StatusOr<std::string> Render(const Input& input,
                                     std::string* detail = nullptr) const;

 private:
  struct Parts;
  explicit JinjaTemplate(std::unique_ptr<const Parts> parts);

  std::unique_ptr<const Parts> parts_;
};

}  // namespace apollo
