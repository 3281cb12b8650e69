#!/usr/bin/env python3
"""Our methods and MagTrack 1.0.0 on the same images, side by side: RMSE in nm and in units of the Cramér–Rao bound.

    python examples/peer/accuracy.py [--venv DIR] [--quick] [--out FOLDER]

The accuracy sweep (examples/accuracy_sweep) runs our methods through the loaded plugins on finely rendered beads of 64 px
(five z bands, 1e4 electrons, 8 bit) and writes those images as TIFF and CSV. MagTrack gets the same files: a Z-LUT from the
sweep (100 nm planes, its own pipeline finds the centres, profiles averaged by plane), then its default pipeline on the
beads. It is installed from PyPI into a virtual environment of its own and only called.
"""
import argparse
import collections
import csv
import math
import os
import pathlib
import subprocess
import sys
import warnings

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
NM_PER_PX = 100.0
FAR_XY_NM, FAR_Z_NM = 100.0, 500.0  # beyond, a result is another place: counted, not averaged; as in the sweep


def into_environment(folder):
    """Goes on in a virtual environment that has MagTrack, making it first if need be."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import magtrack, tifffile"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "magtrack==1.0.0", "tifffile"], check=True)
    command = [str(python), __file__, *sys.argv[1:]]
    sys.exit(subprocess.run(command, env={**os.environ, "TETHERSCOPE_PEER": "1"}).returncode)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def magtrack_chain(stack, zlut=None):
    """Its default pipeline, image by image: one bad image would end a whole batch."""
    import magtrack
    import numpy as np

    found = []
    for image in stack:
        one = np.ascontiguousarray(image[:, :, None], dtype=np.float64)
        try:
            x, y, z, profile = magtrack.stack_to_xyzp(one, zlut)
            found.append((x[0], y[0], z[0], profile[:, 0]))
        except IndexError:  # the bead was lost at the border
            found.append((np.nan, np.nan, np.nan, np.full(image.shape[0] // 2, np.nan)))
    return found


def peer(folder):
    """Errors of MagTrack per band, as (x, y, z) lists in nm, and the number of images that it lost."""
    import numpy as np
    import tifffile

    focus = np.array([float(r["focus_nm"]) for r in rows(folder / "sweep.csv")])
    profiles = np.array([found[3] for found in magtrack_chain(tifffile.imread(folder / "sweep.tif"))])
    planes = np.unique(focus)
    zlut = np.vstack([planes, np.array([np.nanmean(profiles[focus == z], axis=0) for z in planes]).T])
    truth = rows(folder / "truth.csv")
    bands = [float(r["band_nm"]) for r in rows(folder / "bound.csv")]
    errors, lost = collections.defaultdict(list), 0
    for t, (x, y, z, _) in zip(truth, magtrack_chain(tifffile.imread(folder / "beads.tif"), zlut)):
        e = [(x - float(t["x_px"])) * NM_PER_PX, (y - float(t["y_px"])) * NM_PER_PX, z - float(t["z_nm"])]
        if not all(map(math.isfinite, e)) or max(abs(e[0]), abs(e[1])) > FAR_XY_NM or abs(e[2]) > FAR_Z_NM:
            lost += 1
            continue
        errors[min(bands, key=lambda b: abs(b - float(t["z_nm"])))].append(e)
    return errors, lost, len(truth)


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, default=REPOSITORY / "target" / "peer", help="made if missing")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("accuracy_beside_peer"), help="must not exist")
    parser.add_argument("--quick", action="store_true", help="fewer images")
    parser.add_argument("--program", type=pathlib.Path, help="an accuracy_sweep that is built already, beside its plugins")
    options = parser.parse_args()
    if "TETHERSCOPE_PEER" not in os.environ:
        into_environment(options.venv)
    warnings.simplefilter("ignore")
    options.out.mkdir()
    if options.program:
        sweep = [str(options.program.resolve())]
    else:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=REPOSITORY, check=True)
        sweep = ["cargo", "run", "--release", "--quiet", "-p", "tetherscope-accuracy-sweep", "--"]
    images, results = (options.out / "images").resolve(), (options.out / "ours").resolve()
    arguments = ["--sizes", "64", "--electrons", "10000", "--images", "fine", "--steps", "100"]
    arguments += ["--write-images", str(images), "--out", str(results)] + ["--quick"] * options.quick
    subprocess.run(sweep + arguments, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)

    bound = {float(r["band_nm"]): [float(r[f"{a}_nm"]) for a in "xyz"] for r in rows(images / "bound.csv")}
    xy_bound = rms([b[axis] for b in bound.values() for axis in (0, 1)])
    z_bound = rms([b[2] for b in bound.values()])
    print(f"64 px, fine images, five z bands, 1e4 e-, 8 bit; bound: xy {xy_bound:.3f} nm, z {z_bound:.3f} nm\n")
    print("| method | Z-LUT | xy RMSE nm (x bound) | z RMSE nm (x bound) | lost |\n|---|---|---|---|---|")
    errors, lost, n = peer(images)
    xy = rms([rms([e[axis] for e in band for axis in (0, 1)]) for band in errors.values()])
    z = rms([rms([e[2] for e in band]) for band in errors.values()])
    print(f"| MagTrack 1.0.0 | perfect | {xy:.3f} ({xy / xy_bound:.2f}) | {z:.3f} ({z / z_bound:.2f}) | {lost} of {n} |")
    cells = collections.defaultdict(list)
    for r in rows(results / "accuracy.csv"):
        cells[r["method"], r["zlut"]].append(r)
    for (method, zlut), bands in cells.items():
        xy = rms([float(r[f"{a}_rmse_nm"]) for r in bands for a in "xy"])
        z = rms([float(r["z_rmse_nm"]) for r in bands])
        lost = sum(int(r["n_far"]) + max(int(r["n_without_xy"]), int(r["n_without_z"])) for r in bands)
        print(f"| {method} | {zlut} | {xy:.3f} ({xy / xy_bound:.2f}) | {z:.3f} ({z / z_bound:.2f}) | {lost} of {n} |")


if __name__ == "__main__":
    main()
