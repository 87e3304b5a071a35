"""The causal architectures that tests are run on, each with sizes that take no time to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIDTH, HEADS, LAYERS, CONTEXT = 32, 4, 2, 256

_SHARED: Mapping[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "initializer_range": 0.3,
}
_MODERN: Mapping[str, Any] = {
    **_SHARED,
    "intermediate_size": 2 * WIDTH,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
_FALCON: Mapping[str, Any] = {
    **_SHARED,
    "multi_query": True,
    "parallel_attn": True,
    "bias": False,
    "new_decoder_architecture": False,
    "max_position_embeddings": CONTEXT,
}
_GEMMA: Mapping[str, Any] = {
    **_MODERN,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "sliding_window": 8,
    "attn_logit_softcapping": 5.0,
    "final_logit_softcapping": 3.0,
}

_NEW_FALCON: Mapping[str, Any] = {
    **_FALCON,
    "new_decoder_architecture": True,
    "num_kv_heads": 2,
    "alibi": False,
}
_OPENAI: Mapping[str, Any] = {
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": HEADS,
    "n_positions": CONTEXT,
    "initializer_range": 0.3,
}
_OPT: Mapping[str, Any] = {
    "hidden_size": WIDTH,
    "word_embed_proj_dim": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "ffn_dim": 2 * WIDTH,
    "max_position_embeddings": CONTEXT,
    "init_std": 0.3,
}
_STRETCHED: Mapping[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": CONTEXT // 4,
}
_LONG: Mapping[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [2.0, 3.0, 4.0, 5.0],
    "original_max_position_embeddings": 20,
}
_MIXED = ["sliding_attention", "full_attention"]

#: Architecture to (configuration class, what differs from its defaults).
ARCHITECTURES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "llama": ("LlamaConfig", _MODERN),
    "gpt2": ("GPT2Config", _OPENAI),
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "hidden_size": WIDTH,
            "num_layers": LAYERS,
            "num_heads": HEADS,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 6,
            "max_position_embeddings": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "gpt_neox": (
        "GPTNeoXConfig",
        {**_SHARED, "intermediate_size": 2 * WIDTH, "max_position_embeddings": CONTEXT},
    ),
    "falcon-rotary": ("FalconConfig", {**_FALCON, "alibi": False}),
    "falcon-alibi": ("FalconConfig", {**_FALCON, "alibi": True}),
    "bloom": (
        "BloomConfig",
        {
            "hidden_size": WIDTH,
            "n_layer": LAYERS,
            "n_head": HEADS,
            "seq_length": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "mpt": (
        "MptConfig",
        {
            "d_model": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "max_seq_len": CONTEXT,
            "initializer_range": 0.3,
        },
    ),
    "mistral": ("MistralConfig", {**_MODERN, "sliding_window": 8}),
    "opt": ("OPTConfig", _OPT),
    "qwen2": ("Qwen2Config", _MODERN),
    "gemma2": ("Gemma2Config", _GEMMA),
    "mixtral": ("MixtralConfig", {**_MODERN, "num_local_experts": 4, "sliding_window": None}),
    "lfm2": (
        "Lfm2Config",
        {
            **_MODERN,
            "layer_types": ["conv", "full_attention"],
            "block_auto_adjust_ff_dim": False,
        },
    ),
    # Further architectures that the registry names models of.
    "gptj": ("GPTJConfig", {**_OPENAI, "rotary_dim": 4}),
    "falcon-new": ("FalconConfig", _NEW_FALCON),
    "falcon-2": ("FalconConfig", {**_NEW_FALCON, "num_ln_in_parallel_attn": 1}),
    "falcon-rw": (
        "FalconConfig",
        {**_FALCON, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True},
    ),
    "gpt_neox-serial": (
        "GPTNeoXConfig",
        {
            **_SHARED,
            "intermediate_size": 2 * WIDTH,
            "max_position_embeddings": CONTEXT,
            "use_parallel_residual": False,
        },
    ),
    "opt-projected": (
        "OPTConfig",
        {**_OPT, "word_embed_proj_dim": WIDTH // 2, "do_layer_norm_before": False},
    ),
    "llama-3.1": ("LlamaConfig", {**_MODERN, "rope_parameters": _STRETCHED}),
    "qwen3": ("Qwen3Config", {**_MODERN, "head_dim": 8}),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        {
            **_MODERN,
            "head_dim": 8,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": WIDTH,
        },
    ),
    "gemma": ("GemmaConfig", {**_MODERN, "head_dim": 8, "num_key_value_heads": 1}),
    "gemma3": (
        "Gemma3TextConfig",
        {
            **_MODERN,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "sliding_window": 8,
            "layer_types": _MIXED,
        },
    ),
    "phi": ("PhiConfig", {**_MODERN, "num_key_value_heads": HEADS, "partial_rotary_factor": 0.5}),
    "phi3": ("Phi3Config", {**_MODERN, "sliding_window": 12}),
    "phi3-longrope": ("Phi3Config", {**_MODERN, "rope_parameters": _LONG}),
    "olmo": ("OlmoConfig", {**_MODERN, "clip_qkv": 1.0}),
    "olmo2": ("Olmo2Config", _MODERN),
    "stablelm": ("StableLmConfig", {**_MODERN, "partial_rotary_factor": 0.25}),
    "stablelm-2": (
        "StableLmConfig",
        {
            **_MODERN,
            "partial_rotary_factor": 0.25,
            "use_qkv_bias": True,
            "qk_layernorm": True,
            "use_parallel_residual": True,
        },
    ),
    "gpt_oss": (
        "GptOssConfig",
        {
            **_MODERN,
            "head_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "sliding_window": 8,
            "layer_types": _MIXED,
        },
    ),
    # Without a cache, or with states that are not in it.
    "openai-gpt": ("OpenAIGPTConfig", _OPENAI),
    "mamba": ("MambaConfig", {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 4}),
    "recurrent_gemma": (
        "RecurrentGemmaConfig",
        {
            "hidden_size": WIDTH,
            "num_hidden_layers": 3,
            "num_attention_heads": HEADS,
            "intermediate_size": 2 * WIDTH,
            "attention_window_size": 8,
            "lru_width": WIDTH,
        },
    ),
    "falcon_h1": (
        "FalconH1Config",
        {
            **_MODERN,
            "head_dim": 8,
            "mamba_d_ssm": WIDTH,
            "mamba_n_heads": HEADS,
            "mamba_d_head": 8,
            "mamba_n_groups": 1,
            "mamba_d_state": 8,
            "mamba_chunk_size": 8,
        },
    ),
}
