#!/usr/bin/env python3
"""Times MagTrack 1.0.0 and our magtrack chain side by side: one thread, CPU time, the same images for both.

    python examples/peer/compare.py [--venv DIR] [--rounds 3] [--json FILE]

Ours runs end to end through the loaded plugins tracker.magtrack and zlut.correlation (tests/benches/chain.rs), on u8
ROIs. MagTrack gets the same ROIs already cast to the floats that it wants, and is taken at the best of several batch
depths and of both float types. It is installed from PyPI into a virtual environment of its own and only called.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SIZES_PX = (64, 100)
DEPTHS = (10, 50, 100, 200, 500, 1000)
N_IMAGES = max(DEPTHS)
N_CLEAN = 200  # beads that are simulated; each is used several times, with noise of its own
MIN_CPU_S, MIN_CALLS = 1.0, 3  # per depth and round
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def into_environment(folder):
    """Goes on in a virtual environment that has MagTrack, making it first if need be."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", "import magtrack"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "magtrack==1.0.0"], check=True)
    command = [str(python), __file__, *sys.argv[1:]]
    sys.exit(subprocess.run(command, env={**os.environ, **ONE_THREAD, "TETHERSCOPE_PEER": "1"}).returncode)


def beads(size_px):
    """u8 images [image, y, x] of simulated beads with shot noise (1e4 electrons full scale), and a Z-LUT of 201 planes."""
    import numpy as np
    from magtrack.simulation import simulate_beads, simulate_zlut

    random = np.random.default_rng(size_px)
    reach_nm = np.array([200.0, 200.0, 3000.0])
    clean = simulate_beads(random.uniform(-reach_nm, reach_nm, (N_CLEAN, 3)), size_px=size_px)
    clean = np.tile(clean, N_IMAGES // N_CLEAN)
    images = np.clip(np.round(random.poisson(clean * 1e4) * (255 / 1e4)), 0, 255).astype(np.uint8)
    images = np.ascontiguousarray(images.transpose(2, 0, 1))
    return images, simulate_zlut(np.arange(-10000.0, 10001.0, 100.0), size_px=size_px)


def rate(call, n_rois):
    """ROIs per second of CPU time, the median call."""
    call()
    times = []
    while len(times) < MIN_CALLS or sum(times) < MIN_CPU_S:
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return n_rois / statistics.median(times)


def build():
    """Builds our plugins and our bench, once; the bench's file."""
    plugins = ("-p", "tetherscope-tracker-magtrack", "-p", "tetherscope-zlut-correlation")
    subprocess.run(["cargo", "build", "--release", "--quiet", *plugins], cwd=REPOSITORY, check=True)
    command = ["cargo", "bench", "--quiet", "-p", "tetherscope-tests", "--bench", "chain", "--no-run"]
    command += ["--message-format", "json"]
    said = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = (json.loads(line) for line in said.splitlines())
    return next(b["executable"] for b in built if b.get("executable") and b["target"]["name"] == "chain")


def ours(bench, files):
    """One run of our bench: its report. Without CARGO it builds nothing."""
    environment = {name: value for name, value in os.environ.items() if name != "CARGO"}
    said = subprocess.run([bench, *files], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said)


def compare(bench, size_px, rounds, folder):
    import magtrack
    import numpy as np

    images, zlut = beads(size_px)
    files = [folder / f"{name}_{size_px}.npy" for name in ("images", "zlut", "results")]
    np.save(files[0], images)
    np.save(files[1], zlut)
    stacks = {}
    for depth in DEPTHS:
        for kind in (np.float64, np.float32):
            stack = np.ascontiguousarray(images[:depth].transpose(1, 2, 0), dtype=kind)
            stacks[f"{depth} x {kind.__name__}"] = stack
    peer_rates = {name: [] for name in stacks}
    our_rates = []
    for _ in range(rounds):
        report = ours(bench, files)
        our_rates.append(report["rois_per_cpu_s"])
        for name, stack in stacks.items():
            peer_rates[name].append(rate(lambda: magtrack.stack_to_xyzp(stack, zlut), stack.shape[2]))
    peer = {name: round(statistics.median(rates)) for name, rates in peer_rates.items()}
    best = max(peer, key=peer.get)
    x, y, z, _ = magtrack.stack_to_xyzp(stacks[f"{N_IMAGES} x float64"], zlut)
    difference = np.abs(np.load(files[2]) - np.stack([x, y, z], axis=1))
    same_gaps = bool((np.isnan(np.load(files[2])) == np.isnan(np.stack([x, y, z], axis=1))).all())
    mine = round(statistics.median(our_rates))
    return {
        "size_px": size_px,
        "ours_rois_per_cpu_s": mine,
        "magtrack_rois_per_cpu_s": peer[best],
        "ratio": round(mine / peer[best], 1),
        "magtrack_best_at": best,
        "magtrack_at_each_depth": peer,
        "largest_difference_xy_px": float(np.nanmax(difference[:, :2])),
        "largest_difference_z_nm": float(np.nanmax(difference[:, 2])),
        "nan_in_the_same_places": same_gaps,
        "plugins": report["plugins"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=pathlib.Path, default=REPOSITORY / "target" / "peer", help="made if missing")
    parser.add_argument("--rounds", type=int, default=3, help="ours and MagTrack in turn, this many times")
    parser.add_argument("--json", type=pathlib.Path, help="also write everything here")
    options = parser.parse_args()
    if "TETHERSCOPE_PEER" not in os.environ:
        into_environment(options.venv)
    warnings.simplefilter("ignore")
    bench, results = build(), []
    with tempfile.TemporaryDirectory() as folder:
        for size_px in SIZES_PX:
            r = compare(bench, size_px, options.rounds, pathlib.Path(folder))
            results.append(r)
            print(
                f"{size_px} px u8: ours {r['ours_rois_per_cpu_s']} ROIs/s, MagTrack {r['magtrack_rois_per_cpu_s']} ROIs/s "
                f"(batch {r['magtrack_best_at']}): {r['ratio']} x; the same numbers to "
                f"{r['largest_difference_xy_px']:.0e} px and {r['largest_difference_z_nm']:.0e} nm, NaN in "
                f"{'the same' if r['nan_in_the_same_places'] else 'OTHER'} places",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
