"""What checking an access token costs: the product, and what others do. See ``benchmarks/README.md``."""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from statistics import median

from tabulate import tabulate

from benchmarks.token_endpoint.installing import require_wrk
from benchmarks.token_endpoint.machine import Cores, choose_cores, describe
from benchmarks.token_endpoint.reporting import MOST_DISTURBANCE, Ratio, ratios_table
from benchmarks.verifying.installing import install_node_peers, install_python_peers
from benchmarks.verifying.material import issued_material
from benchmarks.verifying.places import BUILD, MATERIAL, NODE, PEERS, REPOSITORY, TIMED
from benchmarks.verifying.services import EMPTY, SERVICES, WORKING, Load, Name, measure_services

_GROUPS = ("python", "node", "services")
_RESULT = BUILD.parent / "verifying.json"
_CHECKS = {
    "cached": "Sensos Auth, cached",
    "cached_scope": "Sensos Auth, cached, one scope asked for",
    "cold": "Sensos Auth, cold",
    "joserfc": "joserfc, bare",
    "pyjwt": "PyJWT, bare",
    "authlib": "Authlib, bare",
    "jose": "Node jose, bare",
    "fast-jwt": "Node fast-jwt, bare",
    "fast-jwt cached": "Node fast-jwt, its cache switched on",
}
_UNCACHED = ("joserfc", "pyjwt", "authlib", "jose", "fast-jwt")


def main() -> int:
    """Run what the command line asks for; return 1 when a promise is not kept."""
    options = _options()
    if "services" in options.only:
        require_wrk()
    cores = choose_cores()
    BUILD.mkdir(parents=True, exist_ok=True)
    install_python_peers()
    if "node" in options.only:
        install_node_peers()
    os.sched_setaffinity(0, {cores.load})
    with issued_material(cores) as material:
        checks = _measure_checks(options, cores)
        loads = measure_services(material, cores, options.rounds, options.seconds) if "services" in options.only else {}
    found = _check_ratios(checks) + _service_ratios(loads)
    _report(cores, checks, loads, found)
    return 0 if all(ratio.is_met for ratio in found) else 1


def _measure_checks(options: argparse.Namespace, cores: Cores) -> dict[str, list[float]]:
    checks: dict[str, list[float]] = {}
    for _ in range(options.rounds):  # the two runtimes take turns
        for group, command in (("python", _python()), ("node", _node())):
            if group in options.only:
                for name, figures in _timed(command, cores).items():
                    checks.setdefault(name, []).extend(figures)
    return checks


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of half a minute")
    parser.add_argument("--only", help=f"some of: {','.join(_GROUPS)}")
    parser.add_argument("--rounds", type=int, help="rounds of each (5)")
    parser.add_argument("--seconds", type=int, help="length of a round of load (6)")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (2 if options.quick else 6)
    options.only = options.only.split(",") if options.only else list(_GROUPS)
    if unknown := set(options.only) - set(_GROUPS):
        parser.error(f"--only knows no {', '.join(unknown)}")
    return options


def _python() -> list[str]:
    return [str(PEERS / "bin" / "python"), str(TIMED / "python_libraries.py"), str(MATERIAL), "3"]


def _node() -> list[str]:
    return ["node", str(NODE / "node_libraries.mjs"), str(MATERIAL), "3"]


def _timed(command: list[str], cores: Cores) -> dict[str, list[float]]:
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY / "src"))
    done = subprocess.run(
        [*cores.pinned(cores.server), *command], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit("a contestant did not accept a good token, or broke")
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures


def _check_ratios(checks: dict[str, list[float]]) -> list[Ratio]:
    found = [
        Ratio(f"{_CHECKS[name]}, µs", checks[name], 1.5, is_ceiling=True)
        for name in ("cached", "cached_scope")
        if name in checks
    ]
    others = [name for name in _UNCACHED if name in checks]
    if "cached" in checks and others:
        fastest = min(others, key=lambda name: median(checks[name]))
        found.append(_divided(f"{_CHECKS[fastest]} / cached", checks[fastest], checks["cached"], 60))
    if "cold" in checks and "joserfc" in checks:
        ratio = _divided("cold / joserfc, bare", checks["cold"], checks["joserfc"], 1.15)
        found.append(Ratio(ratio.title, ratio.values, ratio.floor, is_ceiling=True))
    return found


def _service_ratios(loads: dict[Name, list[Load]]) -> list[Ratio]:
    if not loads:
        return []
    # Per second of the service's own CPU time: what it serves on a core that nobody else uses.
    rates = {name: [1e6 / load.cpu_each for load in measured] for name, measured in loads.items()}
    ours, empty = rates["sensos-auth", WORKING], rates["sensos-auth", EMPTY]
    return [
        _divided(f"{WORKING}, Sensos Auth / open", ours, rates["nothing", WORKING], 0.9),
        _divided(f"{WORKING}, Sensos Auth / PyJWT", ours, rates["pyjwt", WORKING], 2),
        _divided(f"{EMPTY}, Sensos Auth / open", empty, rates["nothing", EMPTY]),
        _divided(f"{EMPTY}, Sensos Auth / a dependency that does nothing", empty, rates["empty dependency", EMPTY]),
        _divided(f"{EMPTY}, Sensos Auth / PyJWT", empty, rates["pyjwt", EMPTY]),
    ]


def _divided(title: str, above: list[float], below: list[float], floor: float | None = None) -> Ratio:
    return Ratio(title, [one / other for one, other in zip(above, below, strict=True)], floor)


def _report(cores: Cores, checks: dict[str, list[float]], loads: dict[Name, list[Load]], found: list[Ratio]) -> None:
    machine = describe(cores)
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()) + "\n")
    if checks:
        rows = [
            [_CHECKS[name], f"{median(figures):,.2f}", f"{min(figures):,.2f} - {max(figures):,.2f}"]
            for name, figures in checks.items()
        ]
        print(
            tabulate(
                rows, ["one check", "CPU µs", "min - max"], disable_numparse=True, colalign=("left", "right", "right")
            ),
            "\n",
        )
    if loads:
        print(_services_table(loads), "\n")
    print(ratios_table(found), "\n")
    if any(load.others_cpu > MOST_DISTURBANCE for measured in loads.values() for load in measured):
        print("Other processes used the machine during the rounds of load: run again when it is quiet.")
    result = {
        "at": int(time.time()),
        "machine": machine,
        "checks": checks,
        "services": {f"{path} {name}": [asdict(load) for load in measured] for (name, path), measured in loads.items()},
        "ratios": [asdict(ratio) | {"median": ratio.middle, "is_met": ratio.is_met} for ratio in found],
    }
    _RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"All figures: {_RESULT}")


def _services_table(loads: dict[Name, list[Load]]) -> str:
    rows = []
    for (name, path), measured in loads.items():
        rates = [load.rate for load in measured]
        figures = (
            (median(rates), ",.0f"),
            (median(load.p99_ms for load in measured), ".1f"),
            (median(load.cpu_each for load in measured), ".1f"),
            (max(load.others_cpu for load in measured), ".2f"),
        )
        rows.append(
            [
                f"{path}, {SERVICES[name]}",
                *(format(value, form) for value, form in figures),
                f"{min(rates):,.0f} - {max(rates):,.0f}",
            ]
        )
    head = ["", "per second", "p99 ms", "CPU µs each", "others' CPU", "min - max"]
    return tabulate(rows, head, disable_numparse=True, colalign=["left"] + ["right"] * 5)


if __name__ == "__main__":
    raise SystemExit(main())
