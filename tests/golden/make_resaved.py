"""Re-saves a golden checkpoint with Hugging Face transformers 5, as its owner may (see README.md).

    python3 make_resaved.py [--case NAME] [--per-expert] DIR     writes DIR

The model is that of transformers' Qwen2-MoE without its shared expert, under the published names. By default its experts
are saved as transformers 5 holds them, one tensor for all; --per-expert saves them under the older names.
Needs torch and transformers 5 (benchmarks/transformers/setup.sh installs them).
"""

import argparse
import copy
import os

import torch
import transformers
from transformers import conversion_mapping
from transformers.models.qwen2_moe import configuration_qwen2_moe, modeling_qwen2_moe

import cases

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL_TYPE = "upcycling-qwen2-moe"
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}User:{% else %}Assistant:{% endif %}"
    "{{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)


class UpcyclingQwen2MoeConfig(configuration_qwen2_moe.Qwen2MoeConfig):
    model_type = MODEL_TYPE


class SparseBlock(modeling_qwen2_moe.Qwen2MoeSparseMoeBlock):
    """Without the shared expert."""

    def __init__(self, config):
        super().__init__(config)
        del self.shared_expert, self.shared_expert_gate


class UpcyclingQwen2MoeForCausalLM(modeling_qwen2_moe.Qwen2MoeForCausalLM):
    config_class = UpcyclingQwen2MoeConfig

    def __init__(self, config):
        whole = modeling_qwen2_moe.Qwen2MoeSparseMoeBlock
        modeling_qwen2_moe.Qwen2MoeSparseMoeBlock = SparseBlock
        try:
            super().__init__(config)
        finally:
            modeling_qwen2_moe.Qwen2MoeSparseMoeBlock = whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", default="published", help="a case without shared experts")
    parser.add_argument("--per-expert", action="store_true")
    parser.add_argument("directory")
    args = parser.parse_args()
    source = os.path.join(HERE, args.case)
    torch.manual_seed(0)

    transformers.AutoConfig.register(MODEL_TYPE, UpcyclingQwen2MoeConfig)
    transformers.AutoModelForCausalLM.register(UpcyclingQwen2MoeConfig, UpcyclingQwen2MoeForCausalLM)
    conversion_mapping.register_checkpoint_conversion_mapping(
        MODEL_TYPE, copy.deepcopy(conversion_mapping.get_checkpoint_conversion_mapping("qwen2_moe")))
    model, info = UpcyclingQwen2MoeForCausalLM.from_pretrained(source, output_loading_info=True)
    wrong = [key for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[key]]
    if wrong:
        raise RuntimeError(f"{source}: {', '.join(f'{key} {info[key]}' for key in wrong)}")

    # Whoever re-saves a model for chats adds the end of a turn, and defaults of sampling.
    model.generation_config.eos_token_id = [cases.END_TOKEN, cases.END_TOKEN + 3]
    model.generation_config.do_sample = True
    model.generation_config.temperature = 0.7
    model.generation_config.top_p = 0.8
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=os.path.join(source, "tokenizer.json"), eos_token=cases.SPECIAL_TOKENS[0],
        chat_template=CHAT_TEMPLATE)
    model.save_pretrained(args.directory, save_original_format=args.per_expert, max_shard_size="100KB")
    tokenizer.save_pretrained(args.directory)


if __name__ == "__main__":
    main()
