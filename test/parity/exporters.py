"""The exporters whose graphs Headlight opens. Each writes a model folder and says with which numbers to compare."""

import contextlib
import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import onnx
import torch
from transformers import DynamicCache

from models import LAYERS, VOCAB

logging.disable(logging.WARNING)
os.environ["TQDM_DISABLE"] = "1"


def _folder(folder: Path, model):
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    # Ids are given as such: any encoding that fits in the vocabulary will do, here one of single bytes.
    vocab = {chr(0x100 + index) if index < 0x21 else chr(index + 0x20): index for index in range(VOCAB)}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, separators=(",", ":")) + "\n")


class _Plain(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits


class _WithCache(_Plain):
    def forward(self, input_ids, attention_mask, *past):
        cache = DynamicCache.from_legacy_cache(tuple(zip(past[0::2], past[1::2])))
        out = self.model(input_ids=input_ids, attention_mask=attention_mask, past_key_values=cache, use_cache=True)
        return (out.logits, *(tensor for layer in out.past_key_values.to_legacy_cache() for tensor in layer))


def _without_vmap():
    """The masks without torch.vmap, which neither way of exporting can follow; as Optimum does."""
    from transformers import masking_utils

    def seen(batch_size, cache_position, kv_length, kv_offset=0, mask_function=None, attention_mask=None, **_):
        queries = cache_position[None, None, :, None]
        keys = (torch.arange(kv_length, device=cache_position.device) + kv_offset)[None, None, None, :]
        zero = torch.zeros((1, 1, 1, 1), dtype=torch.long)
        allowed = mask_function(zero, zero, queries, keys)
        return allowed if attention_mask is None else allowed & attention_mask[:, None, None, :kv_length].bool()

    def added(*args, dtype=torch.float32, **kwargs):
        return torch.where(seen(*args, **kwargs), torch.tensor(0.0, dtype=dtype), torch.finfo(dtype).min)

    masking_utils.ALL_MASK_ATTENTION_FUNCTIONS._global_mapping.update(eager=added, sdpa=seen)


def torchscript(model, folder: Path, cache=False, opset=17):
    """torch.onnx by tracing, as Optimum exports."""
    _folder(folder, model)
    _without_vmap()
    ids = torch.arange(1, 6)[None]
    inputs, names, outputs = [ids, torch.ones(1, 5 + 3 * cache, dtype=torch.long)], ["input_ids", "attention_mask"], ["logits"]
    axes = {"input_ids": {0: "batch_size", 1: "sequence_length"}, "attention_mask": {0: "batch_size", 1: "total_sequence_length"}}
    if cache:
        with torch.no_grad():
            past = model(ids[:, :3], use_cache=True).past_key_values.to_legacy_cache()
        for layer, pair in enumerate(past):
            for kind, tensor in zip(("key", "value"), pair):
                name = f"past_key_values.{layer}.{kind}"
                inputs.append(tensor)
                names.append(name)
                outputs.append(f"present.{layer}.{kind}")
                axes[name] = {0: "batch_size", 2: "past_sequence_length"}
    wrapper = _WithCache(model) if cache else _Plain(model)
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            wrapper, tuple(inputs), str(folder / "model.onnx"), input_names=names, output_names=outputs,
            dynamic_axes=axes, opset_version=opset, dynamo=False,
        )


def external(source: Path, folder: Path):
    """The same graph with its weights in a file beside it."""
    _copy(source, folder)
    onnx.save(onnx.load(source / "model.onnx"), folder / "model.onnx", save_as_external_data=True, location="model.onnx_data", size_threshold=256)


def dynamo(model, folder: Path, attention="eager", opset=20):
    """torch.onnx by torch.export, the newer of its two ways. From opset 23 on "sdpa" becomes ai.onnx's Attention."""
    _folder(folder, model)
    _without_vmap()
    model.config._attn_implementation = attention
    length = torch.export.Dim("length", min=2, max=32)
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            program = torch.onnx.export(
                _Plain(model), (torch.arange(1, 6)[None], torch.ones(1, 5, dtype=torch.long)), dynamo=True, opset_version=opset,
                input_names=["input_ids", "attention_mask"], output_names=["logits"],
                dynamic_shapes=({1: length}, {1: length}),
            )
        except Exception as error:
            causes = re.findall(r"<class '[\w.]+'>: (.+)", str(error))
            raise RuntimeError(f"torch.onnx fails: {causes[0] if causes else error}") from error
    program.save(str(folder / "model.onnx"))


#: What onnxruntime's optimizer calls an architecture; it takes the others for GPT-2, as its own scripts for Llama do.
OPTIMIZED_AS = {"gpt_neox": "gpt_neox", "phi": "phi", "qwen3": "qwen3"}


def optimizer(model, folder: Path):
    """onnxruntime's transformer optimizer on a traced export."""
    from onnxruntime.transformers import optimizer as ort
    from onnxruntime.transformers.fusion_options import FusionOptions

    torchscript(model, folder, cache=True, opset=14)
    known = OPTIMIZED_AS.get(model.config.model_type, "gpt2")
    try:
        optimized = ort.optimize_model(
            str(folder / "model.onnx"), model_type=known, num_heads=model.config.num_attention_heads,
            hidden_size=model.config.hidden_size, optimization_options=FusionOptions(known), opt_level=0,
        )
    except TypeError as error:
        raise RuntimeError(f"the optimizer fails: {error}") from error
    optimized.save_model_to_file(str(folder / "model.onnx"))


def optimum(model, folder: Path, packages=None, script=()):
    """Optimum, or with its older packages what was exported by them: the folder holds one graph, under the name it is given."""
    source = folder.with_name(f"{folder.name}-source")
    model.save_pretrained(source)
    _folder(source, model)
    command = [sys.executable, str(Path(__file__).parent / "optimum_export.py"), str(source), str(folder / "exported"), *script]
    environment = {**os.environ, **({} if packages is None else {"PYTHONPATH": str(packages)})}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()[-1]
        unknown = "does not recognize this architecture" in said or "unsupported architecture" in said
        raise RuntimeError("these versions do not know this architecture" if unknown else f"the exporter fails: {said}")
    _folder(folder, model)
    exported = {file.name: file for file in (folder / "exported").glob("*.onnx")}
    graph = exported.get("decoder_model_merged.onnx") or exported["model.onnx"]
    graph.rename(folder / graph.name)


def genai(model, folder: Path, precision="fp32", device="cpu"):
    """onnxruntime-genai's model builder. Its 4-bit products are asked to keep their activations float32."""
    from onnxruntime_genai.models.builder import create_model

    source = folder / "source"
    model.save_pretrained(source)
    _folder(source, model)
    options = {"int4_accuracy_level": 1} if precision == "int4" else {}
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            create_model(None, str(source), str(folder), precision, device, str(folder / "cache"), **options)
        except NotImplementedError as error:
            raise RuntimeError("the builder does not make this architecture") from error
    _folder(folder, model)


def half(model, folder: Path):
    """float16 weights, exported by tracing."""
    torchscript(model.half(), folder)


def int8(source: Path, folder: Path):
    """Dynamic int8 by onnxruntime's quantizer."""
    from onnxruntime.quantization import quantize_dynamic

    _copy(source, folder)
    quantize_dynamic(str(source / "model.onnx"), str(folder / "model.onnx"))


def qdq(source: Path, folder: Path):
    """Weights behind DequantizeLinear."""
    import numpy as np
    from onnx import helper, numpy_helper

    _copy(source, folder)
    model = onnx.load(source / "model.onnx")
    nodes = []
    for tensor in [one for one in model.graph.initializer if len(one.dims) == 2 and one.data_type == onnx.TensorProto.FLOAT]:
        values = numpy_helper.to_array(tensor)
        scale = np.float32(np.abs(values).max() / 127)
        name = tensor.name
        model.graph.initializer.remove(tensor)
        quantized = np.clip(np.round(values / scale), -127, 127).astype(np.int8)
        model.graph.initializer.extend([
            numpy_helper.from_array(quantized, f"{name}_quantized"), numpy_helper.from_array(np.array(scale), f"{name}_scale"),
        ])
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_quantized", f"{name}_scale"], [name]))
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    onnx.save(model, folder / "model.onnx")


def four_bit(source: Path, folder: Path):
    """4-bit MatMulNBits by onnxruntime's quantizer."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    _copy(source, folder)
    quantizer = MatMulNBitsQuantizer(onnx.load(source / "model.onnx"), block_size=16, is_symmetric=True)
    with contextlib.redirect_stderr(io.StringIO()):
        quantizer.process()
    quantizer.model.save_model_to_file(str(folder / "model.onnx"))


def _copy(source: Path, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((source / name).read_bytes())
