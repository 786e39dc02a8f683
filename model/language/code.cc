#include "model/language/code.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/language/code_pieces.h"
#include "model/language/code_statements.h"

namespace apollo {
namespace {

using code::IsAscii;
using code::IsBlank;
using code::IsLetter;
using code::IsLower;
using code::IsPlainWord;
using code::IsUpper;
using code::Kind;
using code::Line;
using code::Lower;
using code::Piece;
using code::Raw;
using code::Split;
using code::SqlQuery;
using code::Statement;
using code::Trim;
using code::Words;

// "print("Hello world")" and {"name": "Anna Smith"}: what is quoted belongs to
// the code if it is a few words and no question.
void JoinLiterals(std::string_view text, Line* line) {
  constexpr std::size_t kMostWords = 2;  // Behind the first.
  const auto prints = [](std::string_view word) {
    return word == "print" || word == "puts" || word == "echo" ||
           word == "return";
  };
  bool after_code = false;
  std::vector<Piece> joined;
  std::vector<Piece>& pieces = line->pieces;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Piece piece = pieces[i];
    const bool strong =
        piece.kind == Kind::kStrong || piece.kind == Kind::kBinding;
    const std::string_view word =
        text.substr(piece.begin, piece.end - piece.begin);
    const bool opens =
        std::count(word.begin(), word.end(), '"') % 2 == 1 ||
        (std::count(word.begin(), word.end(), '\'') == 1 &&
         (word[0] == '\'' || word.find("('") != std::string_view::npos ||
          word.find("='") != std::string_view::npos));
    if (opens && (strong || after_code)) {
      const char quote = word.find('"') != std::string_view::npos ? '"' : '\'';
      for (std::size_t j = i + 1; j < pieces.size() && j - i <= kMostWords;
           ++j) {
        const std::string_view next =
            text.substr(pieces[j].begin, pieces[j].end - pieces[j].begin);
        if (pieces[j].kind == Kind::kOther ||
            next.find('?') != std::string_view::npos) {
          break;
        }
        if (next.find(quote) != std::string_view::npos) {
          piece.end = pieces[j].end;
          piece.kind = Kind::kStrong;
          piece.ends_sentence = false;
          i = j;
          break;
        }
      }
    }
    after_code = piece.kind == Kind::kStrong || piece.kind == Kind::kBinding ||
                 prints(word);
    joined.push_back(piece);
  }
  pieces = std::move(joined);
}

bool IsCode(const Piece& piece) { return piece.code; }

// Pieces from `begin` up to one that is not ASCII or ends a sentence.
std::size_t SegmentEnd(const std::vector<Piece>& pieces, std::size_t begin) {
  std::size_t end = begin;
  while (end < pieces.size() && pieces[end].kind != Kind::kOther) {
    if (pieces[end++].ends_sentence) break;
  }
  return end;
}

void MarkStatements(std::string_view text, Line* line) {
  std::vector<Piece>& pieces = line->pieces;
  for (std::size_t begin = 0; begin < pieces.size();) {
    if (pieces[begin].kind == Kind::kOther) {
      ++begin;
      continue;
    }
    const std::size_t end = SegmentEnd(pieces, begin);
    std::vector<std::string_view> raw;
    std::vector<std::string> words;
    for (std::size_t i = begin; i < end; ++i) {
      raw.push_back(
          text.substr(pieces[i].begin, pieces[i].end - pieces[i].begin));
      words.push_back(Lower(Trim(raw.back())));
    }
    std::size_t first = begin;
    std::size_t count = Statement(raw, words, begin == 0, end == pieces.size());
    // A query may stand in the middle: "why does select x from y fail".
    while (count == 0 && ++first < end) {
      const std::size_t skip = first - begin;
      if (words[skip] == "select") {
        count = SqlQuery(Raw(raw).subspan(skip), Words(words).subspan(skip));
      }
    }
    for (std::size_t i = first; i < first + count; ++i) {
      pieces[i].code = pieces[i].statement = true;
    }
    begin = end;
  }
}

// Whether an assignment in it is one of a program: "Husten = stark" is not.
bool HasOtherSigns(std::string_view text, const Line& line) {
  return std::any_of(
      line.pieces.begin(), line.pieces.end(), [text](const Piece& piece) {
        const std::string_view word =
            text.substr(piece.begin, piece.end - piece.begin);
        return piece.kind == Kind::kStrong || word == "/" || word == "*" ||
               word == "%" || (piece.kind == Kind::kBinding && word != "=");
      });
}

// The operands of an assignment or comparison.
void SpreadFromBindings(std::string_view text, Line* line) {
  constexpr std::size_t kShortWord = 3;  // "CC", "bmi": no words, or lost.
  std::vector<Piece>& pieces = line->pieces;
  const bool certain = HasOtherSigns(text, *line);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].kind != Kind::kBinding) continue;
    pieces[i].code = true;
    Piece* const left =
        i > 0 && !pieces[i - 1].ends_sentence ? &pieces[i - 1] : nullptr;
    Piece* const right = i + 1 < pieces.size() ? &pieces[i + 1] : nullptr;
    const auto names = [text](const Piece* piece) {
      if (piece == nullptr || piece->kind != Kind::kWeak) return false;
      if (piece->keyword) {
        const std::string word =
            Lower(text.substr(piece->begin, piece->end - piece->begin));
        return word == "int" || word == "string" || word == "do" ||
               word == "lambda" || word == "function" || word == "bool" ||
               word == "float";
      }
      return std::any_of(text.begin() + piece->begin, text.begin() + piece->end,
                         IsLetter);
    };
    // "CC", "x.y" and "do" are a program's.
    const bool all = certain || names(left) || names(right);
    for (Piece* piece : {left, right}) {
      if (piece == nullptr) continue;
      if (piece->kind == Kind::kWeak ||
          (piece->kind == Kind::kPlain &&
           (all || piece->end - piece->begin <= kShortWord ||
            !IsPlainWord(*piece, text)))) {
        piece->code = true;
      }
    }
  }
}

// Whether the pieces from `begin` to `end` have a sentence among them.
bool HasSentence(std::string_view text, const std::vector<Piece>& pieces,
                 std::size_t begin, std::size_t end) {
  constexpr int kMostWords = 2;  // In a row.
  int words = 0;
  for (std::size_t i = begin; i <= end; ++i) {
    const std::string_view word =
        text.substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
    if (word.find('?') != std::string_view::npos) return true;
    const bool in_sentence = IsPlainWord(pieces[i], text) ||
                             IsWordWithRemark(word) ||
                             (pieces[i].keyword && IsLetter(word.back()));
    words = in_sentence ? words + 1 : 0;
    if (words > kMostWords) return true;
  }
  return false;
}

// From the signs to what stands between and before them.
void Spread(std::string_view text, Line* line) {
  constexpr std::size_t kMostBetween = 2;
  std::vector<Piece>& pieces = line->pieces;
  const auto is_word = [](const Piece& piece) {
    return piece.kind == Kind::kPlain || piece.kind == Kind::kWeak;
  };
  for (Piece& piece : pieces) {
    if (piece.kind == Kind::kStrong) piece.code = true;
  }
  SpreadFromBindings(text, line);
  // "name { ... }" and {"name": "value"} within a line.
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (text[pieces[i].begin] != '{' && text[pieces[i].end - 1] != '{')
      continue;
    std::size_t close = i + 1;
    while (close < pieces.size() && pieces[close].kind != Kind::kOther &&
           text.substr(pieces[close].begin,
                       pieces[close].end - pieces[close].begin)
                   .find('}') == std::string_view::npos) {
      ++close;
    }
    if (close == pieces.size() || pieces[close].kind == Kind::kOther) {
      i = close - 1;  // Nothing up to there is closed.
      continue;
    }
    if (HasSentence(text, pieces, i, close)) {
      i = close;
      continue;
    }
    for (std::size_t j = i; j <= close; ++j) pieces[j].code = true;
    if (pieces[i].end - pieces[i].begin == 1 && i > 0 &&
        is_word(pieces[i - 1])) {
      pieces[i - 1].code = true;
    }
    i = close;
  }
  // "for i in" before "range(10)".
  for (std::size_t i = pieces.size(); i-- > 1;) {
    if (pieces[i].code && pieces[i - 1].kind == Kind::kWeak &&
        !pieces[i - 1].ends_sentence) {
      pieces[i - 1].code = true;
    }
  }
  // Numbers and signs behind it, a few words between two parts of it.
  std::size_t last = pieces.size();  // The last piece of code; none yet.
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.kind == Kind::kOther) {
      last = pieces.size();
      continue;
    }
    if (piece.code) {
      if (last < i && i - last - 1 <= kMostBetween) {
        for (std::size_t j = last + 1; j < i; ++j) pieces[j].code = true;
      }
      last = i;
    } else if (piece.ends_sentence) {
      last = pieces.size();
    } else if (last + 1 == i && piece.kind == Kind::kWeak && !piece.keyword &&
               std::none_of(text.begin() + piece.begin,
                            text.begin() + piece.end, IsLetter)) {
      pieces[i].code = true;
      last = i;
    }
  }
  // A comment behind it.
  constexpr std::size_t kLongestComment = 5;
  bool sure = false;
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    sure |= pieces[i - 1].keyword || pieces[i - 1].kind == Kind::kStrong;
    const std::string_view word =
        text.substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
    if (!pieces[i - 1].code || !(word == "#" || word.starts_with("//"))) {
      continue;
    }
    if (!sure || pieces.size() - i > kLongestComment) break;
    if (text.substr(pieces[i].begin, line->end - pieces[i].begin).find('?') !=
        std::string_view::npos) {
      break;
    }
    for (std::size_t j = i; j < pieces.size(); ++j) {
      pieces[j].code = pieces[j].kind != Kind::kOther;
    }
    break;
  }
}

// So many words that are no code are a sentence.
bool HasManyWords(std::string_view text, const Line& line) {
  constexpr int kMany = 4;
  return std::count_if(line.pieces.begin(), line.pieces.end(),
                       [text](const Piece& piece) {
                         return !piece.code && IsPlainWord(piece, text);
                       }) >= kMany;
}

// A line of which most is code is code, unless words stand at an end of it.
void JudgeLine(std::string_view text, Line* line) {
  const std::vector<Piece>& pieces = line->pieces;
  if (pieces.empty() || HasManyWords(text, *line)) return;
  for (const Piece& piece : pieces) {
    if (piece.kind == Kind::kOther) return;
    if (piece.ends_sentence && !piece.code) return;
  }
  const auto code = static_cast<std::size_t>(
      std::count_if(pieces.begin(), pieces.end(), IsCode));
  const auto weak = static_cast<std::size_t>(
      std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) {
        return !piece.code && piece.kind == Kind::kWeak;
      }));
  // Three of five pieces, or with keywords, numbers and signs four of five.
  line->mostly = code * 5 >= pieces.size() * 3 ||
                 (code >= 2 && (code + weak) * 5 >= pieces.size() * 4);
  const auto is_part = [](const Piece& piece) {
    return piece.code || piece.kind == Kind::kWeak;
  };
  line->code =
      line->mostly && is_part(pieces.front()) && is_part(pieces.back());
  line->certain = line->mostly &&
                  std::any_of(pieces.begin(), pieces.end(), [](const Piece& p) {
                    return p.statement || p.kind == Kind::kStrong;
                  });
}

// Words that few lines of prose start with.
bool IsCodeWord(std::string_view word) {
  constexpr std::array<std::string_view, 24> kWords = {
      "class",  "const",  "def", "done",  "elif",   "else",
      "elseif", "elsif",  "end", "endif", "except", "fi",
      "fn",     "func",   "int", "let",   "return", "static",
      "struct", "switch", "try", "var",   "void",   "while"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// Beside lines of code: those that start or end as code does.
bool CouldBeCode(std::string_view text, const Line& line) {
  if (line.pieces.empty()) return false;
  for (const Piece& piece : line.pieces) {
    if (piece.kind == Kind::kOther) return false;
  }
  const std::string_view all =
      text.substr(line.pieces.front().begin,
                  line.pieces.back().end - line.pieces.front().begin);
  if (all.find('?') != std::string_view::npos) return false;
  if (line.indented && (all.starts_with("//") || all.starts_with("# ") ||
                        all.starts_with("/*") || all.starts_with("* "))) {
    return true;  // A comment.
  }
  if (HasManyWords(text, line)) return false;
  if (line.pieces.front().code || all.starts_with("//")) return true;
  const char last = all.back();
  if (last == ';' || last == '{' || last == '}') return true;
  if (line.pieces.front().keyword && last == ':') return true;
  if (line.pieces.size() <= 4 &&
      IsCodeWord(Trim(
          text.substr(line.pieces.front().begin,
                      line.pieces.front().end - line.pieces.front().begin)))) {
    return true;
  }
  return line.indented && (last == ',' || last == ')' || last == ']' ||
                           std::any_of(line.pieces.begin(), line.pieces.end(),
                                       [](const Piece& piece) {
                                         return piece.code ||
                                                piece.kind == Kind::kBinding;
                                       }));
}

// Between lines with a "{" at the end and one that starts with "}".
void SpreadToLines(std::string_view text, std::vector<Line>* lines) {
  const auto pass = [&](auto begin, auto end) {
    bool after_code = false;
    for (auto line = begin; line != end; ++line) {
      if (line->pieces.empty()) continue;
      if (!line->certain && after_code && CouldBeCode(text, *line)) {
        line->code = line->certain = true;
      }
      after_code = line->certain;
    }
  };
  pass(lines->begin(), lines->end());
  pass(lines->rbegin(), lines->rend());
}

// The key of "name: x" or "name:" on a line of its own, in ASCII; empty: it is
// none.
std::string_view SettingKey(std::string_view text, const Line& line) {
  const std::vector<Piece>& pieces = line.pieces;
  if (std::any_of(pieces.begin(), pieces.end(), [](const Piece& piece) {
        return piece.kind == Kind::kOther;
      })) {
    return {};
  }
  std::size_t key = 0;
  if (!pieces.empty() && pieces[0].end - pieces[0].begin == 1 &&
      text[pieces[0].begin] == '-') {
    key = 1;
  }
  if (key >= pieces.size() || pieces.size() > key + 2) return {};
  const std::string_view name =
      text.substr(pieces[key].begin, pieces[key].end - pieces[key].begin);
  return name.back() == ':' && IsLower(name[0]) ? name : std::string_view();
}

// camelCase or with a dot or underscore inside: what people do not name so.
bool IsProgramsKey(std::string_view key) {
  for (std::size_t i = 1; i + 1 < key.size(); ++i) {
    if (!IsLower(key[i - 1])) continue;
    if (IsUpper(key[i]) && IsLower(key[i + 1])) return true;
    if ((key[i] == '_' || key[i] == '.') && IsLower(key[i + 1])) return true;
  }
  return false;
}

// People make lists of "key: value" too, so that one key must be a program's.
void MarkSettings(std::string_view text, std::vector<Line>* lines) {
  constexpr std::size_t kFewest = 3;
  for (std::size_t begin = 0; begin < lines->size();) {
    std::size_t end = begin;
    bool programs = false;
    for (; end < lines->size(); ++end) {
      const std::string_view key = SettingKey(text, (*lines)[end]);
      if (key.empty()) break;
      programs |= IsProgramsKey(key);
    }
    if (programs && end - begin >= kFewest) {
      for (std::size_t i = begin; i < end; ++i) {
        (*lines)[i].code = (*lines)[i].certain = true;
      }
    }
    begin = std::max(end, begin + 1);
  }
}

void Blank(std::string* text, std::size_t begin, std::size_t end) {
  std::fill(text->begin() + begin, text->begin() + end, ' ');
}

// Where the tags of a line are; the rest of it is returned with single blanks.
std::string WithoutTags(std::string_view line) {
  std::string rest;
  bool tag = false;
  for (const char c : line) {
    if (c == '<') tag = true;
    if (!tag) rest.push_back(c);
    if (c == '>') {
      tag = false;
      rest.push_back(' ');
    }
  }
  return rest;
}

}  // namespace

void BlankMarkup(std::string* text) {
  constexpr int kMostWords = 4;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    std::size_t first = begin, last = end;
    while (first < last && IsBlank((*text)[first])) ++first;
    while (first < last && IsBlank((*text)[last - 1])) --last;
    begin = end + 1;
    if (last - first < 3 || (*text)[first] != '<' || (*text)[last - 1] != '>' ||
        !(IsLetter((*text)[first + 1]) || (*text)[first + 1] == '/' ||
          (*text)[first + 1] == '!')) {
      continue;
    }
    const std::string rest =
        WithoutTags(std::string_view(*text).substr(first, last - first));
    int words = 0;
    bool plain = true;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      plain &= IsAscii(rest[i]) && rest[i] != '?';
      words += !IsBlank(rest[i]) && (i == 0 || IsBlank(rest[i - 1]));
    }
    if (plain && words <= kMostWords) Blank(text, first, last);
  }
}

void BlankCode(std::string* text) {
  std::vector<Line> lines;
  const std::string_view view = *text;
  for (std::size_t begin = 0; begin < view.size();) {
    const std::size_t end = std::min(view.find('\n', begin), view.size());
    lines.push_back(Split(view, begin, end));
    begin = end + 1;
  }
  for (Line& line : lines) {
    JoinLiterals(view, &line);
    MarkStatements(view, &line);
    Spread(view, &line);
    JudgeLine(view, &line);
  }
  MarkSettings(view, &lines);
  SpreadToLines(view, &lines);
  for (const Line& line : lines) {
    for (const Piece& piece : line.pieces) {
      if (piece.kind == Kind::kOther) continue;
      if (line.code || piece.code) Blank(text, piece.begin, piece.end);
    }
  }
}

}  // namespace apollo
