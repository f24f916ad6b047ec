#!/usr/bin/env python3
"""The definitions beside this and the documents of docs.json, asked by lm-evaluation-harness itself: make.py > requests.json

Needs lm_eval (seen: 0.4.13) and transformers (seen: 5.24), no network, no model. Definitions and documents are ours.
"""
import hashlib, json, os, pathlib, sys, tempfile

os.environ["HF_DATASETS_OFFLINE"] = "1"
import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).parent
CHAT = json.loads((HERE.parent / "chat-templates" / "renderings.json").read_text(encoding="utf-8"))
SYSTEM = "Be brief."


def chatml(messages, add_generation_prompt):
    return render_jinja_template([messages], chat_template=CHAT["templates"]["chatml"], add_generation_prompt=add_generation_prompt)[0][0]


def requests(task, **options):
    task.build_all_requests(limit=None, rank=0, world_size=1, **options)
    return [[list(x.args) for x in task.instances if x.doc_id == i] for i, _ in enumerate(task.eval_docs)]


def sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


golden = {}
with tempfile.TemporaryDirectory() as folder:
    for name, docs in json.loads((HERE / "docs.json").read_text(encoding="utf-8")).items():
        data = pathlib.Path(folder) / f"{name}.jsonl"
        data.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in docs), encoding="utf-8")
        config = load_yaml(HERE / f"{name}.yaml")
        for key in ("dataset_name", "training_split", "fewshot_split"):
            config.pop(key, None)
        config.update(dataset_kwargs={"data_files": {"validation": str(data)}})
        task = ConfigurableTask(config=config)
        plain = requests(task)
        chat = requests(task, apply_chat_template=True, system_instruction=SYSTEM, fewshot_as_multiturn=True, chat_template=chatml)
        told = requests(task, system_instruction=SYSTEM)
        rows = []
        for i, doc in enumerate(task.eval_docs):
            arguments = plain[i]
            target = task.doc_to_target(doc)
            choices = task.doc_to_choice(doc) if task.config.doc_to_choice is not None else None
            gold = task.doc_to_text(doc) if task.multiple_input else target
            gold = choices.index(gold) if choices and isinstance(gold, str) else gold if choices else None
            rows.append({"requests": arguments, "chat": chat[i], "told": told[i], "target": str(target), "gold": gold, "lengths": choices and [len(c) for c in choices],
                         "doc_hash": sha256(json.dumps(doc, indent=2, ensure_ascii=False)), "prompt_hash": sha256(arguments[0][0]), "target_hash": sha256(str(target))})
        golden[config["task"]] = {"docs": name, "rows": rows}
json.dump({"lm_eval_version": lm_eval.__version__, "tasks": golden}, sys.stdout, indent=1)
print()
