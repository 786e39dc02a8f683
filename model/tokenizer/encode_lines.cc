// encode_lines TOKENIZER_JSON [--parse-special]
//
// Reads one JSON string per line from standard input and writes one JSON object
// per line: {"ids": [...], "text": "...", "same": true}, where "text" is the
// decoded text, and "same" tells if decoding, at once and as a stream, restores
// the text of the line; or {"error": "..."}. For comparisons with other
// tokenizers.

#include <absl/status/status.h>

#include <iostream>
#include <string>
#include <string_view>

#include "common/json.h"
#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/token_id.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {
namespace {

Json Encode(const Tokenizer& tokenizer, const std::string& line,
            SpecialText special) {
  const auto text = ParseJson(line, "standard input");
  if (!text.ok()) return {{"error", text.status().ToString()}};
  if (!text->is_string()) return {{"error", "expected a JSON string"}};
  const auto& content = text->get_ref<const std::string&>();
  const auto ids = tokenizer.Encode(content, special);
  if (!ids.ok()) return {{"error", ids.status().ToString()}};
  const auto decoded = tokenizer.Decode(*ids, /*skip_special=*/false);
  StreamDecoder decoder(tokenizer, /*skip_special=*/false);
  std::string streamed;
  for (const TokenId id : *ids) streamed += decoder.Append(id);
  streamed += decoder.Flush();
  const bool same = decoded.ok() && *decoded == content && streamed == content;
  return {{"ids", *ids}, {"text", streamed}, {"same", same}};
}

int Main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: encode_lines TOKENIZER_JSON [--parse-special]\n";
    return 2;
  }
  const bool parse =
      argc == 3 && std::string_view(argv[2]) == "--parse-special";
  const auto tokenizer = Tokenizer::Load(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.status() << "\n";
    return 1;
  }
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << Encode(**tokenizer, line,
                        parse ? SpecialText::kParse : SpecialText::kPlain)
                     .dump()
              << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) { return apollo::Main(argc, argv); }
