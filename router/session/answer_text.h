#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// Turns the tokens of one answer into text: whole characters only, and nothing
// that is, or may become, part of a stop string. One thread at a time.
//
// Special tokens have no text. But a stop string that names one ("<|im_end|>",
// "a<|im_end|>") is searched in the text with the names of special tokens; all
// others in the text of the answer.
class AnswerText {
 public:
  // `turns` are stop strings of the format of chats: the beginning of another
  // turn. No string may be empty. The tokenizer must outlive the object.
  AnswerText(const Tokenizer& tokenizer, const std::vector<std::string>& stops,
             const std::vector<std::string>& turns = {});

  // Appends a token and returns the text that has become final. When a stop
  // string is complete, sets stopped() and drops all that follows.
  std::string Append(TokenId token);

  // Returns the rest of the text, at the end of the answer.
  std::string Finish();

  bool stopped() const { return matched_ >= 0; }
  // Returns true if another turn has begun, false for one of `stops`.
  bool turn_ended() const { return matched_ >= stop_count_; }
  // Returns the index of the string of `stops` that ended the text, or -1.
  int matched_stop() const { return turn_ended() ? -1 : matched_; }

 private:
  struct Stop {
    std::string text;
    bool names_special;
  };
  // Bytes of `held_`, with their positions there.
  struct View {
    std::string text;
    std::vector<std::size_t> at;
  };

  void Hold(std::string_view text, bool special);
  std::string Release(bool all);
  // Returns the held bytes before `end` that are text of the answer.
  View AnswerUpTo(std::size_t end) const;
  // Finds the stop string that is completed first; among several, the longest.
  // Sets matched_ and returns its position in `held_`, or npos.
  std::size_t FindStop(const View& answer);
  // Returns the position in `held_` from which on a stop string may begin.
  std::size_t FindBeginning(const View& answer) const;

  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;
  std::vector<Stop> stops_;  // Those of the caller, then `turns`.
  int stop_count_;           // Of the caller.
  bool any_names_special_ = false;
  // Possibly the beginning of a stop string. Contains names of special tokens
  // only if a stop string does.
  std::string held_;
  std::vector<bool> held_special_;  // By byte; empty if there are none.
  int matched_ = -1;                // Index into stops_.
};

}  // namespace apollo
