#!/usr/bin/env python3
"""Items of ours where Hugging Face's tools leave them, and lm-evaluation-harness's hashes of them: make.py, in this folder

Needs lm_eval (seen: 0.4.13), datasets (5.2.0) and pyarrow (26.0.1); no network. Writes beside itself:

cache/     what load_dataset leaves in the datasets cache, shards and dataset_info.json included
saved/     what save_to_disk leaves of a DatasetDict
hub/       the Parquet files of a repository on the Hub
types.*    every type of column that a benchmark has, as an Arrow stream, an Arrow file, Parquet and JSON lines
hashes.json
"""
import hashlib, json, os, pathlib, shutil, tempfile

os.environ["HF_DATASETS_OFFLINE"] = "1"
import datasets
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

HERE = pathlib.Path(__file__).parent
PIQA = [{"goal": "Boil water", "sol1": "Use a kettle.", "sol2": "Use a \u00a0fridge.", "label": 0}, {"goal": "\U0001f600 e\u0301", "sol1": "\u2028", "sol2": "x" * 300, "label": 1},
        {"goal": "Stra\u00dfe", "sol1": "links", "sol2": "rechts", "label": 1}]
TEST = [dict(doc, label=-1) for doc in PIQA]
FEATURES = datasets.Features({"goal": datasets.Value("string"), "sol1": datasets.Value("string"), "sol2": datasets.Value("string"), "label": datasets.ClassLabel(names=["0", "1"])})


def doc_hash(doc):
    return hashlib.sha256(json.dumps(doc, indent=2, ensure_ascii=False).encode()).hexdigest()


for folder in ("cache", "saved", "hub"):
    shutil.rmtree(HERE / folder, ignore_errors=True)
with tempfile.TemporaryDirectory() as temporary:
    source = pathlib.Path(temporary) / "toy"
    source.mkdir()
    for split, docs in (("validation", PIQA), ("test", TEST)):
        (source / f"{split}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    loaded = datasets.load_dataset("json", data_files={s: str(source / f"{s}.jsonl") for s in ("validation", "test")}, features=FEATURES, cache_dir=f"{temporary}/cache")
    (left,) = pathlib.Path(f"{temporary}/cache/json").glob("*/*/*/dataset_info.json")
    (HERE / "cache").mkdir()
    for file in left.parent.glob("json-*.arrow"):
        shutil.copyfile(file, HERE / "cache" / file.name.replace("json-", "piqa-"))
    info = json.loads(left.read_text())
    for key in ("download_checksums", "download_size", "dataset_size", "size_in_bytes"):
        info.pop(key, None)
    info.update(builder_name="parquet", dataset_name="piqa", config_name="plain_text")
    (HERE / "cache" / "dataset_info.json").write_text(json.dumps(info))
    loaded.save_to_disk(HERE / "saved")
    (HERE / "hub").mkdir()
    for split in loaded:
        loaded[split].to_parquet(HERE / "hub" / f"{split}-00000-of-00001.parquet")
    hashes = [doc_hash(doc) for doc in loaded["validation"]]

TYPES = [{"text": "caf\u00e9", "large": "\U0001f600", "n": 3, "big": 2**40, "small": -5, "share": 0.1, "yes": True, "words": ["a", "\u00a0"], "numbers": [1, 2], "nested": {"text": ["x", "y"], "n": 1},
          "objects": [{"label": "A", "text": "p"}, {"label": "B", "text": "q"}], "kind": "red", "nothing": None},
         {"text": "", "large": "", "n": 0, "big": -1, "small": 127, "share": -2.5, "yes": False, "words": [], "numbers": [], "nested": {"text": [], "n": 0}, "objects": [], "kind": "blue", "nothing": None},
         {"text": None, "large": None, "n": None, "big": None, "small": None, "share": None, "yes": None, "words": None, "numbers": [None, 7], "nested": {"text": ["z"], "n": None}, "objects": [{"label": None, "text": "r"}],
          "kind": "red", "nothing": None}]
SCHEMA = pa.schema([("text", pa.string()), ("large", pa.large_string()), ("n", pa.int32()), ("big", pa.int64()), ("small", pa.int8()), ("share", pa.float64()), ("yes", pa.bool_()), ("words", pa.list_(pa.string())),
                    ("numbers", pa.large_list(pa.int64())), ("nested", pa.struct([("text", pa.list_(pa.large_string())), ("n", pa.int64())])),
                    ("objects", pa.list_(pa.struct([("label", pa.string()), ("text", pa.string())]))), ("kind", pa.dictionary(pa.int8(), pa.string())), ("nothing", pa.null())])
table = pa.Table.from_pylist(TYPES, schema=SCHEMA)
with pa.OSFile(str(HERE / "types-stream.arrow"), "wb") as out, pa.ipc.new_stream(out, SCHEMA) as writer:
    for i in range(len(TYPES)):
        writer.write_table(table.slice(i, 1))
with pa.OSFile(str(HERE / "types-file.arrow"), "wb") as out, pa.ipc.new_file(out, SCHEMA) as writer:
    writer.write_table(table)
pa.parquet.write_table(table.drop_columns(["nothing"]), HERE / "types.parquet")
(HERE / "types.jsonl").write_text("".join(json.dumps(row) + "\n" for row in TYPES))
(HERE / "hashes.json").write_text(json.dumps({"piqa": hashes, "types": [doc_hash(row) for row in table.to_pylist()]}, indent=1) + "\n")
