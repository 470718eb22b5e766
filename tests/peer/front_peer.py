#!/usr/bin/env python3
"""The front end of the tracker as a PyTorch program (front_network.py): its results, its limits, its times.

  front_peer.py --check tests/data/front_tiny.safetensors [--attention F]   against the reference network's own outputs
  front_peer.py --capacity --limit-gib 24 --attention F --size 518x294      the longest clip that fits (CUDA)
  front_peer.py --time --frames T --attention F --size 518x294              how long a pass takes
  front_peer.py --churn                                 clips of changing size, as 'spabench run --workload churn' (CUDA)

Needs torch and nothing else. The allocator is what PYTORCH_CUDA_ALLOC_CONF says. Prints one JSON object.
"""
import argparse
import gc
import json
import math
import os
import re
import statistics
import struct
import sys
import time
import zlib

try:
    import torch
except ImportError:
    print("front_peer: needs torch", file=sys.stderr)
    sys.exit(77)  # a test that is skipped

import front_network

TOLERANCE = 1e-5  # relative L2 error, as tests/unit/test_front.c
GIB = 1 << 30


def fail(text):
    sys.exit("front_peer: " + text)


# ---- check ----------------------------------------------------------------------------------------------------------


def read_safetensors(path):
    """name -> float32 tensor; the metadata"""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    meta, out = header.pop("__metadata__", {}), {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        if t["dtype"] != "F32" or begin > end or end > len(data):
            fail("tensor '%s' of '%s': only whole F32 tensors are read" % (name, path))
        out[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32)
    return out, meta


def unfilter(kind, row, above, step):
    """One row of a PNG, in place."""
    for i in range(len(row)):
        left = row[i - step] if i >= step else 0
        up, corner = above[i], above[i - step] if i >= step else 0
        if kind == 1:
            row[i] = (row[i] + left) & 255
        elif kind == 2:
            row[i] = (row[i] + up) & 255
        elif kind == 3:
            row[i] = (row[i] + (left + up) // 2) & 255
        else:
            p = left + up - corner
            a, b, c = abs(p - left), abs(p - up), abs(p - corner)
            row[i] = (row[i] + (left if a <= b and a <= c else up if b <= c else corner)) & 255


def read_png(path):
    """An RGB image of 8 bits, not interlaced: uint8 [h, w, 3]"""
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        fail("'%s' is no PNG file" % path)
    at, packed, w, h = 8, b"", 0, 0
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b"IHDR":
            w, h, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if (depth, colour, interlace) != (8, 2, 0):
                fail("'%s': only RGB of 8 bits is read" % path)
        elif kind == b"IDAT":
            packed += body
        at += 12 + n
    raw, rows, above = zlib.decompress(packed), bytearray(), bytes(3 * w)
    for y in range(h):
        row = bytearray(raw[y * (3 * w + 1) + 1:(y + 1) * (3 * w + 1)])
        if raw[y * (3 * w + 1)]:
            unfilter(raw[y * (3 * w + 1)], row, above, 3)
        rows += row
        above = row
    return torch.frombuffer(rows, dtype=torch.uint8).view(h, w, 3)


def height_of(width, h, w):
    return 14 * round(h * (width / w) / 14)


class Check:
    def __init__(self, golden, meta):
        self.golden, self.meta, self.errors = golden, meta, {}

    def see(self, name, whole):
        if name not in self.golden:
            return
        stride = re.search(r"stride=(\d+)", self.meta.get(name, ""))
        got, want = whole.flatten()[::int(stride.group(1)) if stride else 1].double().cpu(), self.golden[name].double()
        if got.shape != want.shape:
            fail("tensor '%s': %d values, the file has %d" % (name, got.numel(), want.numel()))
        self.errors[name] = ((got - want).norm() / want.norm()).item()


def resized(maps, h, w):
    """[n, h', w', c] -> [n, h, w, c], as the reference gives its results back"""
    x = torch.nn.functional.interpolate(maps.permute(0, 3, 1, 2), size=(h, w), mode="bilinear", align_corners=True)
    return x.permute(0, 2, 3, 1)


def preset_of(meta):
    config = json.loads(meta.get("config", "{}"))
    for name, c in front_network.PRESETS.items():
        if c["dim"] == config.get("dim") and c["depth"] == config.get("depth"):
            return name
    fail("the golden file's 'config' is of none of the presets")


def check(a):
    try:
        golden, meta = read_safetensors(a.check)
    except (OSError, ValueError, KeyError, struct.error) as e:
        fail("cannot read '%s': %s" % (a.check, e))
    frames = re.search(r"first (\d+) frames", meta.get("input", ""))
    if not frames:
        fail("'%s' does not say how many frames it is of: no file of golden outputs" % a.check)
    frames = int(frames.group(1))
    folder = a.frames_dir or os.path.join(os.path.dirname(os.path.abspath(a.check)), "frames")
    try:
        rgb = torch.stack([read_png(os.path.join(folder, "%03d.png" % i)) for i in range(frames)])
    except (OSError, zlib.error, struct.error) as e:
        fail("cannot read the frames of '%s': %s; --frames-dir names their folder" % (a.check, e))
    images = rgb.permute(0, 3, 1, 2).to(a.device).float() / 255
    preset, c = preset_of(meta), Check(golden, meta)
    h, w = images.shape[2:]
    with torch.inference_mode():
        size = (height_of(518, h, w), 518)
        r = front_network.build(preset, a.attention, a.device)(images, size, c.see)
        c.see("depth", r["depth"])
        c.see("c2w_poses", r["c2w"])
        c.see("depth_conf_resized", resized(r["conf"][..., None], h, w))
        c.see("points_map_resized", resized(r["points"], h, w))
        scale = torch.tensor([w / size[1], h / size[0], 1.0], device=a.device)
        c.see("intrinsics", r["k"] * scale[:, None])
    missing = sorted(set(golden) - set(c.errors))
    worst = max(c.errors.values())
    ok = not missing and worst <= TOLERANCE
    return dict(format="spabench-peer-check", preset=preset, attention=a.attention, device=a.device, tensors=len(c.errors),
                not_checked=missing, worst_relative_error=worst, tolerance=TOLERANCE, equal=ok, errors=c.errors), not ok


# ---- what is common to capacity and time ------------------------------------------------------------------------------


def frames_of(a, n):
    """As an application hands them over: the clip on the device, 0..1."""
    h, w = a.size
    rgb = torch.randint(0, 256, (n, 3, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
    return rgb.to(a.device).float() / 255


def facts(a):
    cuda = a.device.startswith("cuda")
    return dict(torch=torch.__version__, device=torch.cuda.get_device_name() if cuda else "cpu", preset=a.preset,
                attention=a.attention, precision=a.precision, autotune=a.autotune, width=a.size[1], height=a.size[0],
                alloc_conf=os.environ.get("PYTORCH_ALLOC_CONF") or os.environ.get("PYTORCH_CUDA_ALLOC_CONF") or "")


def prepare(a):
    net = front_network.build(a.preset, a.attention, a.device)
    empty_cache(a)
    return net


def empty_cache(a):
    """Back to the weights: what the libraries keep as workspace goes, too."""
    gc.collect()
    if not a.device.startswith("cuda"):
        return
    torch.cuda.synchronize()
    clear = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)
    if clear:
        clear()
    torch.cuda.empty_cache()


def need_cuda(what):
    if not torch.cuda.is_available():
        fail(what + " needs a CUDA device")


def one_pass(a, net, frames):
    with torch.inference_mode():
        r = net(frames, a.size)
        return {k: v.cpu() for k, v in r.items()}


# ---- capacity -------------------------------------------------------------------------------------------------------


def asked_for(text):
    """The bytes of "Tried to allocate 2.00 GiB", or None"""
    m = re.search(r"Tried to allocate ([\d.]+) (KiB|MiB|GiB|bytes)", text)
    unit = dict(bytes=1, KiB=1 << 10, MiB=1 << 20, GiB=1 << 30)
    return round(float(m.group(1)) * unit[m.group(2)]) if m else None


def probe(a, net, n):
    """A pass of n frames from a cache that holds the weights alone."""
    empty_cache(a)
    torch.cuda.reset_peak_memory_stats()
    p = dict(frames=n, fits=True, before_bytes=torch.cuda.memory_reserved())
    began = time.perf_counter()
    try:
        one_pass(a, net, frames_of(a, n))
        torch.cuda.synchronize()
    except torch.cuda.OutOfMemoryError as e:
        p.update(fits=False, asked_bytes=asked_for(str(e)), reason=str(e).split(". GPU")[0][:300])
    stats = torch.cuda.memory_stats()
    p.update(seconds=round(time.perf_counter() - began, 3), reserved_bytes=stats["reserved_bytes.all.peak"],
             allocated_bytes=stats["allocated_bytes.all.peak"], requested_bytes=stats["requested_bytes.all.peak"])
    print("front_peer: %d frames %s, %.2f GiB reserved, %.2f GiB allocated, %.1f s" % (
        n, "fit" if p["fits"] else "do not fit", p["reserved_bytes"] / GIB, p["allocated_bytes"] / GIB, p["seconds"]),
        file=sys.stderr)
    return p


def predicted(probes, limit, standard):
    """What the two longest that fit say, 0: nothing; score matrices grow with the square of the frames."""
    good = sorted((p for p in probes if p["fits"]), key=lambda p: p["frames"])[-2:]
    if len(good) < 2:
        return 0
    x = [p["frames"] ** (2 if standard else 1) for p in good]
    slope = (good[1]["reserved_bytes"] - good[0]["reserved_bytes"]) / (x[1] - x[0])
    if slope <= 0:
        return 0
    most = x[1] + (limit - good[1]["reserved_bytes"]) / slope
    return int(math.sqrt(most)) if standard else int(most)


def next_try(low, high, most, guess, slack):
    """low fits (0: nothing did), high does not (most + 1: nothing failed); what to try between them."""
    if low < guess < high:
        return guess
    if guess == low and low:
        return min(low + slack, high - 1)
    if high > most:
        return min(max(1, 2 * low), most)
    return (low + high) // 2


def search(probe_of, limit, most, hint, standard, slack=1):
    """The probes that were made; the hint, where it is one, and its half come first. Every fourth is no guess."""
    low, high, probes = 0, most + 1, []
    first = [n for n in (hint // 2, hint) if n]
    while high - low > (slack if low else 1):
        guess = predicted(probes, limit, standard) if len(probes) % 4 != 1 else 0
        n = first.pop(0) if first else next_try(low, high, most, guess, slack)
        if not low < n < high:
            continue
        probes.append(probe_of(n))
        low, high = (n, high) if probes[-1]["fits"] else (low, n)
    return low, high, probes


def capacity(a):
    need_cuda("--capacity")
    limit, (free, total) = int(a.limit_gib * GIB), torch.cuda.mem_get_info()
    if limit > free:
        fail("--limit-gib %g: the device has %.1f GiB free" % (a.limit_gib, free / GIB))
    torch.cuda.set_per_process_memory_fraction(limit / total)
    net = prepare(a)
    low, high, probes = search(lambda n: probe(a, net, n), limit, a.most, a.hint, a.attention == "standard",
                               a.slack)
    empty_cache(a)
    outside = free - torch.cuda.mem_get_info()[0] - torch.cuda.memory_reserved()
    why = next((p for p in probes if p["frames"] == high), {"reason": "nothing up to %d frames" % a.most})
    return dict(format="spabench-peer-capacity", **facts(a), limit_bytes=limit, most_frames=low,
                fails_at=why.get("frames"), asked_bytes=why.get("asked_bytes"), reason=why["reason"],
                weights_bytes=torch.cuda.memory_allocated(), outside_bytes=outside,
                counted="all that PyTorch's caching allocator reserves: weights, clip, activations, results and the "
                        "workspaces of cuBLAS and cuDNN, which come from it; not the device's context and what the "
                        "libraries take outside it since (outside_bytes)",
                probes=probes), not low


# ---- time -----------------------------------------------------------------------------------------------------------


def synchronise(a):
    if a.device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(a):
    net, frames, seconds = prepare(a), frames_of(a, a.frames), []
    for i in range(a.warmup + a.passes):
        synchronise(a)
        began = time.perf_counter()
        one_pass(a, net, frames)
        synchronise(a)
        if i >= a.warmup:
            seconds.append(time.perf_counter() - began)
    out = dict(format="spabench-peer-time", **facts(a), frames=a.frames, passes=a.passes, warmup=a.warmup,
               median_seconds=statistics.median(seconds), seconds=seconds)
    if a.device.startswith("cuda"):
        out.update(allocated_bytes=torch.cuda.max_memory_allocated(), reserved_bytes=torch.cuda.max_memory_reserved())
    return out, False


# ---- churn ----------------------------------------------------------------------------------------------------------

# (frames, height), width 518: the list of workloads/churn/list.c
CLIPS = "7x392,23x224,11x392,16x392,4x392,4x336,11x392,7x224,31x336,23x392,16x336,31x224,7x224,40x392,16x182,31x182," \
        "7x392,4x294,40x182,40x294,16x392,31x336,31x336,16x392"


def churn(a):
    """One pass over the clips from a cache that holds the weights alone; memory as PyTorch counts it, weights included."""
    need_cuda("--churn")
    net = prepare(a)
    torch.cuda.reset_peak_memory_stats()
    before, began = torch.cuda.memory_stats(), time.perf_counter()
    for n, h in a.clips:
        a.size = (h, a.size[1])
        one_pass(a, net, frames_of(a, n))
    torch.cuda.synchronize()
    seconds, stats = time.perf_counter() - began, torch.cuda.memory_stats()
    peak = {k: stats[k + "_bytes.all.peak"] for k in ("requested", "allocated", "active", "reserved")}
    return dict(format="spabench-peer-churn", **dict(facts(a), height=None), clips=len(a.clips), seconds=seconds,
                **{k + "_peak_bytes": v for k, v in peak.items()}, weights_bytes=before["allocated_bytes.all.current"],
                reserved_over_allocated=peak["reserved"] / peak["allocated"] - 1,
                driver_allocations=stats["num_device_alloc"] - before["num_device_alloc"],
                retries=stats["num_alloc_retries"], out_of_memory=stats["num_ooms"]), False


# ---- the command line -------------------------------------------------------------------------------------------------


def size(text):
    m = re.fullmatch(r"(\d+)x(\d+)", text)
    if not m or any(int(n) % 14 or not int(n) for n in m.groups()):
        raise argparse.ArgumentTypeError("'%s' is no WIDTHxHEIGHT in multiples of 14" % text)
    return int(m.group(2)), int(m.group(1))


def clips(text):
    if not re.fullmatch(r"\d+x\d+(,\d+x\d+)*", text):
        raise argparse.ArgumentTypeError("'%s' is no list of FRAMESxHEIGHT" % text)
    out = [tuple(int(n) for n in c.split("x")) for c in text.split(",")]
    if any(not n or not h or h % 14 for n, h in out):
        raise argparse.ArgumentTypeError("'%s': frames from 1, heights in multiples of 14" % text)
    return out


def positive(kind):
    def parse(text):
        try:
            n = kind(text)
        except ValueError:
            n = 0
        if not 0 < n < 1e9:
            raise argparse.ArgumentTypeError("'%s' is no positive number" % text)
        return n
    return parse


def parse(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", metavar="GOLDEN", help="compare with the outputs in a safetensors file")
    what.add_argument("--capacity", action="store_true", help="the largest number of frames that fits")
    what.add_argument("--time", action="store_true", help="the median time of a pass")
    what.add_argument("--churn", action="store_true", help="memory over clips of changing size")
    p.add_argument("--clips", type=clips, default=clips(CLIPS), help="--churn: FRAMESxHEIGHT,.. [a list of 24]")
    p.add_argument("--attention", choices=sorted(front_network.ATTENTION), default="efficient")
    p.add_argument("--precision", choices=("fp32", "tf32"), default="fp32", help="of products and convolutions [fp32]")
    p.add_argument("--autotune", action="store_true", help="cuDNN tries its algorithms: faster, with more workspace")
    p.add_argument("--preset", choices=sorted(front_network.PRESETS), default="full")
    p.add_argument("--size", type=size, default=(294, 518), metavar="WxH", help="[518x294]")
    p.add_argument("--frames", type=positive(int), default=24, help="--time: frames of the clip [24]")
    p.add_argument("--passes", type=positive(int), default=5, help="--time: timed passes [5]")
    p.add_argument("--warmup", type=positive(int), default=2, help="--time: passes before them [2]")
    p.add_argument("--limit-gib", type=positive(float), default=24.0, help="--capacity: memory [24]")
    p.add_argument("--hint", type=positive(int), default=0, help="--capacity: about where to look")
    p.add_argument("--most", type=positive(int), default=1000, help="--capacity: do not try more frames [1000]")
    p.add_argument("--slack", type=positive(int), default=1,
                   help="--capacity: what fits and what does not may stay so far apart [1]")
    p.add_argument("--frames-dir", help="--check: folder of 000.png, 001.png, .. [frames/ beside the file]")
    p.add_argument("--device", help="[cuda if there is one]")
    a = p.parse_args(argv)
    a.device = a.device or ("cuda" if torch.cuda.is_available() else "cpu")
    return a


def main():
    a = parse(sys.argv[1:])
    torch.backends.cuda.matmul.allow_tf32 = a.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = a.precision == "tf32"
    torch.backends.cudnn.benchmark = a.autotune
    result, bad = check(a) if a.check else capacity(a) if a.capacity else churn(a) if a.churn else measure(a)
    json.dump(result, sys.stdout, indent=1)
    print()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
