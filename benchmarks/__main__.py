"""``python -m benchmarks``: a table of numba / C on the CAC loop."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:  # run as a file: the folder above is not on the path then
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.cac_c import LIMIT, REPETITIONS, NoCompilerError, cases, compare, compiled


def main() -> int:
    """Print the table; 0 if every median is within the limit, 1 if not, 2 without a compiler."""
    print(f"CAC, double sampling: numba / C (gcc -O3 -march=native), {REPETITIONS} paired runs, limit {LIMIT}")
    print(f"{'(S, N, joint actions)':22}{'metrics':>9}{'us/step':>10}{'median':>9}{'min..max':>15}{'gap':>10}")
    worst = 0.0
    try:
        with compiled() as c_loop:
            for name, problem in cases().items():
                for metrics in (False, True):
                    timing = compare(name, problem, c_loop, metrics=metrics)
                    worst = max(worst, timing.median)
                    spread = f"{min(timing.ratios):.2f}..{max(timing.ratios):.2f}"
                    print(
                        f"{name:22}{'each' if metrics else 'none':>9}{timing.microseconds:10.2f}"
                        f"{timing.median:9.2f}{spread:>15}{timing.gap:10.1e}"
                    )
    except NoCompilerError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"largest median {worst:.2f}: {'within' if worst <= LIMIT else 'ABOVE'} the limit of {LIMIT}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
