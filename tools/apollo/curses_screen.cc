#include "tools/apollo/curses_screen.h"

// Otherwise move() of ncurses breaks std::move.
#define NCURSES_NOMACROS 1

#include <langinfo.h>
#include <ncurses.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <sstream>

namespace apollo::client {

std::unique_ptr<CursesScreen> CursesScreen::Make() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  // Not initscr(), which ends the program if it fails.
  SCREEN* const screen = newterm(nullptr, stdout, stdin);
  if (screen == nullptr) return nullptr;
  set_term(screen);
  cbreak();  // Keys at once; Ctrl-C is a signal.
  noecho();
  nodelay(stdscr, TRUE);
  curs_set(0);
  return std::unique_ptr<CursesScreen>(new CursesScreen(screen));
}

CursesScreen::~CursesScreen() {
  endwin();
  delscreen(static_cast<SCREEN*>(screen_));
}

void CursesScreen::Show(const std::string& text) {
  erase();
  std::istringstream lines(text);
  std::string line;
  for (int row = 0; row < LINES && std::getline(lines, line); ++row) {
    move(row, 0);
    // Characters that do not fit would continue in the next line, which the
    // next one overwrites, or scroll, which is off.
    addstr(line.c_str());
    if (row + 1 < LINES) {
      move(row + 1, 0);
      clrtobot();
    }
  }
  refresh();
}

std::optional<char> CursesScreen::Key() {
  const int key = getch();
  if (key < 0 || key > 127) return std::nullopt;
  return static_cast<char>(key);
}

}  // namespace apollo::client
