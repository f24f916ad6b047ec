#!/usr/bin/env python3
"""Documents of ours in the forms of the larger benchmarks, asked and counted by lm-evaluation-harness itself:
make.py > requests.json

Needs lm_eval (seen: 0.4.13), no network, no model. Every text is put together from TEXTS, which go to the corners of Unicode and of
Python's literals on purpose; log-likelihoods are drawn, so that process_results can be compared too.
"""
import hashlib, json, os, pathlib, random, sys, tempfile

os.environ["HF_DATASETS_OFFLINE"] = "1"
import lm_eval
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

TASKS = pathlib.Path(lm_eval.__file__).parent / "tasks"
TEXTS = ["The kettle is hot.", " two  spaces ", "it's", 'a "quoted" word', "both ' and \"", "caf\u00e9", "e\u0301", "\U0001f600 \U0001f1eb\U0001f1ee", "\u00a0no break",
         "line\nfeed", "tab\there", "\u2028separated\u2029", "\u3000wide\u3000", "back\\slash \\n", "{{braces}} {% x %}", "\u0130stanbul", "\ufeffmark", "1", "0.50",
         "a ) b , c", "\u202eright to left", "Stra\u00dfe", "x" * 70, "\u0007bell", "None", "[1, 2]", "ends in a colon:", "\ud55c\uad6d\uc5b4", "\u0e44\u0e17\u0e22", "& <b>"]
rnd = random.Random(24)


def text():
    return " ".join(rnd.choice(TEXTS) for _ in range(rnd.randint(1, 3)))


def distinct(n):
    return [f"{t}{i}" for i, t in enumerate(rnd.choice(TEXTS) for _ in range(n))]


def mmlu(subject):
    return {"question": text(), "subject": subject, "choices": [text() for _ in range(4)], "answer": rnd.randrange(4)}


def blimp(phenomenon):
    return {"sentence_good": text(), "sentence_bad": text(), "field": "syntax", "linguistics_term": "x", "UID": phenomenon, "simple_LM_method": True,
            "one_prefix_method": False, "two_prefix_method": False, "lexically_identical": True, "pair_id": rnd.randrange(1000)}


def truthfulqa():
    def targets(n, right):
        return {"choices": distinct(n), "labels": [1] * right + [0] * (n - right)}
    mixed = targets(rnd.randint(3, 7), 2)
    rnd.shuffle(mixed["labels"])
    return {"question": text(), "mc1_targets": targets(rnd.randint(2, 6), 1), "mc2_targets": mixed}


def commonsense_qa():
    return {"id": "x", "question": text(), "question_concept": "y", "choices": {"label": list("ABCDE"), "text": distinct(5)}, "answerKey": rnd.choice("ABCDE")}


def social_iqa():
    return {"context": text(), "question": text(), "answerA": text(), "answerB": text(), "answerC": text(), "label": rnd.choice("123")}


def race():
    problems = [{"question": text() + rnd.choice(["", "  _  .", " _ ."]), "answer": rnd.choice("ABCD"), "options": [text() for _ in range(4)]} for _ in range(rnd.randint(1, 4))]
    return {"article": text(), "problems": str(problems)}


def mathqa():
    options = [rnd.choice(["38", "27.675 rs", "1 , 000", "none , of , these", "r . s . 5 ", "caf\u00e9", "\u00a05", "x\u2028y", "d ) inside", ","]) for _ in range(5)]
    joined = " , ".join(f"{letter} ) {option}" for letter, option in zip("abcde", options)) + rnd.choice(["", " ", "\n"])
    return {"Problem": text(), "Rationale": "r", "options": joined, "correct": rnd.choice("ab"), "annotated_formula": "f", "linear_formula": "l", "category": "gain"}


def lambada():
    return {"text": text() + rnd.choice(["", " "]) + rnd.choice(TEXTS), "domain": "News"}


DOCS = {}
for file in sorted((TASKS / "mmlu/default").glob("mmlu_*.yaml")):
    subject = file.stem[len("mmlu_"):]
    DOCS[file.stem] = (file, [mmlu(subject) for _ in range(2)])
for file in sorted((TASKS / "blimp").glob("[a-z]*.yaml")):
    DOCS["blimp_" + file.stem] = (file, [blimp(file.stem)])
for name, folder, document in [("truthfulqa_mc1", "truthfulqa/truthfulqa_mc1", truthfulqa), ("truthfulqa_mc2", "truthfulqa/truthfulqa_mc2", truthfulqa),
                               ("commonsense_qa", "commonsense_qa/default", commonsense_qa), ("social_iqa", "siqa/siqa", social_iqa), ("race", "race/race", race),
                               ("mathqa", "mathqa/mathqa", mathqa), ("lambada_standard", "lambada/lambada_standard", lambada)]:
    DOCS[name] = (TASKS / f"{folder}.yaml", [document() for _ in range(10 if name.startswith("truthfulqa") else 20)])


def sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


golden = {}
with tempfile.TemporaryDirectory() as folder:
    for name, (definition, docs) in DOCS.items():
        data = pathlib.Path(folder) / f"{name}.jsonl"
        data.write_text("".join(json.dumps(d) + "\n" for d in docs), encoding="utf-8")
        config = load_yaml(definition)
        assert config["task"] == name, (config["task"], name)
        for key in ("dataset_name", "training_split", "test_split", "fewshot_split", "fewshot_config", "tag", "should_decontaminate", "doc_to_decontamination_query"):
            config.pop(key, None)
        config.update(dataset_path="json", dataset_kwargs={"data_files": {"validation": str(data)}}, validation_split="validation")
        task = ConfigurableTask(config=config)
        task.build_all_requests(limit=None, rank=0, world_size=1)
        rows = []
        for i, (given, doc) in enumerate(zip(docs, task.eval_docs)):
            arguments = [list(x.args) for x in task.instances if x.doc_id == i]
            results = [(round(-60 * rnd.random(), 3), rnd.random() < 0.3) for _ in arguments]
            target = task.doc_to_target(doc)
            rows.append({"doc": given, "requests": arguments, "target": str(target), "gold": target, "results": results, "metrics": task.process_results(doc, results),
                         "doc_hash": sha256(json.dumps(doc, indent=2, ensure_ascii=False)), "prompt_hash": sha256(arguments[0][0]), "target_hash": sha256(str(target))})
        golden[name] = rows
json.dump({"lm_eval_version": lm_eval.__version__, "documents": sum(map(len, golden.values())), "tasks": golden}, sys.stdout, indent=None, separators=(",", ":"))
print()
