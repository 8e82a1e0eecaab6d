"""Trains the model that ships: `make train`, or python train.py --help. Resumable: run it again and it goes on.

A run lives in one folder (--out): state.pt (weights, averaged weights, optimiser, clock), log.jsonl (one line a minute:
loss, held-out scores), curve.png (drawn from the log), model/ (averaged weights, fp16, ready for quantize.py and eval).
The schedule counts minutes of training, not steps: warm-up, constant, then linear decay from --decay-from of --minutes.
"""
import argparse
import json
import math
import os
import random
import shutil
import time
from pathlib import Path

import torch
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

import bases
import corpora
from encode import Encoder
from generator.noise import WRAPPED, wrap
from model import Extractor, from_file, teach_breaks, to_file
from reference import DEFAULTS

WARM_UP = 0.08  # of the time
INPUTS = ("ids", "types", "mask", "markers", "options")  # of Extractor.forward
DONORS = ("wikitables", "schemaorg", "xero_business_docs", "sgd_turns", "snips_commands", "xquad_en",
          "policy_qa", "infotabs_infobox", "grobid_citations", "jc_cli", "star_dialogues", "knowledgenet_bios")
# Running text of the same language around this share of the documents: windows are long where the model is used.
SURROUNDED = 0.2
PROSE = {"en": ("xquad_en", "policy_qa", "redocred", "wikigold", "cuad_clauses", "covid_qa", "geneva_events", "sgd_dialogues"),
         "de": ("xquad_de", "smartdata_de"), "es": ("xquad_es", "squad_es"), "it": ("squad_it",)}
# Where the processor has no bfloat16 products, they are emulated: measured fifteen times slower than float32.
MIXED = not {"avx512_bf16", "amx_bf16"}.isdisjoint(Path("/proc/cpuinfo").read_text().split())
LEAST_READ = 0.1  # a list's span that scores less is far from list_threshold
AVERAGE = 0.9985  # per step; the averaged weights are what ships (Izmailov et al. 2018 give the idea, arXiv:1803.05407)


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="../../shared/data", help="folder with train/, README.md, synonyms.json")
    p.add_argument("--out", default="runs/mini", help="the run's folder (default %(default)s)")
    p.add_argument("--mix", default="mix.json", help="shares of the sets; `generator` is the document generator")
    p.add_argument("--minutes", type=float, default=240, help="training time in all, resumed time counted in")
    p.add_argument("--decay-from", type=float, default=0.6, help="share of the time after which the rate falls")
    p.add_argument("--rate", type=float, default=1.2e-4, help="peak learning rate of the encoder; heads take four times it")
    p.add_argument("--tokens", type=int, default=5120, help="padded tokens a step and worker")
    p.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of one thread, gradients averaged; "
                   "1.7 times faster than one process of as many threads (default %(default)s)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--init", help="start from this model folder instead of a base encoder")
    p.add_argument("--base", choices=bases.NAMES, default="minilm", help="base encoder (default %(default)s)")
    p.add_argument("--layers", type=int, help="keep so many of the base's layers, evenly spaced (default: all)")
    p.add_argument("--bases", default="../build/bases", help="where `make train-bases` keeps them (default %(default)s)")
    return p.parse_args()


class Source:
    """Endless examples by the mixture's shares."""

    def __init__(self, args):
        mix = json.load(open(args.mix))
        shares = dict(mix)
        self.generator = None
        if shares.pop("generator", 0):
            from generator import Generator
            self.generator = Generator(args.seed)
        self.corpora = corpora.load(args.data, shares)
        self.donors = [self.corpora[n] for n in DONORS if n in self.corpora]
        self.prose = {lang: found for lang, names in PROSE.items()
                      if (found := [self.corpora[n] for n in names if n in self.corpora])}
        self.names = list(mix)
        self.weights = [mix[n] for n in self.names]

    def draw(self, rng):
        name = rng.choices(self.names, self.weights)[0]
        if name == "generator":
            return self._surrounded(self.generator.example(), rng)
        example = self.corpora[name].draw(rng)
        if not example:
            return None
        if rng.random() < 0.35:
            corpora.add_absent(example, self.donors, rng)
        example = self._surrounded(example, rng)
        if rng.random() < WRAPPED:
            example["text"] = wrap(rng, example["text"], example["fields"])
        return example

    def _surrounded(self, example, rng):
        prose = self.prose.get(example["lang"])
        return corpora.surround(example, prose, rng) if prose and rng.random() < SURROUNDED else example


def batches(source, encoder, rng, budget):
    """Lists of encoded examples of like length, at most `budget` padded tokens each."""
    while True:
        pool = []
        while len(pool) < 256:
            example = source.draw(rng)
            window = rng.choices((192, 320, 512), (2, 3, 4))[0]
            one = encoder.encode(example, rng, window) if example else None
            if one:
                pool.append(one)
        pool.sort(key=lambda e: len(e["ids"]))
        out, batch = [], []
        for e in pool:
            if batch and len(e["ids"]) * (len(batch) + 1) > budget:
                out.append(batch)
                batch = []
            batch.append(e)
        out.append(batch)
        rng.shuffle(out)
        yield from out


def collate(batch):
    b, n = len(batch), max(len(e["ids"]) for e in batch)
    f = max(len(e["fields"]) for e in batch)
    o = max(1, max(sum(len(x["options"]) for x in e["fields"]) for e in batch))
    t = {"ids": torch.zeros(b, n, dtype=torch.long), "types": torch.ones(b, n, dtype=torch.long),
         "mask": torch.zeros(b, n, dtype=torch.bool), "markers": torch.zeros(b, f, dtype=torch.long),
         "options": torch.zeros(b, o, dtype=torch.long), "document": torch.zeros(b, n, dtype=torch.bool),
         "scalar": torch.zeros(b, f, dtype=torch.bool), "list": torch.zeros(b, f, dtype=torch.bool),
         "target": torch.zeros(b, 3, f, n)}
    spans = []  # (example, field, first, last piece)
    enums = []  # (example, field, [option indices], answer or None)
    for i, e in enumerate(batch):
        n_ids, at = len(e["ids"]), 0
        t["ids"][i, :n_ids] = torch.tensor(e["ids"])
        t["types"][i, :e["first"]] = 0
        t["mask"][i, :n_ids] = True
        t["document"][i, e["first"]:n_ids - 1] = True
        for k, x in enumerate(e["fields"]):
            t["markers"][i, k] = x["marker"]
            for a, z in x["tokens"]:
                spans.append((i, k, a, z))
                t["target"][i, 0, k, a] = t["target"][i, 1, k, z] = 1
                t["target"][i, 2, k, a:z + 1] = 1
            if x["kind"] == "enum":
                here = list(range(at, at + len(x["options"])))
                at += len(here)
                t["options"][i, here] = torch.tensor(x["options"])
                # An answer whose evidence fell outside the window can not be known from it.
                lost = x["answer"] is not None and x["spans"] and not x["tokens"]
                enums.append((i, k, here, None if lost else x["answer"]))
                t["scalar"][i, k] = bool(x["tokens"])
            else:
                t["list" if x["kind"] == "list" else "scalar"][i, k] = True
    t["spans"] = torch.tensor(spans, dtype=torch.long).view(-1, 4)
    return t, enums


def spans_of(fields, spans):
    """Of spans, N x 4 of example, field, first and last piece, those of `fields` (B x F, true for some), these counted through: M x 3."""
    row = fields.flatten().cumsum(0).view_as(fields) - 1
    i, k, first, last = spans.unbind(-1)
    return torch.stack([row[i, k], first, last], -1)[fields[i, k]]


def span_loss(start, end, inside, null, spans):
    """-log of the probability of any right span among all spans of a field and null, scored as reference.scalar_spans does.

    start, end, inside: S x L logits of S fields, start and end masked outside the document; null: S x 2; spans: N x 3 of field,
    first and last piece. Fields without a span have null for answer; those whose spans are all too long to be read are left out.
    The joint term of the compound objective of Fajcik et al. 2021 (arXiv:2008.12804), which finds more exact spans.
    """
    longest, weight = DEFAULTS["max_span"], DEFAULTS["inside_weight"]
    count, length = start.shape
    within = weight * F.logsigmoid(inside).cumsum(-1)  # of the pieces up to and with each
    begin = start - F.pad(within, (1, 0))[:, :-1]
    table = begin.unsqueeze(-1) + F.pad(end + within, (0, longest - 1), value=-1e4).unfold(-1, longest, 1)  # S x L x longest
    none = null.sum(-1)
    every = torch.logsumexp(torch.cat([none.unsqueeze(-1), table.flatten(1)], -1), -1)
    field, first, last = spans.unbind(-1)
    short = last - first < longest
    absent = torch.ones(count, dtype=torch.bool)
    absent[field] = False
    known = absent.clone()
    known[field[short]] = True
    rows = torch.cat([field[short], absent.nonzero().squeeze(-1)])
    right = torch.cat([table[field[short], first[short], (last - first)[short]], none[absent]])
    best = torch.full((count,), -1e9).scatter_reduce(0, rows, right.detach(), "amax")
    total = torch.zeros(count).index_add(0, rows, torch.exp(right - best[rows]))
    return (every[known] - best[known] - total[known].log()).sum() / max(1, count)


def list_loss(start, end, inside, spans):
    """-log of the scores of the right spans and of one less the scores of the wrong ones that reference.list_spans might read.

    start, end, inside: S x L logits of S fields, start and end masked outside the document; spans: N x 3 of field, first and last
    piece. A span's score is the cube root of its start, its end and its least inside. Wrong is the best span of each start if it
    scores LEAST_READ, is not right and meets no right one that scores more, which would be read in its place.
    """
    longest = DEFAULTS["max_span"] + 1
    start, end, inside = (F.logsigmoid(x.float()) for x in (start, end, inside))
    least = F.pad(inside, (0, longest - 1), value=-1e4).unfold(-1, longest, 1).cummin(-1).values  # S x L x longest
    table = (start.unsqueeze(-1) + F.pad(end, (0, longest - 1), value=-1e4).unfold(-1, longest, 1) + least) / 3
    spans = spans[spans[:, 2] - spans[:, 1] < longest]
    field, first, last = spans.unbind(-1)
    right = table[field, first, last - first]
    best, more = table.max(-1)
    f, a = (best > math.log(LEAST_READ)).nonzero().unbind(-1)
    b, wrong = a + more[f, a], best[f, a]
    meets = (f[:, None] == field) & (a[:, None] <= last) & (b[:, None] >= first)
    same = meets & (a[:, None] == first) & (b[:, None] == last)
    counts = ~(same | meets & (right > wrong[:, None])).any(-1)
    return -(right.sum() + torch.log1p(-torch.exp(wrong[counts].clamp(max=-1e-4))).sum()) / max(1, len(start))


def loss_of(score, null, option, t, enums):
    """Scalars: half of -log of the probability of any right start and of any right end, null one of the choices, and span_loss.
    Lists: binary cross-entropy for start, end and inside, and list_loss. Enums: cross-entropy over null and the options."""
    inside_document = t["document"][:, None, :]
    masked = score.masked_fill(~inside_document.unsqueeze(1), -1e4)
    scalars, lists = t["scalar"], t["list"]
    total = score.sum() * 0
    if scalars.any():
        for c in (0, 1):
            logp = F.log_softmax(torch.cat([null[:, :, c:c + 1], masked[:, c]], -1)[scalars], -1)
            y = t["target"][:, c][scalars]
            want = torch.cat([(y.sum(-1, keepdim=True) == 0).float(), y], -1)
            total = total - torch.logsumexp(logp.masked_fill(want == 0, -1e4), -1).mean() / 2
        total = total + span_loss(masked[:, 0][scalars], masked[:, 1][scalars], score[:, 2][scalars], null[scalars],
                                  spans_of(scalars, t["spans"]))
    binary = F.binary_cross_entropy_with_logits(score, t["target"], reduction="none")
    if lists.any():
        w = (inside_document & lists.unsqueeze(-1)).unsqueeze(1)
        total = total + (binary * w).sum() / lists.sum() / 15
        total = total + list_loss(masked[:, 0][lists], masked[:, 1][lists], score[:, 2][lists], spans_of(lists, t["spans"])) / 8
    every = scalars | lists
    w = inside_document & every.unsqueeze(-1)
    total = total + (binary[:, 2] * w).sum() / every.sum() / 12
    if enums:
        each = [F.cross_entropy(torch.cat([null[i, k, :1], option[i, at]]).unsqueeze(0),
                                torch.tensor([0 if answer is None else answer + 1])) for i, k, at, answer in enums]
        total = total + torch.stack(each).mean() * min(1.0, len(enums) / 4)
    return total


class HeldOut:
    """Fixed examples no step ever sees: the fiftieth lines of each set, and the generator under a seed of its own."""

    def __init__(self, source, encoder, budget):
        rng, examples = random.Random(11), []
        for corpus in source.corpora.values():
            examples += corpus.held_out(6)
        if source.generator:
            from generator import Generator
            other = Generator(987654321)
            examples += [other.example() for _ in range(250)]
        coded = [e for e in (encoder.encode(x, rng, 320) for x in examples) if e]
        coded.sort(key=lambda e: len(e["ids"]))
        size = max(1, budget // 320)
        self.batches = [coded[i:i + size] for i in range(0, len(coded), size)]

    @torch.no_grad()
    def scores(self, model):
        """{"held_out_loss", "held_out_exact"}: the second is the share of scalar fields whose start and end are both right."""
        model.eval()
        loss = right = count = 0
        for batch in self.batches:
            t, enums = collate(batch)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=MIXED):
                score, null, option = model(*(t[name] for name in INPUTS))
            loss += loss_of(score, null, option, t, enums).item()
            hit = t["scalar"].clone()
            for c in (0, 1):
                masked = score[:, c].masked_fill(~t["document"][:, None], -1e4)
                pick = torch.cat([null[:, :, c:c + 1], masked], -1).argmax(-1, keepdim=True)
                y = t["target"][:, c]
                want = torch.cat([(y.sum(-1, keepdim=True) == 0).float(), y], -1)
                hit &= want.gather(-1, pick).squeeze(-1) > 0
            right += int(hit.sum())
            count += int(t["scalar"].sum())
        return {"held_out_loss": round(loss / len(self.batches), 4), "held_out_exact": round(right / max(1, count), 4)}


class Run:
    """The state of a training run and what it writes."""

    def __init__(self, args):
        self.args = args
        os.makedirs(os.path.join(args.out, "model"), exist_ok=True)
        folder = args.init or bases.folder(args.base, args.bases, args.layers)
        config = json.load(open(os.path.join(folder, "config.json")))
        keep = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                "max_position_embeddings", "vocab_size")
        self.config = {k: config[k] for k in keep}
        self.model = Extractor(self.config)
        from_file(self.model, os.path.join(folder, "model.safetensors"), "enc." if args.init else "")
        if not config.get("breaks"):
            teach_breaks(self.model, Encoder().tokenizer.token_to_id("|"))
        enc = [p for n, p in self.model.named_parameters() if n.startswith(("layers", "norm", "positions", "types"))]
        head = [p for n, p in self.model.named_parameters() if n.startswith(("q", "k", "null", "opt", "special"))]
        self.optimiser = torch.optim.AdamW([{"params": enc, "base": args.rate}, {"params": head, "base": 4 * args.rate}],
                                           lr=args.rate, weight_decay=0.01, fused=True)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.average = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}
        self.step = self.seconds = self.tokens = self.examples = 0
        self.loss = None
        path = os.path.join(args.out, "state.pt")
        if os.path.exists(path):
            s = torch.load(path)
            self.model.load_state_dict(s["model"])
            self.optimiser.load_state_dict(s["optimiser"])
            for g, base in zip(self.optimiser.param_groups, (args.rate, 4 * args.rate)):
                g["base"] = base
            self.average = s["average"]
            self.step, self.seconds, self.tokens, self.examples = s["clock"]
            print(f"resumed at step {self.step}, {self.seconds / 60:.1f} minutes", flush=True)

    def rate(self):
        f = self.seconds / 60 / self.args.minutes
        fall = 1 if f < self.args.decay_from else max(0.02, (1 - f) / (1 - self.args.decay_from))
        return min(1, f / WARM_UP) * fall

    def train_step(self, batch, team):
        for g in self.optimiser.param_groups:
            g["lr"] = g["base"] * self.rate()
        t, enums = collate(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=MIXED):
            out = self.model(*(t[name] for name in INPUTS))
        loss = loss_of(*out, t, enums)
        loss.backward()
        team.average(self.trained)
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += int(t["mask"].sum()) * team.size
        self.examples += len(batch) * team.size
        value = loss.item()
        self.loss = value if self.loss is None else 0.98 * self.loss + 0.02 * value
        if team.rank == 0 and self.step % 4 == 0:
            keep = min(AVERAGE ** 4, (1 + self.step) / (40 + self.step))
            with torch.no_grad():
                for n, p in self.model.named_parameters():
                    if p.requires_grad:
                        self.average[n].lerp_(p, 1 - keep)

    def save(self):
        path = os.path.join(self.args.out, "state.pt")
        torch.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average,
                    "clock": (self.step, self.seconds, self.tokens, self.examples)}, path + ".new")
        os.replace(path + ".new", path)
        averaged = self.averaged()
        folder = os.path.join(self.args.out, "model")
        to_file(averaged, os.path.join(folder, "model.safetensors"))
        shutil.copy(os.path.join(bases.packaged(), "vocab.txt"), folder)
        write_config(self.config, os.path.join(folder, "config.json"))

    def averaged(self):
        model = Extractor(self.config)
        model.load_state_dict({**self.model.state_dict(), **self.average})
        return model

    def log(self, **more):
        line = {"minutes": round(self.seconds / 60, 2), "step": self.step, "tokens": self.tokens,
                "examples": self.examples, "loss": round(self.loss or 0, 4), **more}
        with open(os.path.join(self.args.out, "log.jsonl"), "a") as f:
            f.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def write_config(encoder, path):
    """config.json as the engine reads it (format 2); constants are those of encode.py and reference.py."""
    with open(path, "w") as f:
        json.dump({"architecture": "bert-encoder-span-pointer", **encoder, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
                   "head_dim": 192, "lowercase": True, **DEFAULTS}, f, indent=1)


class Team:
    """The workers of one run: each has the whole model and its own examples; gradients are averaged in shared memory."""

    def __init__(self, size, count):
        self.size, self.rank = size, 0
        self.gradients = torch.zeros(size, count).share_memory_()
        self.seconds = torch.zeros(1, dtype=torch.float64).share_memory_()
        self.barrier = multiprocessing.get_context("spawn").Barrier(size, timeout=600)  # seconds; far more than a step

    def average(self, parameters):
        if self.size == 1:
            return
        mine, at = self.gradients[self.rank], 0
        for p in parameters:
            n = p.numel()
            mine[at:at + n].zero_() if p.grad is None else mine[at:at + n].copy_(p.grad.view(-1))
            at += n
        self.barrier.wait()
        mean = self.gradients.mean(0)
        self.barrier.wait()
        at = 0
        for p in parameters:
            n = p.numel()
            p.grad = mean[at:at + n].view_as(p)
            at += n


def work(rank, args, team):
    """One worker. The first keeps the clock, the averaged weights, the log and the files."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    team.rank = rank
    run, encoder = Run(args), Encoder()
    args.seed += 1000 * run.step + rank  # a resumed run, and each worker, draws examples of its own
    rng, source = random.Random(args.seed), Source(args)
    held_out = HeldOut(source, encoder, args.tokens) if rank == 0 else None
    team.seconds[0] = run.seconds
    parent = os.getppid()
    last = saved = time.monotonic()
    for batch in batches(source, encoder, rng, args.tokens):
        run.train_step(batch, team)
        now = time.monotonic()
        if rank == 0:
            team.seconds[0] += min(now - last, 60)
        last = now
        team.barrier.wait()  # all read the same clock, so that all stop after the same step
        run.seconds = float(team.seconds[0])
        done = run.seconds >= args.minutes * 60
        if os.getppid() != parent:  # killed: a worker on its own would go on, and write over the next run
            return
        if rank == 0 and run.step % 50 == 0:
            run.log()
        if rank == 0 and (now - saved > 540 or done):
            run.save()
            run.log(**held_out.scores(run.averaged()))
            last = saved = time.monotonic()
        if done:
            break


def main():
    args = options()
    run = Run(args)
    team = Team(args.workers, sum(p.numel() for p in run.trained))
    del run
    multiprocessing.spawn(work, (args, team), nprocs=args.workers)


if __name__ == "__main__":
    main()
