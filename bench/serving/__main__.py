"""convscope beside the alternatives, on one machine, in one run.

    python -m bench.serving [--rounds 3] [--seconds 5] [--only convscope,bare]
                            [--workload resnet18] [--write]

All serve the same model file and decode and resize with the same functions; the load comes from
`service.load` in a process of its own. One server is alive at a time. The report is printed;
`--write` puts it into bench/RESULTS.md. What was measured stays in bench/.cache.
"""

import argparse
import subprocess
import sys

from bench.sections import RESULTS, write_section
from bench.serving.figures import Figures
from bench.serving.machine import describe_machine
from bench.serving.report import section
from bench.serving.rounds import Outcome, Plan, measure
from bench.serving.samples import save_samples
from bench.serving.servers import CONTESTANTS, ROOT
from bench.serving.workloads import CACHE, WORKLOADS, Workload
from service.contract.errors import InvalidModel
from service.contract.manifest import read_manifest

BARE = "bare"
_PACKAGES = (
    *("onnxruntime-gpu", "onnxruntime", "pillow", "numpy"),
    *("fastapi", "uvicorn", "litserve", "bentoml"),
)


def main() -> None:
    """Measure every workload that was asked for, and report."""
    options = _options()
    machine = describe_machine(_PACKAGES)
    missing = {
        name: f"`{CONTESTANTS[name].package}` is not installed"
        for name in options.only
        if name != BARE and not CONTESTANTS[name].installed
    }
    for name, reason in missing.items():
        print(f"{name} is skipped: {reason}", file=sys.stderr)
    present = [name for name in options.only if name not in missing]
    plan = Plan(
        contestants=[None if name == BARE else CONTESTANTS[name] for name in present],
        rounds=options.rounds,
        seconds=options.seconds,
        warmup=options.warmup,
    )
    for workload in options.workload:
        _make_model(workload)
        outcome = measure(workload, plan)
        save_samples(CACHE / f"{workload.name}.json", outcome.samples)
        _report(workload, plan, outcome, machine, missing, options.write)


def _make_model(workload: Workload) -> None:
    """Make the model if there is none that fits; in a process of its own, for torch is large."""
    try:
        read_manifest(workload.folder)
    except InvalidModel:  # none was made yet, or the contract has changed since
        command = [sys.executable, "-m", "bench.serving.models", workload.name]
        subprocess.run(command, cwd=ROOT, check=True)


def _report(
    workload: Workload,
    plan: Plan,
    outcome: Outcome,
    machine: str,
    missing: dict[str, str],
    write: bool,
) -> None:
    how = (
        f"`{' '.join(['python -m bench.serving', *sys.argv[1:]])}`: medians of {plan.rounds} "
        f"rounds of {plan.seconds:g} s. {machine}"
    )
    failures = {name: " ".join(text.split())[-300:] for name, text in outcome.failures.items()}
    text = section(workload, Figures(outcome.samples), how, missing | failures)
    print(text)
    if write:
        write_section(f"serving {workload.name}", text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    everybody = [BARE, *CONTESTANTS]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=1, help="seconds before each")
    parser.add_argument("--only", default=",".join(everybody), help="default: %(default)s")
    parser.add_argument("--workload", choices=WORKLOADS, help="default: all")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(everybody)
    if unknown:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {everybody}")
    chosen = [options.workload] if options.workload else list(WORKLOADS)
    options.workload = [WORKLOADS[name] for name in chosen]
    return options


if __name__ == "__main__":
    main()
