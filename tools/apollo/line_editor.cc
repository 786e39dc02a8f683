#include "tools/apollo/line_editor.h"

#include <langinfo.h>
#include <signal.h>

#include <clocale>
#include <cstring>
#include <string_view>
#include <utility>

namespace apollo::client {
namespace {

constexpr int kKeptLines = 1000;

LineEditor& EditorOf(EditLine* edit) {
  void* editor = nullptr;
  el_get(edit, EL_CLIENTDATA, &editor);
  return *static_cast<LineEditor*>(editor);
}

// libedit converts keys by the locale, and messages are UTF-8.
void SelectUtf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
}

}  // namespace

std::unique_ptr<LineEditor> LineEditor::Make(std::FILE* in, std::FILE* out,
                                             std::vector<std::string> words) {
  SelectUtf8();
  std::unique_ptr<LineEditor> editor(new LineEditor(out, std::move(words)));
  if (!editor->Start(in)) return nullptr;
  return editor;
}

bool LineEditor::Start(std::FILE* in) {
  history_ = history_init();
  edit_ = el_init("apollo", in, out_, out_);
  if (history_ == nullptr || edit_ == nullptr) return false;
  HistEvent event;
  history(history_, &event, H_SETSIZE, kKeptLines);
  history(history_, &event, H_SETUNIQUE, 1);
  el_set(edit_, EL_CLIENTDATA, this);
  el_set(edit_, EL_PROMPT, &LineEditor::Prompt);
  el_set(edit_, EL_EDITOR, "emacs");
  el_set(edit_, EL_HIST, history, history_);
  // Leaves the terminal in order when a signal ends the program.
  el_set(edit_, EL_SIGNAL, 1);
  // While a line is edited, Ctrl-C and Ctrl-Z are keys and not signals.
  el_set(edit_, EL_SETTY, "-d", "-isig", nullptr);
  el_set(edit_, EL_ADDFN, "apollo-drop", "Drops the line", &LineEditor::Drop);
  el_set(edit_, EL_BIND, "^C", "apollo-drop", nullptr);
  el_set(edit_, EL_ADDFN, "apollo-stop", "Suspends the program",
         &LineEditor::Suspend);
  el_set(edit_, EL_BIND, "^Z", "apollo-stop", nullptr);
  el_set(edit_, EL_ADDFN, "apollo-complete", "Completes a command",
         &LineEditor::Complete);
  el_set(edit_, EL_BIND, "^I", "apollo-complete", nullptr);
  return true;
}

LineEditor::~LineEditor() {
  if (edit_ != nullptr) el_end(edit_);
  if (history_ != nullptr) history_end(history_);
}

LineReader::Result LineEditor::Read(std::string& line) {
  dropped_ = false;
  int count = 0;
  const char* const text = el_gets(edit_, &count);
  if (text == nullptr || count <= 0) {
    std::fputs(dropped_ ? "^C\n" : "\n", out_);
    std::fflush(out_);
    return dropped_ ? Result::kDropped : Result::kEnd;
  }
  line.assign(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
    line.pop_back();
  }
  if (line.find_first_not_of(" \t") != std::string::npos) {
    HistEvent event;
    history(history_, &event, H_ENTER, line.c_str());
  }
  return Result::kLine;
}

char* LineEditor::Prompt(EditLine*) {
  static char prompt[] = "> ";
  return prompt;
}

unsigned char LineEditor::Drop(EditLine* edit, int) {
  EditorOf(edit).dropped_ = true;
  return CC_EOF;
}

unsigned char LineEditor::Suspend(EditLine*, int) {
  // libedit's handler gives the terminal back, and takes it when the program
  // goes on.
  raise(SIGTSTP);
  return CC_REDISPLAY;
}

unsigned char LineEditor::Complete(EditLine* edit, int) {
  const LineInfo* const info = el_line(edit);
  const std::string_view begun(info->buffer, info->cursor - info->buffer);
  if (begun.empty()) return CC_REFRESH_BEEP;
  std::string rest;  // What all words that begin so have in common.
  bool found = false;
  for (const std::string& word : EditorOf(edit).words_) {
    if (word.compare(0, begun.size(), begun) != 0) continue;
    const std::string tail = word.substr(begun.size());
    if (!found) rest = tail;
    found = true;
    std::size_t same = 0;
    while (same < rest.size() && same < tail.size() &&
           rest[same] == tail[same]) {
      ++same;
    }
    rest.resize(same);
  }
  if (rest.empty() || el_insertstr(edit, rest.c_str()) != 0) {
    return CC_REFRESH_BEEP;
  }
  return CC_REFRESH;
}

}  // namespace apollo::client
