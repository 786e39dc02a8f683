#include "model/config/config_keys.h"

namespace apollo {
namespace {

using enum KeyUse;

// Reasons that several keys share.
constexpr std::string_view kRecord = "describes the file or its tools";
constexpr std::string_view kTraining = "matters in training only";
constexpr std::string_view kOutputs = "selects what a Python call returns";
constexpr std::string_view kSampling = "requests say how to sample";
constexpr std::string_view kTask = "belongs to other tasks than generation";
constexpr std::string_view kTokens = "prompts get their tokens elsewhere";
constexpr std::string_view kTypes = "the tensors and --weights give the types";
constexpr std::string_view kWindowOff =
    "counts only with use_sliding_window, which must be false";

// What other values ask for.
constexpr std::string_view kLongRope =
    "factors that depend on the length of the sequence";
constexpr std::string_view kPartial = "rotary positions in part of each head";
constexpr std::string_view kOtherRotary = "another kind of rotary positions";
constexpr std::string_view kRotaryByLayer = "rotary positions by layer";
constexpr std::string_view kWindow = "attention within a window";
constexpr std::string_view kQkNorm = "other norms of queries and keys";
constexpr std::string_view kBias = "biases other than those of q, k and v";
constexpr std::string_view kSoftCap = "soft caps";
constexpr std::string_view kMultiplier = "multipliers";
constexpr std::string_view kScoring = "another choice of experts";
constexpr std::string_view kSharedExperts =
    "shared experts by another key than share_flag";
constexpr std::string_view kLayout = "another layout of layers";
constexpr std::string_view kAttention = "another attention";
constexpr std::string_view kQuantised = "quantised weights";
constexpr std::string_view kActivation = "another activation";
constexpr std::string_view kKind = "another kind of model";

constexpr ConfigKey kKeys[] = {
    // Read by ParseModelConfig.
    {"architectures", kRead, "", ""},
    {"model_type", kRead, "", ""},
    {"hidden_size", kRead, "", ""},
    {"num_hidden_layers", kRead, "", ""},
    {"mlp_only_layers", kRead, "", ""},
    {"intermediate_size", kRead, "", ""},
    {"moe_intermediate_size", kRead, "", ""},
    {"num_attention_heads", kRead, "", ""},
    {"num_key_value_heads", kRead, "", ""},
    {"head_dim", kRead, "", ""},
    {"num_experts", kRead, "", ""},
    {"num_experts_per_tok", kRead, "", ""},
    {"norm_topk_prob", kRead, "", ""},
    {"share_flag", kRead, "", ""},
    {"attention_bias", kRead, "", ""},
    {"qkv_bias", kRead, "", ""},
    {"use_qk_norm", kRead, "", ""},
    {"qk_norm", kRead, "", ""},
    {"tie_word_embeddings", kRead, "", ""},
    {"vocab_size", kRead, "", ""},
    {"max_position_embeddings", kRead, "", ""},
    {"rms_norm_eps", kRead, "", ""},
    {"eos_token_id", kRead, "", ""},
    {"prompt_format", kRead, "", ""},
    {"rope_theta", kRead, "", ""},

    // Rotary positions.
    {"rope_parameters", kObject, "", ""},
    {"rope_parameters.rope_theta", kRead, "", ""},
    {"rope_parameters.rope_type", kRead, "", ""},
    {"rope_parameters.type", kRead, "", ""},
    {"rope_parameters.factor", kRead, "", ""},
    {"rope_parameters.attention_factor", kRead, "", ""},
    {"rope_parameters.beta_fast", kRead, "", ""},
    {"rope_parameters.beta_slow", kRead, "", ""},
    {"rope_parameters.mscale", kRead, "", ""},
    {"rope_parameters.mscale_all_dim", kRead, "", ""},
    {"rope_parameters.truncate", kRead, "", ""},
    {"rope_parameters.low_freq_factor", kRead, "", ""},
    {"rope_parameters.high_freq_factor", kRead, "", ""},
    {"rope_parameters.original_max_position_embeddings", kRead, "", ""},
    {"rope_parameters.long_factor", kFixed, kLongRope, "[]"},
    {"rope_parameters.short_factor", kFixed, kLongRope, "[]"},
    {"rope_parameters.partial_rotary_factor", kFixed, kPartial, "[1]"},
    {"rope_parameters.mrope_section", kFixed, kOtherRotary, "[]"},
    {"rope_parameters.mrope_interleaved", kFixed, kOtherRotary, "[false]"},
    {"rope_parameters.full_attention", kFixed, kRotaryByLayer, "[]"},
    {"rope_parameters.sliding_attention", kFixed, kRotaryByLayer, "[]"},
    {"rope_scaling", kObject, "", ""},
    {"rope_scaling.rope_theta", kRead, "", ""},
    {"rope_scaling.rope_type", kRead, "", ""},
    {"rope_scaling.type", kRead, "", ""},
    {"rope_scaling.factor", kRead, "", ""},
    {"rope_scaling.attention_factor", kRead, "", ""},
    {"rope_scaling.beta_fast", kRead, "", ""},
    {"rope_scaling.beta_slow", kRead, "", ""},
    {"rope_scaling.mscale", kRead, "", ""},
    {"rope_scaling.mscale_all_dim", kRead, "", ""},
    {"rope_scaling.truncate", kRead, "", ""},
    {"rope_scaling.low_freq_factor", kRead, "", ""},
    {"rope_scaling.high_freq_factor", kRead, "", ""},
    {"rope_scaling.original_max_position_embeddings", kRead, "", ""},
    {"rope_scaling.long_factor", kFixed, kLongRope, "[]"},
    {"rope_scaling.short_factor", kFixed, kLongRope, "[]"},
    {"rope_scaling.partial_rotary_factor", kFixed, kPartial, "[1]"},
    {"rope_scaling.mrope_section", kFixed, kOtherRotary, "[]"},
    {"rope_scaling.mrope_interleaved", kFixed, kOtherRotary, "[false]"},
    {"rope_scaling.full_attention", kFixed, kRotaryByLayer, "[]"},
    {"rope_scaling.sliding_attention", kFixed, kRotaryByLayer, "[]"},
    {"original_max_position_embeddings", kRead, "", ""},
    {"partial_rotary_factor", kFixed, kPartial, "[1]"},
    {"rotary_pct", kFixed, kPartial, "[1]"},
    {"rope_local_base_freq", kFixed, kRotaryByLayer, "[]"},
    {"no_rope_layers", kFixedEach, kRotaryByLayer, "[1]"},
    {"no_rope_layer_interval", kFixed, kRotaryByLayer, "[0]"},
    {"rope_interleave", kFixed, kOtherRotary, "[false]"},
    {"rope_interleaved", kFixed, kOtherRotary, "[false]"},
    {"use_mrope", kFixed, kOtherRotary, "[false]"},
    {"position_embedding_type", kFixed, "other positions", R"(["rope"])"},

    // Attention.
    {"use_sliding_window", kFixed, kWindow, "[false]"},
    {"sliding_window", kHarmless, kWindowOff, ""},
    {"max_window_layers", kHarmless, kWindowOff, ""},
    {"sliding_window_pattern", kFixed, kWindow, "[]"},
    {"layer_types", kFixedEach, kWindow, R"(["full_attention"])"},
    {"attention_chunk_size", kFixed, kWindow, "[]"},
    {"qk_layernorm", kFixed, kQkNorm, "[false]"},
    {"clip_qkv", kFixed, kAttention, "[]"},
    {"attn_output_gate", kFixed, kAttention, "[false]"},
    {"dual_chunk_attention_config", kFixed, kAttention, "[]"},
    {"is_causal", kFixed, kAttention, "[true]"},
    {"use_bidirectional_attention", kFixed, kAttention, "[false]"},
    {"add_cross_attention", kFixed, kAttention, "[false]"},
    {"pruned_heads", kFixed, kAttention, "[{}]"},

    // Biases, caps and multipliers.
    {"attention_out_bias", kFixed, kBias, "[false]"},
    {"o_proj_bias", kFixed, kBias, "[false]"},
    {"mlp_bias", kFixed, kBias, "[false]"},
    {"use_bias", kFixed, kBias, "[false]"},
    {"lm_head_bias", kFixed, kBias, "[false]"},
    {"attn_logit_softcapping", kFixed, kSoftCap, "[]"},
    {"final_logit_softcapping", kFixed, kSoftCap, "[]"},
    {"router_logit_softcapping", kFixed, kSoftCap, "[]"},
    {"logits_soft_cap", kFixed, kSoftCap, "[]"},
    {"query_pre_attn_scalar", kFixed, kMultiplier, "[]"},
    {"attention_multiplier", kFixed, kMultiplier, "[]"},
    {"embedding_multiplier", kFixed, kMultiplier, "[1]"},
    {"residual_multiplier", kFixed, kMultiplier, "[1]"},
    {"logits_scaling", kFixed, kMultiplier, "[1]"},
    {"logit_scale", kFixed, kMultiplier, "[1]"},
    {"scale_emb", kFixed, kMultiplier, "[1]"},
    {"scale_depth", kFixed, kMultiplier, "[]"},
    {"dim_model_base", kFixed, kMultiplier, "[]"},

    // Experts.
    {"decoder_sparse_step", kFixed, kLayout, "[1]"},
    {"moe_layer_freq", kFixed, kLayout, "[1]"},
    {"first_k_dense_replace", kFixed, kLayout, "[]"},
    {"n_shared_experts", kFixed, kSharedExperts, "[0]"},
    {"num_shared_experts", kFixed, kSharedExperts, "[0]"},
    {"scoring_func", kFixed, kScoring, R"(["softmax"])"},
    {"score_function", kFixed, kScoring, R"(["softmax"])"},
    {"score_func", kFixed, kScoring, R"(["softmax"])"},
    {"moe_router_score_function", kFixed, kScoring, R"(["softmax"])"},
    {"topk_method", kFixed, kScoring, R"(["greedy"])"},
    {"n_group", kFixed, kScoring, "[0, 1]"},
    {"topk_group", kFixed, kScoring, "[0, 1]"},
    {"routed_scaling_factor", kFixed, kMultiplier, "[1]"},
    {"moe_router_enable_expert_bias", kFixed, kScoring, "[false]"},
    {"router_bias", kFixed, kScoring, "[false]"},
    {"use_expert_bias", kFixed, kScoring, "[false]"},
    {"shared_expert_intermediate_size", kHarmless, "the tensors give it", ""},
    {"language_gate", kHarmless, "requests and --default_routing choose", ""},
    {"attn_init_change", kHarmless, kTraining, ""},

    // Form of the weights and of the model.
    {"hidden_act", kFixed, kActivation, R"(["silu", "swish"])"},
    {"hidden_activation", kFixed, kActivation, R"(["silu", "swish"])"},
    {"quantization_config", kFixed, kQuantised, "[]"},
    {"quantization", kFixed, kQuantised, "[]"},
    {"compression_config", kFixed, kQuantised, "[]"},
    {"is_encoder_decoder", kFixed, kKind, "[false]"},
    {"chunk_size_feed_forward", kHarmless, "changes memory, no result", ""},
    {"pretraining_tp", kHarmless, "changes the order of sums only", ""},
    {"torch_dtype", kHarmless, kTypes, ""},
    {"dtype", kHarmless, kTypes, ""},

    // Harmless.
    {"_name_or_path", kHarmless, kRecord, ""},
    {"name_or_path", kHarmless, kRecord, ""},
    {"_commit_hash", kHarmless, kRecord, ""},
    {"transformers_version", kHarmless, kRecord, ""},
    {"auto_map", kHarmless, kRecord, ""},
    {"unsloth_version", kHarmless, kRecord, ""},
    {"unsloth_fixed", kHarmless, kRecord, ""},
    {"_attn_implementation", kHarmless, kRecord, ""},
    {"_attn_implementation_autoset", kHarmless, kRecord, ""},
    {"attn_implementation", kHarmless, kRecord, ""},
    {"_experts_implementation", kHarmless, kRecord, ""},
    {"tokenizer_class", kHarmless, kRecord, ""},
    {"use_cache", kHarmless, "the cache is always used", ""},
    {"initializer_range", kHarmless, kTraining, ""},
    {"attention_dropout", kHarmless, kTraining, ""},
    {"hidden_dropout", kHarmless, kTraining, ""},
    {"gradient_checkpointing", kHarmless, kTraining, ""},
    {"router_aux_loss_coef", kHarmless, kTraining, ""},
    {"router_jitter_noise", kHarmless, kTraining, ""},
    {"tf_legacy_loss", kHarmless, kTraining, ""},
    {"output_router_logits", kHarmless, kOutputs, ""},
    {"output_attentions", kHarmless, kOutputs, ""},
    {"output_hidden_states", kHarmless, kOutputs, ""},
    {"return_dict", kHarmless, kOutputs, ""},
    {"use_return_dict", kHarmless, kOutputs, ""},
    {"return_dict_in_generate", kHarmless, kOutputs, ""},
    {"output_scores", kHarmless, kOutputs, ""},
    {"torchscript", kHarmless, kOutputs, ""},
    {"use_bfloat16", kHarmless, kTypes, ""},
    {"bos_token_id", kHarmless, kTokens, ""},
    {"pad_token_id", kHarmless, kTokens, ""},
    {"sep_token_id", kHarmless, kTokens, ""},
    {"decoder_start_token_id", kHarmless, kTokens, ""},
    {"do_sample", kHarmless, kSampling, ""},
    {"temperature", kHarmless, kSampling, ""},
    {"top_k", kHarmless, kSampling, ""},
    {"top_p", kHarmless, kSampling, ""},
    {"typical_p", kHarmless, kSampling, ""},
    {"repetition_penalty", kHarmless, kSampling, ""},
    {"length_penalty", kHarmless, kSampling, ""},
    {"diversity_penalty", kHarmless, kSampling, ""},
    {"no_repeat_ngram_size", kHarmless, kSampling, ""},
    {"encoder_no_repeat_ngram_size", kHarmless, kSampling, ""},
    {"bad_words_ids", kHarmless, kSampling, ""},
    {"num_beams", kHarmless, kSampling, ""},
    {"num_beam_groups", kHarmless, kSampling, ""},
    {"num_return_sequences", kHarmless, kSampling, ""},
    {"early_stopping", kHarmless, kSampling, ""},
    {"max_length", kHarmless, kSampling, ""},
    {"min_length", kHarmless, kSampling, ""},
    {"forced_bos_token_id", kHarmless, kSampling, ""},
    {"forced_eos_token_id", kHarmless, kSampling, ""},
    {"suppress_tokens", kHarmless, kSampling, ""},
    {"begin_suppress_tokens", kHarmless, kSampling, ""},
    {"exponential_decay_length_penalty", kHarmless, kSampling, ""},
    {"remove_invalid_values", kHarmless, kSampling, ""},
    {"finetuning_task", kHarmless, kTask, ""},
    {"task_specific_params", kHarmless, kTask, ""},
    {"problem_type", kHarmless, kTask, ""},
    {"prefix", kHarmless, kTask, ""},
    {"id2label", kHarmless, kTask, ""},
    {"label2id", kHarmless, kTask, ""},
    {"num_labels", kHarmless, kTask, ""},
    {"is_decoder", kHarmless, kTask, ""},
    {"tie_encoder_decoder", kHarmless, kTask, ""},
    {"cross_attention_hidden_size", kHarmless, kTask, ""},
};

}  // namespace

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

}  // namespace apollo
