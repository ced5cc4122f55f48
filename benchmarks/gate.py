"""Measures the gate on the labelled set's held-out half: precision and recall by cause, false rejections, seconds.

    python -m benchmarks.gate
    python -m benchmarks.gate --scenes 6 --size 512x288    # a look in a minute

Prints a table and writes benchmarks/results/gate.json. See undercard/labelled for what the pictures are: keyframes of
the previz, edited by a stand-in for a model and spoilt on purpose.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.previz import machine
from undercard.gate import REVISION, Evidence, Fault, checks, judge
from undercard.labelled.examples import Example, examples
from undercard.labelled.labels import FAULTS
from undercard.labelled.shoot import shoot
from undercard.labelled.tally import Share, Tally
from undercard.planning import parse_size
from undercard.requests import Size

SCENES = 50
SIZE = "1024x576"
TIMED_SIZE = (1024, 1024)
REPEATS = 9
CHEAP_SECONDS = 0.03
"""A check that says it costs more needs a network."""
CLEAR = ("moderate", "severe")
"""Strengths that recall is asked for; what is mild is reported beside it."""
RESULTS = Path(__file__).parent / "results" / "gate.json"


def tallied(scenes: int, size: Size) -> Tally:
    """Judge every example of the first *scenes* held-out seeds."""
    tally = Tally()
    seeds = [2 * number + 1 for number in range(scenes)]
    with ThreadPoolExecutor(2) as pool:
        for answers in pool.map(lambda seed: list(_answers(seed, size)), seeds):
            for example, said in answers:
                tally.add(example, said)
    return tally


def _answers(seed: int, size: Size) -> Iterator[tuple[Example, tuple[Fault, ...]]]:
    for example in examples(seed, size):
        faults = judge(example.evidence).faults
        # Without its pictures: those of all scenes would not fit into memory.
        yield Example(seed, example.name, example.strength, _NOTHING), faults


_NOTHING = Evidence(np.zeros((1, 1, 3), np.uint8), (1, 1))


def seconds() -> dict[str, Any]:
    """Time the gate over a good keyframe of 1024×1024 with all that lies beside it, read from files as in a run.

    With others at work on the machine only the core seconds mean much.
    """
    scene = shoot(1, TIMED_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name in ("picture", "control", "before", "before_control", "other_take"):
            paths[name] = Path(folder) / f"{name}.png"
            Image.fromarray(getattr(scene, name)).save(paths[name], compress_level=1)
        sheets = [Path(folder) / f"sheet{index}.png" for index in range(len(scene.sheets))]
        for path, sheet in zip(sheets, scene.sheets, strict=True):
            Image.fromarray(sheet).resize((1024, 1024)).save(path, compress_level=1)

        def evidence() -> Evidence:
            return Evidence(
                paths["picture"], TIMED_SIZE, (paths["before"],), paths["before"], (paths["other_take"],),
                paths["control"], sheets, scene.scene.now, scene.keypoints, "stand-in", paths["before_control"],
            )  # fmt: skip

        # A run has seen the pictures of the fighters and the keyframe before; this one and its control image are new.
        judge(evidence())
        by_check: dict[str, list[float]] = {check.name: [] for check in checks()}
        walls, cores = [], []
        for repeat in range(REPEATS):
            for name in ("picture", "control"):
                paths[name] = paths[name].rename(Path(folder) / f"{name}{repeat}.png")
            started, used = time.perf_counter(), time.process_time()
            judge(evidence())
            walls.append(time.perf_counter() - started)
            cores.append(time.process_time() - used)
            read = _read(evidence())
            for check in checks():
                used = time.process_time()
                check.examine(read)
                by_check[check.name].append(time.process_time() - used)
    cheap = {check.name for check in checks() if check.cost <= CHEAP_SECONDS}
    medians = {name: round(statistics.median(times), 4) for name, times in by_check.items()}
    return {
        "s_per_image": round(statistics.median(walls), 3),
        "core_s_per_image": round(statistics.median(cores), 3),
        "core_s_cheap_checks": round(sum(medians[name] for name in cheap), 3),
        "core_s_by_check": medians,
    }


def _read(evidence: Evidence) -> Evidence:
    """Decode everything, so that no check is charged for what it happens to read first."""
    for name in ("grey", "neighbours", "before", "before_control", "takes", "control", "references"):
        getattr(evidence, name)
    return evidence


def report(tally: Tally) -> dict[str, Any]:
    """Return the figures, as they are kept."""
    faults = [fault for fault in Fault if fault in FAULTS.values()]
    checked = [fault for fault in faults if fault in tally.named]
    return {
        "overall": {
            "precision": tally.precision(), "recall": tally.recall(CLEAR), "recall_moderate": tally.recall(CLEAR[:1]),
            "recall_mild": tally.recall(("mild",)),
        },
        "by_cause": {
            fault.value: {
                "precision": tally.precision(fault), "recall": tally.recall(CLEAR, fault),
                "recall_moderate": tally.recall(CLEAR[:1], fault), "recall_mild": tally.recall(("mild",), fault),
                "n": tally.recall(CLEAR, fault)["n"],
            }
            for fault in checked
        },
        "by_defect": {
            name: {strength: tally.recall((strength,), fault, name) for strength in ("mild", *CLEAR)}
            for name, fault in FAULTS.items() if fault in checked
        },
        "false_rejection_rate": tally.false_rejections(),
        "without_a_check": [fault.value for fault in faults if fault not in checked],
        "mistakes": [
            {"picture": f"{strength} {name}".strip(), "said": said.value, "times": times}
            for (name, strength, said), times in tally.mistakes().most_common(20)
        ],
    }  # fmt: skip


def show(results: dict[str, Any], console: Console) -> None:
    """Print the tables."""
    table = Table(title="the gate on the held-out half")
    for heading in ("cause", "precision", "recall", "moderate", "mild", "n"):
        table.add_column(heading, justify="left" if heading == "cause" else "right")
    for cause, row in [*results["by_cause"].items(), ("overall", results["overall"])]:
        shares = [row[name] for name in ("precision", "recall", "recall_moderate", "recall_mild")]
        table.add_row(cause, *map(told, shares), str(row["recall"]["n"]))
    console.print(table)
    console.print(f"good pictures rejected: {told(results['false_rejection_rate'])}", highlight=False)
    if results["without_a_check"]:
        console.print(f"planted, but no check names it: {', '.join(results['without_a_check'])}", highlight=False)
    for mistake in results["mistakes"]:
        console.print(f"  {mistake['times']} × {mistake['picture']}: {mistake['said']}", highlight=False)
    console.print(
        f"{results['s_per_image']:.3f} s a picture of 1024×1024, files read ({results['core_s_per_image']:.3f} core"
        f" seconds); {results['core_s_cheap_checks']:.3f} core seconds for the cheap checks alone",
        highlight=False,
    )


def told(share: Share) -> str:
    """Return *share* with its interval."""
    if share["value"] is None:
        return "–"
    return f"{share['value']:.3f} ({share['low']:.2f}–{share['high']:.2f})"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--size", default=SIZE)
    parser.add_argument("--into", type=Path, default=RESULTS)
    asked = parser.parse_args()
    size = parse_size(asked.size)
    results = {
        "machine": machine(), "gate": REVISION, "scenes": asked.scenes, "size": asked.size,
        **report(tallied(asked.scenes, size)), **seconds(),
    }  # fmt: skip
    show(results, Console())
    asked.into.parent.mkdir(exist_ok=True)
    asked.into.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
