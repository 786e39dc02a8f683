#include "model/config/generation_keys.h"

namespace apollo {
namespace {

using enum KeyUse;

constexpr std::string_view kRecord = "describes the file or its tools";
constexpr std::string_view kTokens = "prompts get their tokens elsewhere";
constexpr std::string_view kSampling =
    "a default of requests, which say themselves how to sample";
constexpr std::string_view kLimits =
    "a default of requests, which say themselves where to end";
constexpr std::string_view kOutputs = "selects what a Python call returns";
constexpr std::string_view kSpeed = "changes how generation is computed only";

constexpr ConfigKey kKeys[] = {
    {"eos_token_id", kRead, "", ""},
    {"_from_model_config", kHarmless, kRecord, ""},
    {"transformers_version", kHarmless, kRecord, ""},
    {"_commit_hash", kHarmless, kRecord, ""},
    {"_name_or_path", kHarmless, kRecord, ""},
    {"bos_token_id", kHarmless, kTokens, ""},
    {"pad_token_id", kHarmless, kTokens, ""},
    {"decoder_start_token_id", kHarmless, kTokens, ""},
    {"do_sample", kHarmless, kSampling, ""},
    {"temperature", kHarmless, kSampling, ""},
    {"top_k", kHarmless, kSampling, ""},
    {"top_p", kHarmless, kSampling, ""},
    {"min_p", kHarmless, kSampling, ""},
    {"top_h", kHarmless, kSampling, ""},
    {"typical_p", kHarmless, kSampling, ""},
    {"epsilon_cutoff", kHarmless, kSampling, ""},
    {"eta_cutoff", kHarmless, kSampling, ""},
    {"repetition_penalty", kHarmless, kSampling, ""},
    {"encoder_repetition_penalty", kHarmless, kSampling, ""},
    {"length_penalty", kHarmless, kSampling, ""},
    {"diversity_penalty", kHarmless, kSampling, ""},
    {"no_repeat_ngram_size", kHarmless, kSampling, ""},
    {"encoder_no_repeat_ngram_size", kHarmless, kSampling, ""},
    {"bad_words_ids", kHarmless, kSampling, ""},
    {"force_words_ids", kHarmless, kSampling, ""},
    {"sequence_bias", kHarmless, kSampling, ""},
    {"suppress_tokens", kHarmless, kSampling, ""},
    {"begin_suppress_tokens", kHarmless, kSampling, ""},
    {"forced_bos_token_id", kHarmless, kSampling, ""},
    {"forced_eos_token_id", kHarmless, kSampling, ""},
    {"forced_decoder_ids", kHarmless, kSampling, ""},
    {"exponential_decay_length_penalty", kHarmless, kSampling, ""},
    {"renormalize_logits", kHarmless, kSampling, ""},
    {"remove_invalid_values", kHarmless, kSampling, ""},
    {"constraints", kHarmless, kSampling, ""},
    {"guidance_scale", kHarmless, kSampling, ""},
    {"watermarking_config", kHarmless, kSampling, ""},
    {"num_beams", kHarmless, kSampling, ""},
    {"num_beam_groups", kHarmless, kSampling, ""},
    {"num_return_sequences", kHarmless, kSampling, ""},
    {"early_stopping", kHarmless, kSampling, ""},
    {"penalty_alpha", kHarmless, kSampling, ""},
    {"dola_layers", kHarmless, kSampling, ""},
    {"max_length", kHarmless, kLimits, ""},
    {"max_new_tokens", kHarmless, kLimits, ""},
    {"min_length", kHarmless, kLimits, ""},
    {"min_new_tokens", kHarmless, kLimits, ""},
    {"max_time", kHarmless, kLimits, ""},
    {"stop_strings", kHarmless, kLimits, ""},
    {"output_attentions", kHarmless, kOutputs, ""},
    {"output_hidden_states", kHarmless, kOutputs, ""},
    {"output_logits", kHarmless, kOutputs, ""},
    {"output_scores", kHarmless, kOutputs, ""},
    {"return_dict_in_generate", kHarmless, kOutputs, ""},
    {"use_cache", kHarmless, kSpeed, ""},
    {"cache_implementation", kHarmless, kSpeed, ""},
    {"cache_config", kHarmless, kSpeed, ""},
    {"max_cache_len", kHarmless, kSpeed, ""},
    {"return_legacy_cache", kHarmless, kSpeed, ""},
    {"low_memory", kHarmless, kSpeed, ""},
    {"compile_config", kHarmless, kSpeed, ""},
    {"disable_compile", kHarmless, kSpeed, ""},
    {"prefill_chunk_size", kHarmless, kSpeed, ""},
    {"continuous_batching_config", kHarmless, kSpeed, ""},
    {"is_assistant", kHarmless, kSpeed, ""},
    {"num_assistant_tokens", kHarmless, kSpeed, ""},
    {"num_assistant_tokens_schedule", kHarmless, kSpeed, ""},
    {"assistant_confidence_threshold", kHarmless, kSpeed, ""},
    {"assistant_early_exit", kHarmless, kSpeed, ""},
    {"assistant_lookbehind", kHarmless, kSpeed, ""},
    {"assistant_ensemble_weight", kHarmless, kSpeed, ""},
    {"target_lookbehind", kHarmless, kSpeed, ""},
    {"prompt_lookup_num_tokens", kHarmless, kSpeed, ""},
    {"max_matching_ngram_size", kHarmless, kSpeed, ""},
    {"speculation_type", kHarmless, kSpeed, ""},
    {"use_mtp", kHarmless, kSpeed, ""},
    {"token_healing", kHarmless, kSpeed, ""},
};

}  // namespace

std::span<const ConfigKey> GenerationKeys() { return kKeys; }

}  // namespace apollo
