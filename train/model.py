"""The extraction model in PyTorch: a BERT-shaped encoder with heads that point at spans. Used by train.py only.

`Extractor.forward(ids, types, mask, markers, options)`:
  ids, types  B x L int64   word pieces and segment (0 template, 1 document)
  mask        B x L bool    False where padded
  markers     B x F int64   position of each field's marker (0 where padded)
  options     B x O int64   position of each option marker of enum fields (0 where padded)
returns  score B x 3 x F x L (start, end, inside), null B x F x 2, option B x O.
What the scores mean: ARCHITECTURE.md, "The model"; the readable numpy twin is reference.py.
"""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from breaks import BREAKS

HEAD_DIM = 192
LONG = 288  # up to this length attention written out trains faster on a CPU than the fused kernel
SPECIAL = 16  # vocabulary ids below this are markers, types and padding


class Layer(nn.Module):
    """One post-norm transformer block (Devlin et al. 2018, arXiv:1810.04805)."""

    def __init__(self, size, heads, inner):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.norm1 = nn.LayerNorm(size, eps=1e-12)
        self.up = nn.Linear(size, inner)
        self.down = nn.Linear(inner, size)
        self.norm2 = nn.LayerNorm(size, eps=1e-12)

    def forward(self, x, mask):
        b, n, h = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, h // self.heads).permute(2, 0, 3, 1, 4)
        if n > LONG:
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            a = torch.softmax((q * (h // self.heads) ** -0.5) @ k.transpose(-1, -2) + mask, -1) @ v
        a = self.out(a.transpose(1, 2).reshape(b, n, h))
        x = self.norm1(x + a)
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Extractor(nn.Module):
    def __init__(self, config):
        super().__init__()
        size, heads, inner = config["hidden_size"], config["num_attention_heads"], config["intermediate_size"]
        self.config = config
        self.words = nn.Embedding(config["vocab_size"], size)
        self.words.weight.requires_grad = False  # frozen: a third faster a step, and small data would only bend it
        self.special = nn.Embedding(SPECIAL, size)  # what the marker ids learn on top; folded into words when saved
        nn.init.normal_(self.special.weight, std=0.02)
        self.positions = nn.Embedding(config["max_position_embeddings"], size)
        self.types = nn.Embedding(2, size)
        self.norm = nn.LayerNorm(size, eps=1e-12)
        self.layers = nn.ModuleList(Layer(size, heads, inner) for _ in range(config["num_hidden_layers"]))
        self.q, self.k = nn.Linear(size, 3 * HEAD_DIM), nn.Linear(size, 3 * HEAD_DIM)
        self.null, self.qb, self.opt = nn.Linear(size, 2), nn.Linear(size, 3), nn.Linear(size, 1)

    def encode(self, ids, types, mask):
        n = ids.shape[1]
        special = self.special(ids.clamp(max=SPECIAL - 1)) * (ids < SPECIAL - 1).unsqueeze(-1)
        x = self.norm(self.words(ids) + special + self.positions.weight[:n] + self.types(types))
        x = x.to(torch.bfloat16) if torch.is_autocast_enabled("cpu") else x
        mask = torch.where(mask, 0.0, -1e4).to(x.dtype)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def forward(self, ids, types, mask, markers, options):
        x = self.encode(ids, types, mask)
        pick = lambda at: torch.gather(x, 1, at.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        f = pick(markers)
        q = self.q(f).unflatten(-1, (3, HEAD_DIM)).transpose(1, 2)
        k = self.k(x).unflatten(-1, (3, HEAD_DIM)).transpose(1, 2)
        score = (q @ k.transpose(-1, -2)).float() / HEAD_DIM ** 0.5 + self.qb(f).float().transpose(1, 2).unsqueeze(-1)
        return score, self.null(f).float(), self.opt(pick(options)).squeeze(-1).float()


# Names in files are those of the Hugging Face BERT checkpoint, so that a base model loads and a trained one is readable.
def _file_names(layers):
    names = {"words.weight": "enc.embeddings.word_embeddings.weight",
             "positions.weight": "enc.embeddings.position_embeddings.weight",
             "types.weight": "enc.embeddings.token_type_embeddings.weight"}
    pairs = {"norm": "enc.embeddings.LayerNorm"}
    for n in range(layers):
        p = f"enc.encoder.layer.{n}."
        pairs |= {f"layers.{n}.out": p + "attention.output.dense", f"layers.{n}.norm1": p + "attention.output.LayerNorm",
                  f"layers.{n}.up": p + "intermediate.dense", f"layers.{n}.down": p + "output.dense",
                  f"layers.{n}.norm2": p + "output.LayerNorm"}
    pairs |= {h: h for h in ("q", "k", "null", "qb", "opt")}
    return names | {f"{a}.{s}": f"{b}.{s}" for a, b in pairs.items() for s in ("weight", "bias")}


def to_file(model, path, dtype=torch.float16):
    """Writes the weights as safetensors under their file names."""
    state, out, n = model.state_dict(), {}, model.config["num_hidden_layers"]
    state["words.weight"] = state["words.weight"].clone()
    state["words.weight"][:SPECIAL - 1] += state["special.weight"][:SPECIAL - 1]
    for ours, theirs in _file_names(n).items():
        out[theirs] = state[ours].to(dtype).contiguous()
    for i in range(n):
        for s in ("weight", "bias"):
            for part, t in zip(("query", "key", "value"), state[f"layers.{i}.qkv.{s}"].chunk(3)):
                out[f"enc.encoder.layer.{i}.attention.self.{part}.{s}"] = t.to(dtype).contiguous()
    save_file(out, path)


def from_file(model, path, prefix="enc."):
    """Loads a checkpoint written by to_file, or (prefix "") a plain BERT; heads absent from it keep their start values."""
    have, n, state = load_file(path), model.config["num_hidden_layers"], model.state_dict()
    have = {(k if prefix == "enc." else "enc." + k): v for k, v in have.items()}
    for ours, theirs in _file_names(n).items():
        if theirs in have:
            state[ours] = have[theirs].float()
        elif theirs.startswith("enc."):
            raise KeyError(f"{path} lacks {theirs}")
    for i in range(n):
        for s in ("weight", "bias"):
            state[f"layers.{i}.qkv.{s}"] = torch.cat(
                [have[f"enc.encoder.layer.{i}.attention.self.{p}.{s}"].float() for p in ("query", "key", "value")])
    state["special.weight"].zero_()
    model.load_state_dict(state)


def teach_breaks(model, known):
    """Weights from before there were breaks: each begins as the word piece `known`. A bar between lines and columns, never seen in
    training, already took the scalars of the business documents from 0.66 to 0.68."""
    with torch.no_grad():
        model.words.weight[list(BREAKS)] = model.words.weight[known].clone()
