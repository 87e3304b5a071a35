"""One tiny model of every family that the registry names, laid out as on the hub.

Every model has the architecture, the class of tokenizer, the special tokens and the kind of chat
template of its family; the weights are random.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tiny_architectures import ARCHITECTURES
from tiny_checkpoints import edit_json, fill_hub_cache
from tiny_masked import MASKED
from tiny_tokenizers import TOKENIZERS

from llmaudit.models.registry import RegistryEntry, load_registry

Weights = dict[str, Any]
"""Name to tensor."""

LENGTH = 1024
_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
_XLNET: Mapping[str, Any] = {
    "d_model": 32,
    "n_layer": 2,
    "n_head": 4,
    "d_inner": 64,
    "initializer_range": 0.3,
}
_TURNS = (
    "{%% for turn in messages %%}%s{%% endfor %%}{%% if add_generation_prompt %%}%s{%% endif %%}"
)
_LLAMA_2 = (
    "{% for turn in messages %}{% if turn['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + turn['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + turn['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
_LLAMA_3 = "{{ bos_token }}" + _TURNS % (
    "{{ '<|start_header_id|>' + turn['role'] + '<|end_header_id|>\\n\\n' + turn['content'] }}"
    "<|eot_id|>",
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}",
)
_CHATML = _TURNS % (
    "{{ '<|im_start|>' + turn['role'] + '\\n' + turn['content'] + '<|im_end|>\\n' }}",
    "{{ '<|im_start|>assistant\\n' }}",
)
_ROLES = _TURNS % (
    "{{ '<|' + turn['role'] + '|>\\n' + turn['content'] + '<|end|>\\n' }}",
    "{{ '<|assistant|>\\n' }}",
)
_ENDED_ROLES = _TURNS % (
    "{{ '<|' + turn['role'] + '|>\\n' + turn['content'] + eos_token + '\\n' }}",
    "{{ '<|assistant|>\\n' }}",
)
_GEMMA = "{{ bos_token }}" + _TURNS % (
    "{{ '<start_of_turn>' + turn['role'] + '\\n' + turn['content'] + '<end_of_turn>\\n' }}",
    "{{ '<start_of_turn>model\\n' }}",
)
_HARMONY = "{{ '<|start|>system<|message|>You are a model.<|end|>' }}" + _TURNS % (
    "{{ '<|start|>' + turn['role'] + '<|message|>' + turn['content'] + '<|end|>' }}",
    "{{ '<|start|>assistant' }}",
)


@dataclass(frozen=True)
class Family:
    """A tiny model of a name in the registry, at the revision that the registry names.

    Attributes
    ----------
    name : str
        In the registry.
    architecture : str
        A row of ``ARCHITECTURES`` or ``MASKED``, or ``xlnet``.
    tokenizer : str
        A row of ``TOKENIZERS``.
    network : str
        What its class is called.
    opening : str
        How every prompt with turns begins as it is sent; empty where prompts are plain text.
    template : str
        The chat template that comes with the tokenizer.
    config : mapping of str to object
        What stands in its config.json on the hub besides or instead.
    settings : mapping of str to object
        What differs from the architecture's row.
    unsupported : str
        The probe set that it cannot answer; empty where it can answer all.
    restore : callable, optional
        Makes of the weights as transformers stores them now, by name, those that are on the hub.
    """

    name: str
    architecture: str
    tokenizer: str
    network: str
    opening: str = ""
    template: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    unsupported: str = ""
    restore: Callable[[Weights], Weights] | None = None

    @property
    def entry(self) -> RegistryEntry:
        """What the registry says of it."""
        entry = load_registry().find(self.name)
        assert entry is not None, f"the registry has no {self.name}"
        return entry

    def write(self, folder: Path) -> None:
        """Write the model as the files of its repository; an adapter is not one."""
        write_network(folder, self)
        tokenizer = TOKENIZERS[self.tokenizer]()
        tokenizer.chat_template = self.template or None
        tokenizer.save_pretrained(folder)

    def lay_out(self, cache: Path) -> Path:
        """Put the model into a hub cache, an adapter with its base; return its snapshot."""
        entry = self.entry
        if entry.adapter_of is None:
            return fill_hub_cache(cache, entry.hub, self.write, revision=entry.revision)
        base = load_registry().find(entry.adapter_of)
        assert base is not None
        snapshot = fill_hub_cache(cache, base.hub, self.write, revision=base.revision)
        make = partial(_write_adapter, snapshot, base.hub)
        return fill_hub_cache(cache, entry.hub, make, revision=entry.revision)


def write_network(folder: Path, family: Family) -> None:
    """Write a randomly initialised network of a family's architecture as safetensors."""
    import torch
    import transformers
    from safetensors.torch import load_file, save_file

    auto, kind, settings = _shape(family.architecture)
    tokenizer = TOKENIZERS[family.tokenizer]()
    config = getattr(transformers, kind)(
        **{
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            **{key: LENGTH if key in _LENGTH_KEYS else value for key, value in settings.items()},
            **family.settings,
        }
    )
    torch.manual_seed(0)
    make: Any = getattr(transformers, auto).from_config
    make(config).save_pretrained(folder)
    edit_json(folder / "config.json", **family.config)
    if family.restore is not None:
        file = folder / "model.safetensors"
        save_file(family.restore(load_file(file)), file, metadata={"format": "pt"})


def _shape(architecture: str) -> tuple[str, str, Mapping[str, Any]]:
    """Return the auto class, the configuration's class and its settings."""
    if architecture == "xlnet":
        return "AutoModelForCausalLM", "XLNetConfig", _XLNET
    if architecture in MASKED:
        kind, _, settings = MASKED[architecture]
        return "AutoModelForMaskedLM", kind, settings
    return ("AutoModelForCausalLM", *ARCHITECTURES[architecture])


def _write_adapter(base: Path, base_hub: str, folder: Path) -> None:
    """Write a LoRA adapter as peft does, with an effect."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    network: Any = AutoModelForCausalLM.from_pretrained(base)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    config: Any = peft.LoraConfig(r=4, target_modules=targets, task_type="CAUSAL_LM")
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers' own future, which peft still uses
        tuned = peft.get_peft_model(network, config)
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.data.add_(torch.randn_like(parameter) * 0.2)
        tuned.save_pretrained(folder)
    edit_json(folder / "adapter_config.json", base_model_name_or_path=base_hub)


def _body_alone(weights: Weights) -> Weights:
    """Return weights as in older repositories: of the body alone, the tied head missing."""
    prefix = "transformer."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def _old_bert(weights: Weights) -> Weights:
    """Return weights as in BERT's repository, where layer norms have TensorFlow's names."""
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in weights.items():
        old = next((end for end in names if name.endswith(end)), "")
        renamed[name.removesuffix(old) + names.get(old, "")] = tensor
    return renamed


def _pack_experts(weights: Weights) -> Weights:
    """Return weights as in gpt-oss's repositories: experts in MXFP4, the rest in bfloat16."""
    import torch

    packed = {}
    for name, tensor in weights.items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            experts, inner, outer = tensor.shape
            blocks = (experts, outer, inner // 32, 16)
            packed[f"{name}_blocks"] = torch.randint(0, 256, blocks, dtype=torch.uint8)
            packed[f"{name}_scales"] = torch.full(blocks[:-1], 125, dtype=torch.uint8)
        else:
            packed[name] = tensor.to(torch.bfloat16)
    return packed


def _own_code(kind: str) -> Mapping[str, Any]:
    """Return the mention of code of its own that a repository's config.json still has."""
    auto = {"AutoConfig": f"configuration.{kind}Config", "AutoModelForCausalLM": f"modeling.{kind}"}
    return {"auto_map": auto}


_MULTI_QUERY = {"num_key_value_heads": 1}
_CHAT_LLAMA = "<s>[INST] "
_REQUESTS = "harmful-requests"
_FALCON_CODE = _own_code("Falcon")
_MPT_CODE = {**_own_code("MPT"), "architectures": ["MPTForCausalLM"]}

CAUSAL = (
    Family("llama-7b", "llama", "llama", "LlamaForCausalLM"),
    Family("llama-2-7b", "llama", "llama", "LlamaForCausalLM"),
    Family("llama-2-7b-chat", "llama", "llama", "LlamaForCausalLM", _CHAT_LLAMA, _LLAMA_2),
    Family("llama-3-8b", "llama", "llama-3", "LlamaForCausalLM"),
    Family(
        *("llama-3.1-8b-instruct", "llama-3.1", "llama-3", "LlamaForCausalLM"),
        opening="<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
        template=_LLAMA_3,
    ),
    Family(
        *("llama-3.2-1b", "llama-3.1", "llama-3", "LlamaForCausalLM"),
        settings={"tie_word_embeddings": True},
    ),
    Family(
        *("llama-3.3-70b-instruct", "llama-3.1", "llama-3", "LlamaForCausalLM"),
        opening="<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
        template=_LLAMA_3,
    ),
    Family(
        *("alpaca-7b", "llama", "llama", "LlamaForCausalLM"),
        opening="<s>Below is an instruction that describes a task. Write a response that "
        "appropriately completes the request.\n\n### Instruction:\n",
    ),
    Family(
        *("vicuna-7b", "llama", "llama", "LlamaForCausalLM"),
        opening="<s>A chat between a curious user and an artificial intelligence assistant. The "
        "assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
    ),
    Family(
        *("guanaco-7b", "llama", "llama", "LlamaForCausalLM"),
        opening="<s>A chat between a curious human and an artificial intelligence assistant. The "
        "assistant gives helpful, detailed, and polite answers to the user's questions.\n"
        "### Human: ",
    ),
    Family("mistral-7b", "mistral", "llama", "MistralForCausalLM"),
    Family(
        *("mistral-7b-v0.1", "mistral", "llama", "MistralForCausalLM"),
        settings={"sliding_window": 64},
    ),
    Family("mistral-7b-instruct", "mistral", "llama", "MistralForCausalLM", _CHAT_LLAMA, _LLAMA_2),
    Family("mixtral-8x7b", "mixtral", "llama", "MixtralForCausalLM"),
    Family(
        *("mixtral-8x7b-instruct", "mixtral", "llama", "MixtralForCausalLM", _CHAT_LLAMA, _LLAMA_2)
    ),
    Family("falcon-rw-1b", "falcon-rw", "gpt2", "FalconForCausalLM"),
    Family("falcon-7b", "falcon-rotary", "falcon", "FalconForCausalLM", config=_FALCON_CODE),
    Family("falcon-7b-instruct", "falcon-rotary", "falcon", "FalconForCausalLM"),
    Family("falcon-40b", "falcon-new", "falcon", "FalconForCausalLM", config=_FALCON_CODE),
    Family("falcon-180b", "falcon-new", "falcon", "FalconForCausalLM"),
    Family("falcon2-11b", "falcon-2", "falcon", "FalconForCausalLM"),
    Family(
        *("falcon3-7b-instruct", "llama", "falcon-3", "LlamaForCausalLM"),
        opening="<|user|>\n",
        template=_ENDED_ROLES,
    ),
    Family("bloom-560m", "bloom", "bloom", "BloomForCausalLM", restore=_body_alone),
    Family("bloomz-560m", "bloom", "bloom", "BloomForCausalLM"),
    Family("gpt-neox-20b", "gpt_neox", "neox", "GPTNeoXForCausalLM"),
    Family("gpt-j-6b", "gptj", "gpt2", "GPTJForCausalLM"),
    Family("gpt-neo-125m", "gpt_neo", "gpt2", "GPTNeoForCausalLM"),
    Family("pythia-70m", "gpt_neox", "neox", "GPTNeoXForCausalLM"),
    Family("pythia-70m-deduped", "gpt_neox", "neox", "GPTNeoXForCausalLM"),
    Family(
        *("openai-gpt", "openai-gpt", "openai-gpt", "OpenAIGPTLMHeadModel"),
        unsupported="stereotype-pairs",
    ),
    Family("gpt2", "gpt2", "gpt2", "GPT2LMHeadModel", restore=_body_alone),
    Family("distilgpt2", "gpt2", "gpt2", "GPT2LMHeadModel"),
    Family(
        *("gpt-oss-20b", "gpt_oss", "harmony", "GptOssForCausalLM"),
        opening="<|start|>system<|message|>",
        template=_HARMONY,
        config={
            "quantization_config": {
                "quant_method": "mxfp4",
                "modules_to_not_convert": [
                    "model.layers.*.self_attn",
                    "model.layers.*.mlp.router",
                    "model.embed_tokens",
                    "lm_head",
                ],
            }
        },
        restore=_pack_experts,
    ),
    Family("opt-125m", "opt", "opt", "OPTForCausalLM"),
    Family("opt-350m", "opt-projected", "opt", "OPTForCausalLM"),
    Family(
        *("smollm2-135m", "llama", "smollm2", "LlamaForCausalLM"),
        opening="<|im_start|>user\n",
        template=_CHATML,
        settings={"tie_word_embeddings": True},
    ),
    Family("smollm2-135m-base", "llama", "smollm2", "LlamaForCausalLM", template=_CHATML),
    Family(
        *("tinyllama-1.1b-chat", "llama", "llama", "LlamaForCausalLM"),
        opening="<|user|>\n",
        template=_ENDED_ROLES,
    ),
    Family("qwen2.5-0.5b", "qwen2", "qwen", "Qwen2ForCausalLM", template=_CHATML),
    Family(
        *("qwen2.5-0.5b-instruct", "qwen2", "qwen", "Qwen2ForCausalLM"),
        opening="<|im_start|>user\n",
        template=_CHATML,
    ),
    Family("qwen3-0.6b", "qwen3", "qwen", "Qwen3ForCausalLM", "<|im_start|>user\n", _CHATML),
    Family(
        *("qwen3-30b-a3b", "qwen3_moe", "qwen", "Qwen3MoeForCausalLM"),
        opening="<|im_start|>user\n",
        template=_CHATML,
    ),
    Family("gemma-2b", "gemma", "gemma", "GemmaForCausalLM", settings=_MULTI_QUERY),
    Family("gemma-2-2b", "gemma2", "gemma", "Gemma2ForCausalLM"),
    Family(
        *("gemma-2-2b-it", "gemma2", "gemma", "Gemma2ForCausalLM"),
        opening="<bos><start_of_turn>user\n",
        template=_GEMMA,
    ),
    Family("gemma-3-270m", "gemma3", "gemma", "Gemma3ForCausalLM"),
    Family("phi-1.5", "phi", "gpt2", "PhiForCausalLM"),
    Family("phi-2", "phi", "gpt2", "PhiForCausalLM"),
    Family(
        *("phi-3-mini", "phi3", "phi-3", "Phi3ForCausalLM"),
        opening="<|user|>\n",
        template=_ROLES,
        config=_own_code("Phi3"),
    ),
    Family(
        *("phi-3-mini-128k", "phi3-longrope", "phi-3", "Phi3ForCausalLM"),
        opening="<|user|>\n",
        template=_ROLES,
        config=_own_code("Phi3"),
    ),
    Family("olmo-1b", "olmo", "neox", "OlmoForCausalLM"),
    Family("olmo-2-1b", "olmo2", "gpt2", "Olmo2ForCausalLM"),
    Family(
        *("olmo-2-1b-instruct", "olmo2", "gpt2", "Olmo2ForCausalLM"),
        opening="<|user|>\n",
        template=_ENDED_ROLES,
    ),
    Family("stablelm-3b", "stablelm", "neox", "StableLmForCausalLM"),
    Family("stablelm-2-1.6b", "stablelm-2", "gpt2", "StableLmForCausalLM"),
    Family("redpajama-incite-3b", "gpt_neox-serial", "neox", "GPTNeoXForCausalLM"),
    Family("mpt-7b", "mpt", "neox", "MptForCausalLM", config=_MPT_CODE),
    Family("mpt-7b-instruct", "mpt", "neox", "MptForCausalLM", config=_MPT_CODE),
)
OTHERS = (
    Family(
        *("bert-base-uncased", "bert-uncased", "bert-uncased", "BertForMaskedLM"),
        unsupported=_REQUESTS,
        restore=_old_bert,
    ),
    *(
        Family(*names, unsupported=_REQUESTS)
        for names in (
            ("bert-base-cased", "bert-cased", "bert", "BertForMaskedLM"),
            ("bert-base-multilingual-cased", "bert-multilingual", "bert", "BertForMaskedLM"),
            ("roberta-base", "roberta", "roberta", "RobertaForMaskedLM"),
            ("distilroberta-base", "roberta", "roberta", "RobertaForMaskedLM"),
            ("xlm-roberta-base", "xlm-roberta", "xlm-roberta", "XLMRobertaForMaskedLM"),
            ("distilbert-base-uncased", "distilbert", "bert-uncased", "DistilBertForMaskedLM"),
            ("albert-base-v2", "albert", "albert", "AlbertForMaskedLM"),
        )
    ),
    Family("xlnet-base-cased", "xlnet", "xlnet", "XLNetLMHeadModel"),
)
FAMILIES = CAUSAL + OTHERS
