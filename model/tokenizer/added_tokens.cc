#include "model/tokenizer/added_tokens.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

namespace apollo {
namespace {

const std::uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

UChar32 FirstCharacter(std::string_view text) {
  UChar32 c;
  std::size_t i = 0;
  U8_NEXT(Bytes(text), i, text.size(), c);
  return c;
}

// Removes the last character from `text` and returns it.
UChar32 TakeLast(std::string_view* text) {
  UChar32 c;
  auto i = static_cast<std::int32_t>(text->size());
  U8_PREV(Bytes(*text), 0, i, c);
  *text = text->substr(0, static_cast<std::size_t>(i));
  return c;
}

// Matches \w as defined by UTS #18, Annex C.
bool IsWordCharacter(UChar32 c) {
  constexpr std::uint32_t kMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return u_isUAlphabetic(c) || (U_GET_GC_MASK(c) & kMask) != 0 ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

bool TouchesWord(std::string_view before, std::string_view behind) {
  return (!before.empty() && IsWordCharacter(TakeLast(&before))) ||
         (!behind.empty() && IsWordCharacter(FirstCharacter(behind)));
}

std::size_t WithoutSpacesAtEnd(std::string_view text) {
  while (true) {
    const std::size_t size = text.size();
    if (text.empty() || !u_isUWhiteSpace(TakeLast(&text))) return size;
  }
}

std::size_t SpacesAtStart(std::string_view text) {
  std::size_t spaces = 0;
  while (spaces < text.size() &&
         u_isUWhiteSpace(FirstCharacter(text.substr(spaces)))) {
    U8_FWD_1(Bytes(text), spaces, text.size());
  }
  return spaces;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::span<const AddedToken> tokens)
    : tokens_(tokens.begin(), tokens.end()), nodes_(1) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    control_.push_back(tokens_[i].IsControl());
    if (!control_.back()) only_control_ = false;
    first_bytes_[static_cast<unsigned char>(tokens_[i].content[0])] = true;
    int node = 0;
    for (const char c : tokens_[i].content) {
      const auto byte = static_cast<unsigned char>(c);
      const auto& edges = nodes_[node].edges;
      const auto edge =
          std::find_if(edges.begin(), edges.end(),
                       [byte](const Edge& e) { return e.byte == byte; });
      if (edge != edges.end()) {
        node = edge->node;
        continue;
      }
      const int next = static_cast<int>(nodes_.size());
      nodes_[node].edges.push_back({byte, next});
      nodes_.emplace_back();
      node = next;
    }
    nodes_[node].token = static_cast<int>(i);
  }
}

int AddedTokenFinder::Longest(std::string_view text, std::size_t room) const {
  int node = 0;
  int longest = -1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto& edges = nodes_[node].edges;
    const auto edge =
        std::find_if(edges.begin(), edges.end(),
                     [byte](const Edge& e) { return e.byte == byte; });
    if (edge == edges.end()) break;
    node = edge->node;
    const int token = nodes_[node].token;
    if (token >= 0 && (i < room || !control_[token])) longest = token;
  }
  return longest;
}

void AddedTokenFinder::Find(std::string_view text,
                            std::span<const TextRange> ordinary,
                            std::vector<Segment>* segments) const {
  segments->clear();
  const bool all_ordinary = !ordinary.empty() && ordinary[0].begin == 0 &&
                            ordinary[0].end == text.size();
  if (tokens_.empty() || (only_control_ && all_ordinary)) {
    if (!text.empty()) segments->push_back({kNoToken, text});
    return;
  }
  std::size_t done = 0;  // All text before this is in `segments`.
  for (std::size_t at = 0; at < text.size();) {
    if (!first_bytes_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    while (!ordinary.empty() && ordinary.front().end <= at) {
      ordinary = ordinary.subspan(1);
    }
    const std::size_t next =
        ordinary.empty() ? text.size() : ordinary.front().begin;
    const int found = Longest(text.substr(at), next > at ? next - at : 0);
    if (found < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[found];
    std::size_t start = at;
    std::size_t stop = at + token.content.size();
    at = stop;  // A rejected token still hides those inside it.
    if (token.single_word &&
        TouchesWord(text.substr(0, start), text.substr(stop))) {
      continue;
    }
    if (token.lstrip) {
      start = std::max(WithoutSpacesAtEnd(text.substr(0, start)), done);
    }
    if (token.rstrip) stop += SpacesAtStart(text.substr(stop));
    if (start >= stop) continue;  // All of it belongs to the one before.
    if (start > done)
      segments->push_back({kNoToken, text.substr(done, start - done)});
    segments->push_back({token.id, text.substr(start, stop - start)});
    done = stop;
  }
  if (done < text.size()) segments->push_back({kNoToken, text.substr(done)});
}

}  // namespace apollo
