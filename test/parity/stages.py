"""
Compares the stages inside a model with PyTorch hooks: on headlight-small and on a Llama-shaped model, within 1e-4 of
the largest number of each tensor or 1e-4, whichever is more.

    npm run build
    python -m venv .parity && .parity/bin/pip install -r test/parity/requirements.txt
    .parity/bin/python test/parity/stages.py [--golden]

--golden writes what PyTorch gives on the Llama-shaped model into test/parity/golden, for `npm test`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import torch
import transformers as tf
from transformers.models.llama import modeling_llama

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent.parent / "models" / "train"))
import export
import exporters
import models

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "test/parity/golden/models/llama-torch-onnx-traced-cache/stages.json"
IDS = [3, 17, 40, 5, 17, 3, 29, 9]
#: "export function area(width" and what follows it, in the encoding of headlight-small.
LONG_IDS = [39344, 2163, 1989, 7, 10394, 25, 1271, 11, 6001, 25, 1271, 8, 1391, 198, 197, 7783, 9647, 1635, 6001, 26, 198, 92]
TOLERANCE = 1e-4
LAYER = 1


def by_head(rows, heads):
    """[1, T, H·d] → [H, T, d]"""
    length = rows.shape[1]
    return rows[0].reshape(length, heads, -1).transpose(0, 1)


def run(model, ids):
    """What goes on inside every layer, by hooks."""
    is_llama = model.config.model_type == "llama"
    blocks = model.model.layers if is_llama else model.transformer.h
    seen = {}

    def keep(module, name, which="output"):
        def hook(_, inputs, output):
            value = inputs[0] if which == "input" else output
            seen[name] = (value[0] if isinstance(value, tuple) else value).detach()

        return module.register_forward_hook(hook)

    turned = []
    original = modeling_llama.apply_rotary_pos_emb

    def record(q, k, *others, **named):
        result = original(q, k, *others, **named)
        turned.append(result)
        return result

    for layer, block in enumerate(blocks):
        if is_llama:
            for part in ("q", "k", "v"):
                keep(getattr(block.self_attn, f"{part}_proj"), (layer, part))
            keep(block.self_attn.o_proj, (layer, "context"), "input")
            keep(block.self_attn.o_proj, (layer, "attention"))
            keep(block.mlp.down_proj, (layer, "neurons"), "input")
            keep(block.mlp, (layer, "feedForward"))
        else:
            keep(block.attn.c_attn, (layer, "joint"))
            keep(block.attn.c_proj, (layer, "context"), "input")
            keep(block.attn.c_proj, (layer, "attention"))
            keep(block.mlp.c_proj, (layer, "neurons"), "input")
            keep(block.mlp, (layer, "feedForward"))
    final = model.model.norm if is_llama else model.transformer.ln_f
    keep(final, "last", "input")
    modeling_llama.apply_rotary_pos_emb = record
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True, use_cache=False)
        modeling_llama.apply_rotary_pos_emb = original
        states = [*out.hidden_states[:-1], seen["last"]]
        lens = [torch.softmax(model.lm_head(final(state))[0].double(), -1) for state in states]
    heads = model.config.num_attention_heads
    layers = []
    for layer in range(len(blocks)):
        part = lambda name: seen[layer, name]
        own = {}
        if is_llama:
            queries, keys = (tensor[0] for tensor in turned[layer])
            kv_heads = model.config.num_key_value_heads
            own = {"queriesBefore": by_head(part("q"), heads), "keysBefore": by_head(part("k"), kv_heads)}
            values = by_head(part("v"), kv_heads)
        else:
            queries, keys, values = (by_head(tensor, heads) for tensor in part("joint").chunk(3, -1))
        groups = heads // keys.shape[0]
        scores = queries @ keys.repeat_interleave(groups, 0).transpose(1, 2) / queries.shape[-1] ** 0.5
        layers.append({
            **own,
            "queries": queries, "keys": keys, "values": values, "scores": scores, "weights": out.attentions[layer][0],
            "context": by_head(part("context"), heads), "attention": part("attention")[0],
            "feedForward": part("feedForward")[0], "neurons": part("neurons")[0],
        })
    return {"states": [state[0] for state in states], "lens": lens, "layers": layers}


def headlight(folder, ids, stage, *options):
    """The JSON of a stage, and its tensors."""
    with tempfile.TemporaryDirectory() as tensors:
        command = ["node", str(ROOT / "dist/engine/cli.mjs"), "--model", str(folder), "--ids", ",".join(map(str, ids)), "--stage", stage, "--json"]
        written = ["--tensors", tensors] if stage in ("attention", "stream", "embedding") else []
        result = subprocess.run([*command, *written, *map(str, options)], capture_output=True, text=True, cwd=ROOT)
        if result.returncode != 0:
            raise RuntimeError(result.stderr.strip())
        return json.loads(result.stdout), {file.stem: np.load(file) for file in Path(tensors).glob("*.npy")}


def compare(folder, model, ids):
    """The largest difference of each stage, as a part of what is allowed."""
    expected = run(model, ids)
    layer = expected["layers"][LAYER]
    heads, groups = layer["queries"].shape[0], layer["queries"].shape[0] // layer["keys"].shape[0]
    query = len(ids) - 2
    found = {}

    def add(name, actual, wanted):
        wanted = np.asarray(wanted, dtype=np.float64)
        allowed = TOLERANCE * max(1, np.abs(wanted).max())
        found[name] = max(found.get(name, 0), float(np.abs(np.asarray(actual) - wanted).max() / allowed))

    for head in range(heads):
        row, steps = headlight(folder, ids, "attention", "--layer", LAYER, "--head", head, "--token", query)
        own = head // groups
        add("scores", steps["scores"], layer["scores"][head])
        add("weights", steps["weights"], layer["weights"][head])
        norms = layer["values"][own].norm(dim=-1)
        add("weights × ‖v‖", steps["weighted"], layer["weights"][head] * norms)
        visible = np.tril(np.ones((len(ids), len(ids)), dtype=bool))
        assert (np.isnan(steps["masked"]) == ~visible).all(), "what is masked"
        add("query", row["queryVector"], layer["queries"][head, query])
        add("mixed values", row["mixed"], layer["context"][head, query])
        for key in row["keys"]:
            add("keys", key["keyVector"], layer["keys"][own, key["key"]])
            add("values", key["valueVector"], layer["values"][own, key["key"]])
        if "queriesBefore" in layer:
            view, _ = headlight(folder, ids, "embedding", "--layer", LAYER, "--head", head, "--token", query)
            rotary = view["rotary"]
            add("query before rotation", rotary["queryBefore"], layer["queriesBefore"][head, query])
            add("query after rotation", rotary["queryAfter"], layer["queries"][head, query])
            add("key before rotation", rotary["keyBefore"], layer["keysBefore"][own, query])
            add("key after rotation", rotary["keyAfter"], layer["keys"][own, query])
    view, _ = headlight(folder, ids, "embedding", "--token", query)
    add("embedding", view["steps"][-1]["vector"], expected["states"][0][query])
    _, norms = headlight(folder, ids, "stream")
    add("stream", norms["stream"], torch.stack([state.norm(dim=-1) for state in expected["states"]]))
    for name, key in (("attention-added", "attention"), ("feed-forward-added", "feedForward")):
        add(name, norms[name], torch.stack([each[key].norm(dim=-1) for each in expected["layers"]]))
    neurons, _ = headlight(folder, ids, "feed-forward", "--layer", LAYER, "--token", query)
    for neuron in neurons["neurons"]:
        add("neurons", neuron["value"], layer["neurons"][query, neuron["neuron"]])
    lens, _ = headlight(folder, ids, "lens", "--token", query)
    for depth, (cell,) in enumerate(lens["rows"]):
        for token in cell["tokens"]:
            add("lens", token["probability"], expected["lens"][depth][query, token["id"]])
        add("lens", cell["actual"]["probability"], expected["lens"][depth][query, ids[query + 1]])
    losses, _ = headlight(folder, ids, "training")
    for row in losses["rows"]:
        add("losses", row["loss"], -torch.log(expected["lens"][-1][row["position"], row["target"]["id"]]))
    attribution, _ = headlight(folder, ids, "attribution", "--token", query)
    logits = torch.log(expected["lens"][-1][query])
    difference = logits[attribution["target"]["id"]] - logits[attribution["against"]["id"]]
    add("attribution, summed up", sum(part["value"] for part in attribution["parts"]), difference)
    return found


def default_model(folder):
    config = tf.GPT2Config.from_pretrained(folder, attn_implementation="eager")
    model = tf.GPT2LMHeadModel(config).eval()
    model.load_state_dict(export.hugging_face(export.read_onnx(folder / "model.onnx")), strict=False)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--golden", action="store_true", help="write golden/…/stages.json anew")
    arguments = parser.parse_args()
    llama = models.build("llama")
    if arguments.golden:
        rounded = lambda tensor: [round(float(value), 6) for value in tensor.reshape(-1)]
        layers = [{name: rounded(tensor) for name, tensor in layer.items()} for layer in run(llama, IDS)["layers"]]
        GOLDEN.write_text(json.dumps({"ids": IDS, "layers": layers}, separators=(",", ":")) + "\n")
    worst = 0
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "llama"
        exporters.torchscript(llama, folder)
        small = ROOT / "models" / "headlight-small"
        for name, found in (
            ("headlight-small", compare(small, default_model(small), LONG_IDS)),
            ("llama", compare(folder, llama, IDS)),
        ):
            for stage, part in found.items():
                print(f"| {name} | {stage} | {part * TOLERANCE:.0e} | {'agrees' if part <= 1 else '**differs**'} |")
                worst = max(worst, part)
    sys.exit(0 if worst <= 1 else 1)


if __name__ == "__main__":
    main()
