"""Warm HTTP: Apus beside nginx as reverse proxy to the same answer, and handlers in Python beside those in Swift."""
import statistics

from parts.servers import BUILD, ROOT, apus, interleaved, need, nginx_proxy, started, table

CONNECTIONS = 32
YARDSTICK = "nginx proxy"
PYTHON = f"python3, {ROOT}/Tests/Benchmarks/hello.py"
CONTENDERS = {
    YARDSTICK: nginx_proxy,
    "apus, concurrency 64": lambda folder: apus(folder, "{ concurrency: 64 }"),
    "apus, 8 × concurrency 1": lambda folder: apus(folder, "{ max: 8, concurrency: 1 }"),
    "Python, concurrency 64": lambda folder: apus(folder, "{ concurrency: 64 }", PYTHON),
    "Python, async def, 64": lambda folder: apus(folder, "{ concurrency: 64 }", PYTHON + ", async"),
    "Python, 8 × concurrency 1": lambda folder: apus(folder, "{ max: 8, concurrency: 1 }", PYTHON),
}


def measure(options):
    need("nginx", "wrk", BUILD / "apus", BUILD / "Hello")
    with started(CONTENDERS) as ports:
        results = interleaved(ports, options)
    table("warm HTTP", options, results, YARDSTICK)
    print("\nPython beside the same in Swift (goal: at least 0.5)\n")
    for name, swift in (("Python, concurrency 64", "apus, concurrency 64"),
                        ("Python, async def, 64", "apus, concurrency 64"),
                        ("Python, 8 × concurrency 1", "apus, 8 × concurrency 1")):
        ratios = [row[0] / of[0] for row, of in zip(results[name], results[swift])]
        print(f"{name:<34}{statistics.median(ratios):>8.2f}  ({min(ratios):.2f}–{max(ratios):.2f})")
