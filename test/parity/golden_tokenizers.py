"""Small tokenizers of every kind, with the ids that Hugging Face's own tokenizers give, as golden files for `npm test`."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOLDEN = Path(__file__).parent / "golden" / "tokenizers"

CORPUS = [
    "The quick brown fox jumps over the lazy dog. A journey of a thousand miles begins with a single step.",
    "def greet(name):\n    return 'Hello, ' + name  # it's 42 or 1234\n",
    "the theory of the thing is that there are things and theories thereof, and other things",
    "Größe, naïve café, 语言模型 and the rest of the text is here to be read by the reader",
] * 8

TEXTS = [
    "The quick brown fox.",
    " leading space and  two   three spaces ",
    "def f(x):\n\treturn x + 1234567890\r\n\n\n  # done",
    "Größe naïve cafe\u0301 ﬁne ① ｆｕｌｌ",
    "语言模型 한국어 ᄒ\u1161\u11ab",
    "emoji 😀👩‍👩‍👧‍👦 🇩🇪 1️⃣ zalgo z\u0335\u0321\u0322",
    "a literal <s> </s> <unk> <|endoftext|> <tool> x<tool>y  <tool>",
    "▁ already marked ▁▁",
    "nbsp\u00a0wide\u3000zero\u200bwidth",
    "",
    " ",
    "\n",
    "thethetheTHE the.the,the",
]


def sentencepiece_bpe(byte_fallback: bool, legacy: bool):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback))
    prepared = [text.replace(" ", "▁") for text in CORPUS]
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else [])
    trainer = trainers.BpeTrainer(vocab_size=len(special) + 120, special_tokens=special, show_progress=False, max_token_length=12)
    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁]+"), "isolated")
    words.train_from_iterator(prepared, trainer)
    model = json.loads(words.to_str())["model"]
    description = json.loads(tokenizer.to_str())
    description["model"].update(vocab=model["vocab"], merges=model["merges"])
    description["added_tokens"] = [
        {"id": index, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for index, name in enumerate(["<unk>", "<s>", "</s>"])
    ]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=160, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level(pattern: str | None, prefix_space: bool):
    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space, use_regex=pattern is None)
    tokenizer.pre_tokenizer = (
        level if pattern is None else pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), level])
    )
    if pattern is not None:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("   ", normalized=False)])
    return tokenizer


QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def plain_ids(tokenizer, text):
    """The ids of text in which special tokens are text like any other, which is how Headlight reads a document."""
    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = [token for token in description["added_tokens"] if not token["special"]]
    description["post_processor"] = None
    vocab = description["model"]["vocab"]
    if isinstance(vocab, list):
        for entry in vocab:
            if entry[0] in ("<s>", "</s>", "<unk>"):
                entry[0] = f"\0{entry[0]}"
    return Tokenizer.from_str(json.dumps(description)).encode(text, add_special_tokens=False).ids


KINDS = {
    "byte-level": lambda: byte_level(QWEN, False),
    "byte-level-prefix-space": lambda: byte_level(None, True),
    "sentencepiece-bpe": lambda: sentencepiece_bpe(True, True),
    "sentencepiece-bpe-unknown": lambda: sentencepiece_bpe(False, False),
    "unigram": unigram,
}


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, build in KINDS.items():
        tokenizer = build()
        description = json.loads(tokenizer.to_str())
        expected = [{"text": text, "ids": plain_ids(tokenizer, text)} for text in TEXTS]
        content = {"tokenizer": description, "expected": expected}
        (GOLDEN / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
