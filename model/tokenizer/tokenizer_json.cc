#include "model/tokenizer/tokenizer_json.h"

#include "common/status_macros.h"
#include "model/tokenizer/bpe_json.h"
#include "model/tokenizer/json_field.h"
#include "model/tokenizer/json_parts.h"
#include "model/tokenizer/tokenizer_tree.h"

namespace apollo {

absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view json,
                                                 std::string_view source) {
  ASSIGN_OR_RETURN(TokenizerTree tree, ReadTokenizerTree(json, source));
  const JsonField root(tree.json, source);
  TokenizerSpec spec;
  ASSIGN_OR_RETURN(const JsonField normalizer, root.Member("normalizer"));
  RETURN_IF_ERROR(ReadNormalizer(normalizer, &spec));
  ASSIGN_OR_RETURN(const JsonField pre_tokenizer, root.Member("pre_tokenizer"));
  RETURN_IF_ERROR(ReadPreTokenizer(pre_tokenizer, &spec));
  ASSIGN_OR_RETURN(const JsonField model, root.Member("model"));
  RETURN_IF_ERROR(ReadBpeModel(model, &tree, &spec));
  ASSIGN_OR_RETURN(const JsonField added, root.Member("added_tokens"));
  RETURN_IF_ERROR(ReadAddedTokens(root, added, &spec));
  ASSIGN_OR_RETURN(const JsonField post, root.Member("post_processor"));
  RETURN_IF_ERROR(ReadPostProcessor(post, &spec));
  ASSIGN_OR_RETURN(const JsonField decoder, root.Member("decoder"));
  RETURN_IF_ERROR(ReadDecoder(decoder, &spec));
  return spec;
}

}  // namespace apollo
