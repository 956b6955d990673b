"""
Compares Headlight with PyTorch over architectures and exporters, and prints the rows of the table in docs/parity.md.

    npm run build
    python -m venv .parity && .parity/bin/pip install -r test/parity/requirements.txt
    .parity/bin/pip install --no-deps --target .parity/older -r test/parity/requirements-older.txt
    .parity/bin/python test/parity/parity.py [--only llama] [--form Optimum] [--golden]
"""

import argparse
import copy
import re
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import onnx
import onnxruntime
import torch

sys.path.insert(0, str(Path(__file__).parent))
import exporters
import models
from dequantised import with_quantised_weights
from golden import write_golden

ROOT = Path(__file__).parent.parent.parent
#: The packages of requirements-older.txt.
OLDER = Path(sys.prefix) / "older"
IDS = [3, 17, 40, 5, 17, 3, 29, 9]
FLOAT, HALF = 1e-4, 5e-3

FORMS = {
    "torch.onnx, traced": (FLOAT, lambda model, folder: exporters.torchscript(model, folder)),
    "torch.onnx, traced, cache": (FLOAT, lambda model, folder: exporters.torchscript(model, folder, cache=True)),
    "torch.onnx, dynamo": (FLOAT, lambda model, folder: exporters.dynamo(model, folder)),
    "torch.onnx, dynamo, opset 23": (FLOAT, lambda model, folder: exporters.dynamo(model, folder, attention="sdpa", opset=23)),
    "Optimum 2.1": (FLOAT, lambda model, folder: exporters.optimum(model, folder)),
    "Optimum 1.20, merged": (FLOAT, lambda model, folder: exporters.optimum(model, folder, packages=OLDER)),
    "genai builder, fp32": (FLOAT, lambda model, folder: exporters.genai(model, folder)),
    "genai builder, fp32, for CUDA": (FLOAT, lambda model, folder: exporters.genai(model, folder, device="cuda")),
    "genai builder, int4": (HALF, lambda model, folder: exporters.genai(model, folder, precision="int4")),
    "optimizer": (FLOAT, lambda model, folder: exporters.optimizer(model, folder)),
    "onnxruntime's GPT-2 script": (FLOAT, lambda model, folder: exporters.optimum(model, folder, packages=OLDER, script=["--gpt2"])),
    "fp16": (HALF, exporters.half),
    "external data": (FLOAT, exporters.external),
    "QDQ int8": (HALF, exporters.qdq),
    "dynamic int8": (HALF, exporters.int8),
    "4-bit MatMulNBits": (HALF, exporters.four_bit),
}
#: Made of the traced export.
DERIVED = {"external data", "QDQ int8", "dynamic int8", "4-bit MatMulNBits"}
QUANTISED = {"QDQ int8", "4-bit MatMulNBits", "genai builder, int4"}
#: What weights are kept in is no matter of the architecture.
OF_WEIGHTS = {"fp16", *DERIVED}
FUSED = ("Attention", "MultiHeadAttention", "GroupQueryAttention")


def forms_of(name):
    for form in FORMS:
        of_some = OF_WEIGHTS if name not in ("gpt2", "llama") else set()
        if form not in of_some and (name == "gpt2" or "GPT-2" not in form):
            yield form


def reference(model, attentions=True):
    with torch.no_grad():
        out = model(torch.tensor([IDS]), output_attentions=attentions, output_hidden_states=True, use_cache=False)
    hidden = []
    # transformers gives the last state after the final norm; what comes out of the last block is caught here.
    handle = final_norm(model).register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))
    with torch.no_grad():
        model(torch.tensor([IDS]), use_cache=False)
    handle.remove()
    states = [*out.hidden_states[:-1], hidden[0]]
    numbers = {"logits": out.logits[0].numpy(), "hidden": torch.stack([state[0] for state in states]).numpy()}
    if attentions:
        numbers["attention"] = torch.stack([layer[0] for layer in out.attentions]).numpy()
    return numbers


def final_norm(model):
    for path in ("transformer.ln_f", "gpt_neox.final_layer_norm", "model.decoder.final_layer_norm", "model.norm", "model.final_layernorm"):
        module = model
        for part in path.split("."):
            module = getattr(module, part, None)
            if module is None:
                break
        if module is not None:
            return module
    raise ValueError("no final norm")


def own_numbers(folder):
    """What the same file gives when its softmaxes are made outputs by the onnx package: for weights that are not the model's."""
    model = onnx.load(folder / "model.onnx")
    names = [node.output[0] for node in model.graph.node if node.op_type == "Softmax"]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    feeds = {"input_ids": np.array([IDS]), "attention_mask": np.ones((1, len(IDS)), dtype=np.int64)}
    logits, *weights = session.run(["logits", *names], feeds)
    stacked = np.stack([one.astype(np.float32).reshape(-1, len(IDS), len(IDS)) for one in weights])
    return {"logits": logits[0].astype(np.float32), "attention": stacked}


def headlight(folder, tensors, ids=IDS):
    command = ["node", str(ROOT / "dist/engine/cli.mjs"), "--model", str(folder), "--ids", ",".join(map(str, ids))]
    command += ["--json", "--tensors", str(tensors)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    return {name: np.load(tensors / f"{name}.npy") for name in ("logits", "attention", "hidden") if (tensors / f"{name}.npy").exists()}


def graph_of(folder):
    return next(folder.glob("*.onnx"))


def fused_in(folder):
    """The fused operators of attention in an export, those in branches included."""
    found = set()

    def walk(graph):
        for node in graph.node:
            if node.op_type in FUSED:
                found.add(f"{node.domain or 'ai.onnx'} {node.op_type}")
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    walk(attribute.g)

    walk(onnx.load(graph_of(folder), load_external_data=False).graph)
    return ", ".join(sorted(found)) or "parts"


def export(name, form, work):
    """The folder, and the numbers that it should give."""
    write = FORMS[form][1]
    # The older transformers knew of no heads that are not as wide as the model over their number.
    changed = {"head_dim": models.WIDTH // models.HEADS} if "1.20" in form and name in ("llama", "mistral", "qwen2") else {}
    model = models.build(name, **changed)
    folder = work / f"{name}-{form}".replace(" ", "-").replace(",", "")
    if form in DERIVED:
        write(work / f"{name}-torch.onnx-traced", folder)
    else:
        write(copy.deepcopy(model), folder)
    if form == "dynamic int8":
        return folder, own_numbers(folder)
    if form == "fp16":
        return folder, reference(model.half().float())
    if form in QUANTISED:
        return folder, reference(with_quantised_weights(model, graph_of(folder)))
    return folder, reference(model)


def differences(found, expected):
    """The largest of each kind, over the numbers that both sides have."""
    largest = {}
    for key, value in expected.items():
        if found[key].shape != value.shape:
            raise RuntimeError(f"{key} is {found[key].shape} instead of {value.shape}")
        largest[key] = float(np.abs(found[key] - value).max())
    return largest


def others(config):
    """Models that an exporter may have written instead of the one it was given: in words what is different in them, and how."""
    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    if kinds and kinds != kinds[::-1]:
        yield "with the sliding window in the other layers", "eager", {"layer_types": kinds[::-1]}
    if window:
        yield "without the sliding window", "eager", {"sliding_window": models.CONTEXT}
    if getattr(config, "attn_logit_softcapping", None):
        yield "without the softcap of scores", "eager", {"attn_logit_softcapping": None}
        neither = {"attn_logit_softcapping": None, "sliding_window": models.CONTEXT}
        yield "without the softcap of scores and the sliding window", "eager", neither
    if getattr(config, "hidden_act", None) == "gelu_new":
        yield "with the exact GELU", "eager", {"hidden_act": "gelu"}
    if getattr(config, "layer_norm_eps", None):
        yield "with 1e-6 under the root of its norms", "eager", {"layer_norm_eps": 1e-6}
    yield "computing attention by sdpa, which is not what it computes eagerly", "sdpa", {}


def verdict(name, form, folder, found, expected):
    """Where the numbers differ: whether they are another model's, so that it is the export that differs and not what is read in it."""
    tolerance = FORMS[form][0]
    largest = differences(found, expected)
    if all(value <= tolerance for value in largest.values()):
        return largest, "agrees"
    for what, attention, changed in others(models.CONFIGS[name]()):
        other = models.build(name, attention=attention, **changed)
        if form in QUANTISED:
            other = with_quantised_weights(other, graph_of(folder))
        # sdpa gives no attention weights.
        theirs = differences(found, reference(other, attentions=attention == "eager"))
        if all(value <= tolerance for value in theirs.values()):
            figures = ", ".join(f"{key} {value:.0e}" for key, value in theirs.items())
            return largest, f"the export is another model: agrees with PyTorch {what} ({figures})"
    return largest, "**differs**"


def row_of(name, form, work, golden):
    folder, expected = export(name, form, work)
    found = headlight(folder, work / "tensors")
    largest, said = verdict(name, form, folder, found, expected)
    if golden and said == "agrees":
        write_golden(name, form, folder, IDS, expected)
    cells = [f"{largest[key]:.0e}" if key in largest else "–" for key in ("logits", "attention", "hidden")]
    return [models.ALSO[name], form, fused_in(folder), *cells, said]


def main():
    # Headlight runs in a process beside this one.
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--form", default="")
    parser.add_argument("--golden", action="store_true", help="write test/parity/golden/models anew")
    parser.add_argument("--verbose", action="store_true", help="with the traces of errors")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        for name in models.CONFIGS:
            if arguments.only and name not in arguments.only.split(","):
                continue
            for form in forms_of(name):
                if arguments.form and arguments.form not in form and form != "torch.onnx, traced":
                    continue
                try:
                    print(f"| {' | '.join(row_of(name, form, Path(work), arguments.golden))} |", flush=True)
                except Exception as error:
                    if arguments.verbose:
                        traceback.print_exc()
                    said = str(error).strip().splitlines()
                    why = re.sub(r"\S+/model.onnx", "the export", said[-1] if said else type(error).__name__).replace("|", "/")
                    print(f"| {models.ALSO[name]} | {form} | | | | | {why[:180]} |", flush=True)


if __name__ == "__main__":
    main()
