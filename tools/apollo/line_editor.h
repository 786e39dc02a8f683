#pragma once

#include <histedit.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tools/apollo/line_reader.h"

namespace apollo::client {

// Lines that a user edits at a terminal, with the keys of libedit's Emacs mode.
// The arrow keys bring back earlier lines of this object, which are kept in
// memory only. Ctrl-C drops the line, Ctrl-D in an empty line ends the input,
// Ctrl-Z suspends the program, and Tab completes a word. Single-threaded.
class LineEditor final : public LineReader {
 public:
  // Reads from the terminal `in` and writes to `out`, which both must outlive
  // the editor. `words` are completed at the beginning of a line. Selects the
  // UTF-8 locale of the process if its own is none. Returns null if libedit
  // does not start.
  static std::unique_ptr<LineEditor> Make(std::FILE* in, std::FILE* out,
                                          std::vector<std::string> words);
  ~LineEditor() override;
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  Result Read(std::string& line) override;

 private:
  LineEditor(std::FILE* out, std::vector<std::string> words)
      : out_(out), words_(std::move(words)) {}
  bool Start(std::FILE* in);

  // Called by libedit.
  static char* Prompt(EditLine* edit);
  static unsigned char Drop(EditLine* edit, int key);
  static unsigned char Suspend(EditLine* edit, int key);
  static unsigned char Complete(EditLine* edit, int key);

  std::FILE* const out_;
  const std::vector<std::string> words_;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
  bool dropped_ = false;
};

}  // namespace apollo::client
