"""Golden exports: small models and what they give, so that `npm test` covers every form without Python."""

import json
from pathlib import Path

import onnx

GOLDEN = Path(__file__).parent / "golden" / "models"

#: One for each form that graphs come in; the others of the table differ from these in their sizes only.
KEPT = {
    ("gpt2", "torch.onnx, traced"),
    ("gpt2", "Optimum 1.20, merged"),
    ("gpt2", "onnxruntime's GPT-2 script"),
    ("gpt2", "dynamic int8"),
    ("llama", "torch.onnx, traced, cache"),
    ("llama", "torch.onnx, dynamo"),
    ("llama", "torch.onnx, dynamo, opset 23"),
    ("llama", "genai builder, fp32"),
    ("llama", "genai builder, fp32, for CUDA"),
    ("llama", "QDQ int8"),
    ("llama", "4-bit MatMulNBits"),
    ("gemma2", "torch.onnx, traced"),
    ("bloom", "torch.onnx, traced"),
    ("falcon", "torch.onnx, traced, cache"),
}


def shorten(graph):
    """Short names for what has no name outside: exporters write the path of every module into each."""
    kept = {value.name for value in [*graph.input, *graph.output]}
    names = {"": ""}
    graphs = [graph]
    for one in graphs:
        graphs.extend(attribute.g for node in one.node for attribute in node.attribute if attribute.HasField("g"))

    def short(name):
        if name not in kept:
            names.setdefault(name, f"t{len(names)}")
        return names.get(name, name)

    for one in graphs:
        for tensor in one.initializer:
            tensor.name = short(tensor.name)
        for value in one.output:
            value.name = short(value.name)
        for node in one.node:
            node.name = node.doc_string = ""
            del node.metadata_props[:]
            node.input[:] = [short(name) for name in node.input]
            node.output[:] = [short(name) for name in node.output]
        del one.value_info[:]


def write_golden(name, form, folder, ids, expected):
    if (name, form) not in KEPT:
        return
    target = GOLDEN / f"{name}-{form}".replace(",", "").replace(".", "-").replace("'", "").replace(" ", "-").lower()
    target.mkdir(parents=True, exist_ok=True)
    model = onnx.load(next(folder.glob("*.onnx")))
    shorten(model.graph)
    del model.metadata_props[:]
    onnx.save(model, target / "model.onnx")
    for file in ("config.json", "tokenizer.json"):
        (target / file).write_bytes((folder / file).read_bytes())
    rounded = {key: [round(float(value), 5) for value in tensor.reshape(-1)] for key, tensor in expected.items()}
    (target / "expected.json").write_text(json.dumps({"ids": ids, **rounded}, separators=(",", ":")) + "\n")
