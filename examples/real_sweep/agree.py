#!/usr/bin/env python3
"""Do independent methods agree with each other better than with the recorded focus?

    python examples/real_sweep/agree.py VIDEO FOCUS.csv --nm-per-px NM [--program target/release/tetherscope]

For a recorded focus sweep of one bead (frame,time_s,focus_nm). Each method builds a Z-LUT from the even frames and looks up
the odd ones; then the z of every two methods is compared, frame by frame, and each with the recorded focus. Where the bead
or the stage moved otherwise than the focus list says, all methods see the same motion: their differences are small, and the
difference to the list is not an error of the method. Independent are two methods that share neither tracker nor strategy.
Methods that are not loaded are passed over. Standard library only; the program is called as a user would. Exit code 0 when
two independent methods agree better than either with the list, by both measures of spread.
"""
import argparse
import csv
import itertools
import json
import math
import pathlib
import subprocess
import sys
import tempfile

METHODS = (
    ("tracker.magtrack", "zlut.correlation"),
    ("tracker.magtrack", "zlut.spline"),
    ("tracker.radial-symmetry", "zlut.spline"),
    ("tracker.quadrant", "zlut.spline"),
    ("tracker.quadrant", "zlut.joint"),
    ("tracker.magtrack", "zlut.joint"),
)


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values)) if values else math.nan


def spread(values):
    """Root mean square about the mean, and about the median by the median distance (x 1.48): a few jumps move only the first."""
    mean = sum(values) / len(values)
    middle = sorted(values)[len(values) // 2]
    return rms([v - mean for v in values]), 1.4826 * sorted(abs(v - middle) for v in values)[len(values) // 2]


def independent(a, b):
    """True where two methods share neither tracker nor strategy."""
    return not set(a.split(" + ")) & set(b.split(" + "))


def z_of(options, folder, tracker, strategy):
    """z by odd frame, as the method finds it with a table of the even ones; and what the table's file says of its bias."""
    table, rows = folder / f"{tracker}+{strategy}.zlut", folder / f"{tracker}+{strategy}.csv"
    common = [options.video, "--tracker", tracker, "--nm-per-px", options.nm_per_px, "--json"]
    build = ["zlut", "build", *common, "--strategy", strategy, "--focus", options.focus, "--use-frames", "even", "--out", table]
    said = json.loads(subprocess.run([options.program, *map(str, build)], check=True, capture_output=True, text=True).stdout)
    track = ["track", *common, "--zlut", table, "--zlut-strategy", strategy, "--out", rows]
    subprocess.run([options.program, *map(str, track)], check=True, capture_output=True)
    with open(rows, newline="") as file:
        found = {int(r["frame"]): float(r["z_nm"] or "nan") for r in csv.DictReader(file)}
    return {f: z for f, z in found.items() if f % 2 == 1 and math.isfinite(z)}, said["bias"]["tables"][0]["map"]["verdict"]["sentence"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("focus")
    parser.add_argument("--nm-per-px", required=True)
    parser.add_argument("--program", default="target/release/tetherscope")
    parser.add_argument("--from-frame", type=int, default=0, help="frames before it are not compared")
    options = parser.parse_args()
    with open(options.focus, newline="") as file:
        focus = {int(r["frame"]): float(r["focus_nm"]) for r in csv.DictReader(file)}
    listed = json.loads(subprocess.run([options.program, "plugins", "list", "--json"], capture_output=True, text=True).stdout)
    loaded = {c["component"]["id"] for c in listed["components"]}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for tracker, strategy in METHODS:
            if not {tracker, strategy} <= loaded:
                print(f"{tracker} + {strategy} is passed over: it is not loaded")
                continue
            name = f"{tracker} + {strategy}"
            found[name], verdict = z_of(options, pathlib.Path(folder), tracker, strategy)
            print(f"{name}\n    {verdict}")
    frames = [f for f in sorted(focus) if f % 2 == 1 and f >= options.from_frame and all(f in z for z in found.values())]
    n_odd = sum(1 for f in focus if f % 2 == 1 and f >= options.from_frame)
    print(f"\n{len(frames)} of {n_odd} odd frames have a z by every method; nm, about the mean (about the median, robust)\n")
    print("| difference of z | rms | robust |\n|---|---|---|")
    against, agree = {}, []
    for a in found:
        against[a] = spread([found[a][f] - focus[f] for f in frames])
        print("| {} − recorded focus | {:.1f} | {:.1f} |".format(a, *against[a]))
    for a, b in itertools.combinations(found, 2):
        between = spread([found[a][f] - found[b][f] for f in frames])
        print("| {} − {} | {:.1f} | {:.1f} |".format(a, b, *between))
        if independent(a, b) and all(between[k] < min(against[a][k], against[b][k]) for k in (0, 1)):
            agree.append((between, a, b))
    if not agree:
        sys.exit("\nno two independent methods agree better than either agrees with the recorded focus")
    between, a, b = min(agree)
    print("\n{} and {} share nothing and agree to {:.1f} nm rms ({:.1f} robust);".format(a, b, *between))
    print("with the recorded focus they agree to {:.1f} ({:.1f}) and {:.1f} ({:.1f}) nm".format(*against[a], *against[b]))


if __name__ == "__main__":
    main()
