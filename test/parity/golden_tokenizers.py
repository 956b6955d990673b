"""
Small tokenizers of every kind, with the ids that Hugging Face's own tokenizers give, as golden files for `npm test`.

    .parity/bin/python test/parity/golden_tokenizers.py [--fuzz FOLDER [--count 2000] [--seed 1] [--also TOKENIZER_JSON …]]

With --fuzz they, and what else is named, split random Unicode, and the golden files stay as they are. Then

    HEADLIGHT_TOKENIZERS=FOLDER npm test -- unit --grep "random Unicode"

compares ids and offsets, and prints how many texts agree.
"""

import argparse
import json
import random
import subprocess
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).parent.parent.parent
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
    "\x08 zero\u200dwidth \x04",
    "emoji 😀👩‍👩‍👧‍👦 🇩🇪 1️⃣ zalgo z\u0335\u0321\u0322",
    "a literal <s> </s> <unk> <|endoftext|> <tool> x<tool>y  <tool>",
    "▁ already marked ▁▁",
    "nbsp\u00a0wide\u3000zero\u200bwidth",
    "",
    " ",
    "\n",
    "thethetheTHE the.the,the",
    " \x04the\x14\x14 the",
    " \ufeffthe  \ufeff, a \x85the \x85 x",
    "the Ⅷ  ¾  〧 ٣",
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


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def plain(description):
    """The tokenizer for which special tokens are text like any other, which is how Headlight reads a document."""
    description = json.loads(json.dumps(description))
    special = {token["content"] for token in description["added_tokens"] if token["special"]}
    description["added_tokens"] = [token for token in description["added_tokens"] if not token["special"]]
    description["post_processor"] = None
    vocab = description["model"]["vocab"]
    if isinstance(vocab, list):
        for entry in vocab:
            if entry[0] in special:
                entry[0] = f"\U0010fffd{entry[0]}"
    return Tokenizer.from_str(json.dumps(description))


def gemma():
    """SentencePiece BPE as Gemma has it: spaces are marked, nothing is put before the text."""
    description = json.loads(sentencepiece_bpe(True, True).to_str())
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


#: A few of SentencePiece's own rules, since all of them take 300 KB: code points, and what becomes of them.
RULES = ["A0\t20", "3000\t20", "9\t20", "A\t20", "D\t20", "200B\t20", "200D\t20", "65 301\tE9", "FB01\t66 69", "2460\t31", "8\t", "4\t"]


def precompiled(rules=None):
    """A SentencePiece model itself, with the normalization that is compiled into it, as T5 and XLM-R have it."""
    import io
    import tempfile

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
        table.write("".join(f"{rule}\n" for rule in rules or []))
        table.flush()
        own = {"normalization_rule_tsv": table.name} if rules else {}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=150, hard_vocab_limit=False, minloglevel=2, **own
        )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], proto.trainer_spec.unk_id))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in ("<unk>", "<s>", "</s>")])
    return tokenizer


def digits():
    """As SmolLM2 has it: numbers stand alone, and some control characters are not in the vocabulary."""
    description = json.loads(byte_level(None, False).to_str())
    for byte in ("\u0104", "\u0114"):
        del description["model"]["vocab"][byte]
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


KINDS = {
    "byte-level": lambda: byte_level(QWEN, False),
    "byte-level-prefix-space": lambda: byte_level(None, True),
    "byte-level-digits": digits,
    "sentencepiece-bpe": lambda: sentencepiece_bpe(True, True),
    "sentencepiece-bpe-unknown": lambda: sentencepiece_bpe(False, False),
    "unigram": unigram,
    "unigram-compiled": lambda: precompiled(RULES),
}


#: Those that are compared on random text only: the golden ones have all of their parts.
MORE_KINDS = {
    "byte-level-gpt2": lambda: byte_level(None, False),
    "byte-level-llama3": lambda: byte_level(LLAMA3, False),
    "sentencepiece-bpe-gemma": gemma,
    "unigram-compiled-whole": precompiled,
}

#: What random texts are put together of: first and last code point, and how often.
RANGES = [
    (0x61, 0x7A, 30), (0x41, 0x5A, 8), (0x30, 0x39, 8), (0x20, 0x20, 30), (0x21, 0x2F, 8), (0x3A, 0x40, 4), (0x5B, 0x60, 4),
    (0x09, 0x0D, 6), (0x00, 0x1F, 1), (0x7F, 0xA0, 2), (0xA1, 0x17F, 8), (0x300, 0x36F, 6), (0x370, 0x52F, 5), (0x590, 0x6FF, 4),
    (0x900, 0x97F, 3), (0xE00, 0xE7F, 2), (0x1100, 0x11FF, 3), (0x1E00, 0x1FFF, 3), (0x2000, 0x206F, 6), (0x2070, 0x20CF, 2),
    (0x2100, 0x27BF, 4), (0x2580, 0x2583, 2), (0x3000, 0x30FF, 5), (0x4E00, 0x9FFF, 10), (0xAC00, 0xD7A3, 5), (0xE000, 0xE0FF, 1),
    (0xF900, 0xFAFF, 2), (0xFB00, 0xFB06, 2), (0xFE00, 0xFE0F, 2), (0xFEFF, 0xFEFF, 1), (0xFF00, 0xFFEF, 3), (0x1D400, 0x1D7FF, 2),
    (0x1F1E6, 0x1F1FF, 3), (0x1F300, 0x1FAFF, 8), (0x20000, 0x2A6DF, 2), (0xE0020, 0xE007F, 1), (0xFFFD, 0xFFFD, 1),
]
PIECES = ["the ", "there", "  ", "\n\n", "\r\n", "\t", "'s", "'LL", "▁", "▁▁", "<s>", "</s>", "<unk>", "<tool>", "<|endoftext|>", "<0x0A>", "👩‍👩‍👧", "e\u0301", " 1234 "]


def random_text(chance):
    weights = [weight for _, _, weight in RANGES]
    # Some texts keep to a few scripts, as real ones do.
    ranges = RANGES if chance.random() < 0.5 else chance.choices(RANGES, weights, k=4)
    weights = [weight for _, _, weight in ranges]
    parts = []
    for _ in range(chance.randint(1, 40)):
        if chance.random() < 0.2:
            parts.append(chance.choice(PIECES))
        else:
            first, last, _ = chance.choices(ranges, weights)[0]
            parts.append(chr(chance.randint(first, last)))
    return "".join(parts)


def ids_of(tokenizer, reading, text):
    """The ids, and where they are others, those of a reader for whom the name of a special token is that token."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    special = reading.encode(text, add_special_tokens=False).ids
    return {"ids": ids, **({} if special == ids else {"special": special})}


def expected_splits(tokenizer, reading, text):
    """With where each token stands in the text, in UTF-16 code units."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    units = [0]
    for character in text:
        units.append(units[-1] + (2 if ord(character) > 0xFFFF else 1))
    offsets = [[units[start], units[end]] for start, end in encoding.offsets]
    return {"text": text, **ids_of(tokenizer, reading, text), "offsets": offsets}


#: Those of tiktoken that Headlight has a fast path for.
ENCODINGS = ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"]


def tiktoken_encoding(name):
    """tiktoken's own pattern and merging; the ranks, which it would download, from gpt-tokenizer's package."""
    import tiktoken
    from tiktoken_ext import openai_public

    script = f"import('gpt-tokenizer/bpeRanks/{name}').then((m) => console.log(JSON.stringify(m.default)))"
    ranks = json.loads(subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
    merges = {rank.encode() if isinstance(rank, str) else bytes(rank): at for at, rank in enumerate(ranks) if rank is not None}
    openai_public.load_tiktoken_bpe = lambda *_, **__: merges
    return tiktoken.Encoding(**getattr(openai_public, name)())


def fuzz_encoding(folder, name, count, seed):
    chance = random.Random(f"{seed} {name}")
    encoding = tiktoken_encoding(name)
    texts = [random_text(chance) for _ in range(count)]
    expected = [
        {"text": text, "ids": encoding.encode(text, disallowed_special=()), "special": encoding.encode(text, allowed_special="all")}
        for text in texts
    ]
    (folder / f"{name}.json").write_text(json.dumps({"encoding": name, "expected": expected}))


def fuzz(folder, count, seed, also):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENCODINGS:
        fuzz_encoding(folder, name, count, seed)
    described = {name: json.loads(build().to_str()) for name, build in {**KINDS, **MORE_KINDS}.items()}
    described.update({file.parent.name: json.loads(file.read_text()) for file in also})
    for name, description in described.items():
        chance = random.Random(f"{seed} {name}")
        tokenizer, reading = plain(description), Tokenizer.from_str(json.dumps(description))
        expected = [expected_splits(tokenizer, reading, random_text(chance)) for _ in range(count)]
        (folder / f"{name}.json").write_text(json.dumps({"tokenizer": description, "expected": expected}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fuzz", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.fuzz is not None:
        fuzz(arguments.fuzz, arguments.count, arguments.seed, arguments.also)
        return
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, build in KINDS.items():
        description = json.loads(build().to_str())
        tokenizer = plain(description)
        reading = Tokenizer.from_str(json.dumps(description))
        expected = [{"text": text, **ids_of(tokenizer, reading, text)} for text in TEXTS]
        content = {"tokenizer": description, "expected": expected}
        (GOLDEN / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
