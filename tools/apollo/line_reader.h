#pragma once

#include <istream>
#include <ostream>
#include <string>

namespace apollo::client {

// The lines that a user or a pipe gives to `apollo chat`. Single-threaded.
class LineReader {
 public:
  enum class Result {
    kLine,
    kDropped,  // The user has given the line up; there may be others.
    kEnd,
  };

  virtual ~LineReader() = default;
  // Reads the next line, without its end. Sets `line` only for kLine.
  virtual Result Read(std::string& line) = 0;
};

// Lines of a stream, after a prompt. Both streams must outlive it.
class StreamLines final : public LineReader {
 public:
  // `prompt`: null for none.
  StreamLines(std::istream& in, std::ostream* prompt)
      : in_(in), prompt_(prompt) {}

  Result Read(std::string& line) override {
    if (prompt_ != nullptr) *prompt_ << "> " << std::flush;
    if (!std::getline(in_, line)) return Result::kEnd;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return Result::kLine;
  }

 private:
  std::istream& in_;
  std::ostream* const prompt_;
};

}  // namespace apollo::client
