#!/usr/bin/env python3
"""Documents of ours, asked with shots by lm-evaluation-harness itself: make.py > requests.json

Needs lm_eval (seen: 0.4.13), no network, no model. The splits are each definition's own: which of them shots come from, and whether the document
that is asked is left out, hangs on which it has.
"""
import hashlib, json, logging, os, pathlib, sys, tempfile

os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = tempfile.mkdtemp()
import datasets
import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml
from transformers.utils.chat_template_utils import render_jinja_template

logging.disable(logging.WARNING)
datasets.disable_progress_bars()

TASKS = pathlib.Path(lm_eval.__file__).parent / "tasks"
CHATML = json.loads((pathlib.Path(__file__).parent.parent / "chat-templates" / "renderings.json").read_text(encoding="utf-8"))["templates"]["chatml"]
SEED = 1234
SHOTS = (0, 1, 5, 25)
CHAT = {"0": (0, True), "5": (5, True), "5 in one turn": (5, False)}  # shots, fewshot_as_multiturn
SYSTEM = "Be brief."
ASKED = 8
POOL = 30

PEOPLE = ["Ann", "Борис", "Zoë", "李雷", "Óscar", "Mary-Jane", "D'Arcy", "Ümit", "Nguyễn", "Bob"]
THINGS = ["kettle", "violin", "ladder", "map\u00a0case", "lamp", "rope", "bowl", "wheel", "é́clair", "tent", "\U0001f600 mask"]
PLACES = ["in the barn", "by the river", "on Mount Ω", "at  home", "under the [old] bridge", "near Łódź", "inside"]
DEEDS = ["carried", "painted", "sold", "hid", "mended", "borrowed", "weighed", "İnspected"]


def of(words, i, step=1):
    return words[i * step % len(words)]


def fact(i):
    return f"{of(PEOPLE, i)} {of(DEEDS, i, 3)} the {of(THINGS, i, 7)} {of(PLACES, i, 5)}"


def science(i, key):
    n = 3 + i % 3
    labels = list("ABCDE")[:n] if i % 2 else list("12345")[:n]
    return {"id": f"s{i}", key: f"Why was it that {fact(i)}?", "choices": {"text": [f"{of(THINGS, i + k, 3)} {k}" for k in range(n)], "label": labels},
            "answerKey": labels[i % n]}


def hellaswag(i):
    return {"ind": i, "activity_label": f"[header] Task {i}", "ctx_a": fact(i) + ".", "ctx_b": "then HE" if i % 3 else "", "ctx": "unused",
            "endings": [f"[substeps] takes the {of(THINGS, i + k)}  away." for k in range(4)], "source_id": f"x~{i}", "split": "t", "split_type": "i",
            "label": str(i % 4)}


def wsc(i):
    pronoun = ("he", "she", "his", "They")[i % 4]
    before = f"{of(PEOPLE, i)} told {of(PEOPLE, i + 1)} of the {of(THINGS, i)} number {i}."[: None if pronoun == "They" else -1] + " "
    return {"text": f"{before}{pronoun} had found it {of(PLACES, i)}.", "pronoun": pronoun, "pronoun_loc": len(before), "quote": "", "quote_loc": 0,
            "options": [f"The {of(THINGS, i)}", of(PEOPLE, i + 1)], "label": i % 2, "source": f"s{i}"}


def story(i):
    return {"story_id": f"st{i}", "input_sentence_1": fact(i) + ".", "input_sentence_2": fact(i + 1) + ".", "input_sentence_3": f" It was day {i}.",
            "input_sentence_4": fact(i + 2) + ".", "sentence_quiz1": f"{of(PEOPLE, i)} slept.", "sentence_quiz2": f" {of(PEOPLE, i, 3)} sang.",
            "answer_right_ending": 1 + i % 2}


def winogrande(i):
    tail = "" if i % 7 == 3 else f" was too heavy to move {of(PLACES, i)}."  # an empty answer has no delimiters in a shot
    return {"sentence": f"{fact(i)}, since the _{tail}", "option1": of(THINGS, i), "option2": of(THINGS, i + 3), "answer": str(1 + i % 2)}


DOCS = {
    "arc_challenge": ("arc/arc_challenge.yaml", lambda i: science(i, "question")),
    "arc_easy": ("arc/arc_easy.yaml", lambda i: science(i + 100, "question")),
    "boolq": ("super_glue/boolq/default.yaml", lambda i: {"question": f"did {of(PEOPLE, i)} do it", "passage": f"{fact(i)}.\n{fact(i + 4)}.", "idx": i, "label": i % 2}),
    "copa": ("super_glue/copa/default.yaml", lambda i: {"premise": fact(i) + ". ", "choice1": f"It was {of(PLACES, i)}.", "choice2": f"{of(PEOPLE, i)} was late.",
                                                        "question": ("cause", "effect")[i % 2], "idx": i, "label": i // 2 % 2}),
    "hellaswag": ("hellaswag/hellaswag.yaml", hellaswag),
    "lambada_openai": ("lambada/lambada_openai.yaml", lambda i: {"text": f"{fact(i)} because of the {of(THINGS, i + 1)}"}),
    "logiqa": ("logiqa/logiqa.yaml", lambda i: {"label": f"{'abcd'[i % 4]}\n", "context": fact(i) + ".", "question": f"What of {i}?", "options": [f"{of(THINGS, i + k)}" for k in range(4)]}),
    "commonsense_qa": ("commonsense_qa/default.yaml", lambda i: {"id": f"c{i}", "question": f" Where did {fact(i)}? ", "question_concept": "c", "choices": {
        "label": list("ABCDE"), "text": [f"{of(THINGS, i + k)}" for k in range(5)]}, "answerKey": "ABCDE"[i % 5]}),
    "lambada_standard": ("lambada/lambada_standard.yaml", lambda i: {"text": f"{fact(i)} , because of the {of(THINGS, i + 1)}"}),
    "mmlu_anatomy": ("mmlu/default/mmlu_anatomy.yaml", lambda i: {"question": f" What of {fact(i)}?\n", "subject": "anatomy", "choices": [f"{of(THINGS, i + k)}" for k in range(4)],
                                                                  "answer": i % 4}),
    "openbookqa": ("openbookqa/openbookqa.yaml", lambda i: science(i + 200, "question_stem")),
    "piqa": ("piqa/piqa.yaml", lambda i: {"goal": f"Keep the {of(THINGS, i)} dry {of(PLACES, i)}", "sol1": f"Cover it {i} times", "sol2": f" Leave it to {of(PEOPLE, i)}\n", "label": i // 3 % 2}),
    "social_iqa": ("siqa/siqa.yaml", lambda i: {"context": fact(i) + ".", "question": "Why?", "answerA": of(PLACES, i), "answerB": f"{i} times", "answerC": of(PEOPLE, i), "label": str(1 + i % 3)}),
    "sciq": ("sciq/sciq.yaml", lambda i: {"question": f"What did {fact(i)}?", "distractor3": of(THINGS, i), "distractor1": of(THINGS, i + 1), "distractor2": of(PEOPLE, i),
                                          "correct_answer": f"{of(DEEDS, i)} {i}", "support": "" if i % 4 == 1 else f"\u00a0 {fact(i + 1)}. "}),
    "storycloze_2016": ("storycloze/storycloze_2016.yaml", story),
    "winogrande": ("winogrande/default.yaml", winogrande),
    "wsc273": ("wsc273/default.yaml", wsc),
    "xstorycloze_ru": ("xstorycloze/default_ru.yaml", story),
}

# Definitions that draw from the split they ask: the document is left out, its copies too.
OWN = {
    "leaves_itself_out": {"test_split": "test", "fewshot_split": "test"},
    "first_n_but_itself": {"test_split": "test", "fewshot_split": "test", "fewshot_config": {"sampler": "first_n"}},
    "first_n": {"test_split": "test", "fewshot_split": "train", "fewshot_config": {"sampler": "first_n"}},
}
COPIES = 6  # of each document in a pool of 42: most draws of 25 meet some


def chatml(messages, add_generation_prompt):
    return render_jinja_template([messages], chat_template=CHATML, add_generation_prompt=add_generation_prompt)[0][0]


def sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def asked(config, docs):
    splits = {k: v for k, v in docs.items() if v}
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for split, rows in splits.items():
            files[split] = str(pathlib.Path(folder) / f"{split}.jsonl")
            pathlib.Path(files[split]).write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in rows), encoding="utf-8")
        config = dict(config, dataset_path="json", dataset_kwargs={"data_files": files})
        answers = {}
        for shots in SHOTS:
            task = ConfigurableTask(config=dict(config, num_fewshot=shots))
            task.set_fewshot_seed(seed=SEED)  # evaluator.py does it with its fewshot_random_seed
            task.build_all_requests(limit=ASKED, rank=0, world_size=1)
            rows = []
            for i, doc in enumerate(task.eval_docs):
                if i == ASKED:
                    break
                requests = [list(x.args) for x in task.instances if x.doc_id == i]
                row = {"prompt_hash": sha256(requests[0][0]), "requests": sha256("\0".join(t for r in requests for t in r))}
                if shots == 0:
                    row["doc_hash"] = sha256(json.dumps(doc, indent=2, ensure_ascii=False))
                    row["target_hash"] = sha256(str(task.doc_to_target(doc)))
                if shots == 1 and i == 0:
                    row["context"] = requests[0][0]
                rows.append(row)
            answers[str(shots)] = rows
        chat = {}
        for name, (shots, multiturn) in CHAT.items():
            task = ConfigurableTask(config=dict(config, num_fewshot=shots))
            task.set_fewshot_seed(seed=SEED)
            task.build_all_requests(limit=ASKED, rank=0, world_size=1, apply_chat_template=True, fewshot_as_multiturn=multiturn,
                                    system_instruction=SYSTEM, chat_template=chatml)
            chat[name] = [sha256("\0".join(t for x in task.instances if x.doc_id == i for t in x.args)) for i in range(ASKED)]
    return answers, chat


golden = {}
for name, (definition, write) in DOCS.items():
    config = load_yaml(TASKS / definition)
    for key in ("dataset_name", "tag", "task_alias", "should_decontaminate", "doc_to_decontamination_query"):
        config.pop(key, None)
    items = [write(i) for i in range(ASKED)]
    pool = [write(i + ASKED) for i in range(POOL)]
    evaluated = config.get("test_split") or config["validation_split"]
    source = config.get("fewshot_split") or config.get("training_split") or config.get("validation_split") or config["test_split"]
    if source == evaluated:
        items, pool = items + pool, None
    docs = {evaluated: items, source: pool or items}
    for split in (config.get("validation_split"),):
        docs.setdefault(split, items[:1])
    docs.pop(None, None)
    shots, chat = asked(dict(config, task=name), docs)
    golden[name] = {"items": items, "pool": pool, "shots": shots, "chat": chat}

base = load_yaml(TASKS / "piqa/piqa.yaml")
for key in ("dataset_name", "tag", "task_alias", "should_decontaminate", "doc_to_decontamination_query", "training_split", "validation_split", "test_split"):
    base.pop(key, None)
own = {}
for name, splits in OWN.items():
    items = [DOCS["piqa"][1](i % 7) for i in range(7 * COPIES)] if name == "leaves_itself_out" else [DOCS["piqa"][1](i) for i in range(POOL)]
    pool = [DOCS["piqa"][1](i + POOL) for i in range(POOL)] if splits["fewshot_split"] == "train" else None
    shots, chat = asked(dict(base, task=name, **splits), {"test": items, "train": pool})
    own[name] = {"items": items, "pool": pool, "shots": shots, "chat": chat}


def lines(answers):
    return ",\n".join(json.dumps(name) + ":" + json.dumps(answer, ensure_ascii=False, separators=(",", ":")) for name, answer in answers.items())


print('{"lm_eval_version":"%s","seed":%d,"tasks":{\n%s},"own":{\n%s}}' % (lm_eval.__version__, SEED, lines(golden), lines(own)))
