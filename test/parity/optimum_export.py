"""
Run by exporters.py in a process of its own, since the older packages cannot be there beside the newer ones:

    python optimum_export.py SOURCE TARGET [--gpt2]

Exports a transformers folder with the Optimum that is installed: an older one writes decoder_model_merged.onnx. With --gpt2
onnxruntime's own script for GPT-2 exports it and fuses its attention; it needs a transformers of the older kind.
"""

import functools
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import torch

# Its default has changed; Optimum traces.
torch.onnx.export = functools.partial(torch.onnx.export, dynamo=False)


def optimum(source: Path, target: Path):
    import optimum.version
    from optimum.exporters.onnx import main_export

    legacy = {"legacy": True} if optimum.version.__version__.startswith("1.") else {}
    main_export(str(source), output=str(target), task="text-generation-with-past", do_validation=False, **legacy)


def gpt2(source: Path, target: Path):
    from onnxruntime.transformers.models.gpt2.gpt2_helper import Gpt2Helper, MyGPT2LMHeadModel_NoPadding

    model = MyGPT2LMHeadModel_NoPadding.from_pretrained(str(source), use_cache=True).eval()
    target.mkdir(parents=True, exist_ok=True)
    traced = target / "traced.onnx"
    Gpt2Helper.export_onnx(model, torch.device("cpu"), str(traced), has_position_ids=False, has_attention_mask=False)
    Gpt2Helper.optimize_onnx(str(traced), str(target / "model.onnx"), False, model.config.n_head, model.config.n_embd)
    traced.unlink()


if __name__ == "__main__":
    (gpt2 if "--gpt2" in sys.argv else optimum)(Path(sys.argv[1]), Path(sys.argv[2]))
