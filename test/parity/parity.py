"""
Compares Headlight with PyTorch over architectures and exporters, and prints the rows of the table in docs/parity.md.

    npm run build
    python -m venv .parity && .parity/bin/pip install -r test/parity/requirements.txt
    .parity/bin/python test/parity/parity.py [--only llama] [--golden]
"""

import argparse
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
from golden import write_golden

ROOT = Path(__file__).parent.parent.parent
IDS = [3, 17, 60, 5, 17, 3, 41, 9]
FLOAT, HALF = 1e-4, 5e-3

FORMS = {
    "torch.onnx, traced": (FLOAT, lambda model, folder: exporters.torchscript(model, folder)),
    "torch.onnx, traced, cache": (FLOAT, lambda model, folder: exporters.torchscript(model, folder, cache=True)),
    "torch.onnx, dynamo": (FLOAT, lambda model, folder: exporters.dynamo(model, folder)),
    "merged by If": (FLOAT, lambda model, folder: exporters.merged(model, folder)),
    "external data": (FLOAT, exporters.external),
    "genai builder, fp32": (FLOAT, lambda model, folder: exporters.genai(model, folder)),
    "optimizer, Attention": (FLOAT, lambda model, folder: exporters.optimizer(model, folder)),
    "optimizer, MultiHeadAttention": (FLOAT, lambda model, folder: exporters.optimizer(model, folder, multi_head=True)),
    "fp16": (HALF, exporters.half),
    "QDQ int8": (HALF, exporters.qdq),
    "dynamic int8": (HALF, exporters.int8),
    "4-bit MatMulNBits": (HALF, exporters.four_bit),
}
DERIVED = {"external data", "QDQ int8", "dynamic int8", "4-bit MatMulNBits"}
BUILDER = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3"}


def forms_of(name):
    yield "torch.onnx, traced"
    yield "torch.onnx, traced, cache"
    if name in ("gpt2", "llama", "gemma2"):
        yield "torch.onnx, dynamo"
    if name in ("gpt2", "llama", "opt"):
        yield "merged by If"
    if name in BUILDER:
        yield "genai builder, fp32"
    if name == "gpt2":
        yield "optimizer, Attention"
        yield "optimizer, MultiHeadAttention"
    if name in ("gpt2", "llama"):
        yield "fp16"
        yield from sorted(DERIVED)


def reference(model):
    with torch.no_grad():
        out = model(torch.tensor([IDS]), output_attentions=True, output_hidden_states=True, use_cache=False)
    hidden = []
    # transformers gives the last state after the final norm; what comes out of the last block is caught here.
    handle = final_norm(model).register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0]))
    with torch.no_grad():
        model(torch.tensor([IDS]), use_cache=False)
    handle.remove()
    states = [*out.hidden_states[:-1], hidden[0]]
    return {
        "logits": out.logits[0].numpy(),
        "attention": torch.stack([layer[0] for layer in out.attentions]).numpy(),
        "hidden": torch.stack([state[0] for state in states]).numpy(),
    }


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


def compare(name, form, work):
    tolerance, export = FORMS[form]
    model = models.build(name)
    folder = work / f"{name}-{form}".replace(" ", "-").replace(",", "")
    if form in DERIVED:
        source = work / f"{name}-torch.onnx-traced"
        export(source, folder)
        expected = own_numbers(folder)
    elif form == "fp16":
        export(model, folder)
        expected = own_numbers(folder)
    else:
        expected = reference(model)
        export(model, folder)
    found = headlight(folder, work / "tensors")
    differences = {}
    for key, value in expected.items():
        if key not in found:
            differences[key] = float("nan")
            continue
        if found[key].shape != value.shape:
            raise RuntimeError(f"{key} is {found[key].shape} instead of {value.shape}")
        differences[key] = float(np.abs(found[key] - value).max())
    return folder, differences, tolerance, expected


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--form", default="")
    parser.add_argument("--golden", action="store_true", help="write test/parity/golden/models anew")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for name in models.CONFIGS:
            if arguments.only and name not in arguments.only.split(","):
                continue
            for form in forms_of(name):
                if arguments.form and arguments.form not in form and form != "torch.onnx, traced":
                    continue
                try:
                    folder, differences, tolerance, expected = compare(name, form, Path(work))
                    passed = all(not value > tolerance for value in differences.values())
                    cells = [f"{differences[key]:.0e}" if key in differences else "–" for key in ("logits", "attention", "hidden")]
                    rows.append([name, form, *cells, "agrees" if passed else "**differs**"])
                    if arguments.golden and passed:
                        write_golden(name, form, folder, IDS, expected)
                except Exception as error:
                    if "-v" in sys.argv:
                        traceback.print_exc()
                    why = str(error).splitlines()[-1].replace("|", "/").replace(work, "…") if str(error) else type(error).__name__
                    rows.append([name, form, "", "", "", why[:180]])
                print("| " + " | ".join(rows[-1]) + " |", flush=True)


if __name__ == "__main__":
    main()
