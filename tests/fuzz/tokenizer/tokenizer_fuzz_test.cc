// Any bytes as tokenizer.json: parsing must end with a tokenizer or an error,
// and a tokenizer must encode and decode any valid text in the rest of the
// input.
//
// Input: the JSON, then a zero byte (which JSON cannot contain), then the text.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/tokenizer/stream_decoder.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/utf8.h"

namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void Use(const apollo::Tokenizer& tokenizer, std::string_view text) {
  for (const auto special :
       {apollo::SpecialText::kPlain, apollo::SpecialText::kParse}) {
    const auto ids = tokenizer.Encode(text, special);
    if (!ids.ok()) continue;
    const auto bytes = tokenizer.Decode(*ids, /*skip_special=*/false);
    Expect(bytes.ok());
    apollo::StreamDecoder decoder(tokenizer, /*skip_special=*/true);
    std::string streamed;
    for (const apollo::TokenId id : *ids) {
      Expect(static_cast<std::size_t>(id) < tokenizer.vocab_size());
      // The promise to users: their text never becomes a control token.
      if (special == apollo::SpecialText::kPlain)
        Expect(!tokenizer.IsControl(id));
      streamed += decoder.Append(id);
    }
    streamed += decoder.Flush();
    // Decoding as a stream is decoding at once.
    const auto answer = tokenizer.Decode(*ids, /*skip_special=*/true);
    Expect(answer.ok());
    std::string at_once;
    apollo::AppendAsUtf8(*answer, &at_once);
    Expect(streamed == at_once);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\0'), input.size());
  const auto tokenizer =
      apollo::Tokenizer::Parse(input.substr(0, end), "input");
  if (tokenizer.ok()) Use(**tokenizer, input.substr(std::min(end + 1, size)));
  return 0;
}
