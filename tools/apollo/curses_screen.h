#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/apollo/screen.h"

namespace apollo::client {

// The terminal of standard input and output, as a page of ncurses. The terminal
// is as it was when this is destroyed, or when a signal ends the program.
class CursesScreen final : public Screen {
 public:
  // Takes the terminal. Sets a UTF-8 locale of the process if its own is none.
  // Returns null if ncurses cannot use the terminal.
  static std::unique_ptr<CursesScreen> Make();
  ~CursesScreen() override;

  void Show(const std::string& text) override;
  std::optional<char> Key() override;

 private:
  explicit CursesScreen(void* screen) : screen_(screen) {}

  void* const screen_;  // ncurses' SCREEN.
};

}  // namespace apollo::client
