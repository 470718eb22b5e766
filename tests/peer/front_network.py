"""The front end of the tracker in PyTorch, as one would write it there: modules, plain functions, no tuning.

Names of modules and parameters are those of the released weights. Tensors live as long as Python's locals do, every pair
of the aggregator is kept until the heads are through, as the published application keeps them. Written for
comparison: what the same network takes and needs in PyTorch (front_peer.py has the commands).
"""
import contextlib
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SPECIAL = 5  # tokens of a frame before its patches: camera or class, four registers
CHUNK = 8  # frames at once in the depth head
CAMERA_ITERATIONS = 4

PRESETS = {
    "tiny": dict(dim=64, depth=4, heads=4, vit_depth=2, trunk=2, feat=32, outc=(32, 64, 96, 96), idx=(0, 1, 2, 3)),
    "small": dict(dim=384, depth=6, heads=6, vit_depth=6, trunk=2, feat=64, outc=(64, 128, 256, 256), idx=(1, 2, 4, 5)),
    "full": dict(dim=1024, depth=24, heads=16, vit_depth=24, trunk=4, feat=256, outc=(256, 512, 1024, 1024),
                 idx=(4, 11, 17, 23)),
}
TABLE = 37  # patches of a side in the positional table


def standard_attention(q, k, v):
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    scores = scores.softmax(dim=-1)
    return scores @ v


def efficient_attention(q, k, v):
    with efficient_kernel(q):
        return F.scaled_dot_product_attention(q, k, v)


def efficient_kernel(q):
    """On a GPU the memory-efficient kernel or an error; elsewhere what PyTorch has."""
    if not q.is_cuda:
        return contextlib.nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel
    return sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION)


ATTENTION = {"standard": standard_attention, "efficient": efficient_attention}


class Rope:
    """Cosines and sines of every token of a sequence, made once a pass: [tokens, head_dim] each."""

    def __init__(self, rows, cols, frames, head_dim, device):
        quarter = head_dim // 4
        y, x = torch.meshgrid(torch.arange(1, rows + 1), torch.arange(1, cols + 1), indexing="ij")
        place = torch.zeros(SPECIAL + rows * cols, 2, dtype=torch.float64)
        place[SPECIAL:, 0] = y.flatten()
        place[SPECIAL:, 1] = x.flatten()
        omega = 100.0 ** (-2 * torch.arange(quarter, dtype=torch.float64) / (2 * quarter))
        angle = place[:, :, None] * omega  # [tokens, 2, quarter]
        angle = torch.cat([angle, angle], dim=-1).flatten(1)
        frame = (angle.cos().float().to(device), angle.sin().float().to(device))
        self.frame = frame
        self.all = tuple(t.repeat(frames, 1) for t in frame)

    @staticmethod
    def turn(x, tables):
        cos, sin = tables
        a, b, c, d = x.chunk(4, dim=-1)
        return x * cos + torch.cat([-b, a, -d, c], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, dim, heads, normed, form):
        super().__init__()
        self.heads = heads
        self.form = ATTENTION[form]
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm = nn.LayerNorm(dim // heads) if normed else nn.Identity()
        self.k_norm = nn.LayerNorm(dim // heads) if normed else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, rope=None):
        n, length, dim = x.shape
        qkv = self.qkv(x).reshape(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if rope is not None:
            q = Rope.turn(q, rope)
            k = Rope.turn(k, rope)
        x = self.form(q, k, v)
        x = x.transpose(1, 2).reshape(n, length, dim)
        return self.proj(x)


class Mlp(nn.Module):
    def __init__(self, dim, hidden, out):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, x):
        x = self.fc1(x)
        x = F.gelu(x)
        return self.fc2(x)


class LayerScale(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(dim))

    def forward(self, x):
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, dim, heads, eps, form, normed=False):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = Attention(dim, heads, normed, form)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = Mlp(dim, 4 * dim, dim)
        self.ls2 = LayerScale(dim)

    def forward(self, x, rope=None):
        x = x + self.ls1(self.attn(self.norm1(x), rope))
        x = x + self.ls2(self.mlp(self.norm2(x)))
        return x


class PatchEmbed(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 14, stride=14)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Dino(nn.Module):
    def __init__(self, c, form):
        super().__init__()
        dim = c["dim"]
        self.patch_embed = PatchEmbed(dim)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
        self.register_tokens = nn.Parameter(torch.empty(1, SPECIAL - 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + TABLE * TABLE, dim))
        self.mask_token = nn.Parameter(torch.empty(1, dim))
        self.blocks = nn.ModuleList([Block(dim, c["heads"], 1e-6, form) for _ in range(c["vit_depth"])])
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def positions(self, rows, cols):
        table = self.pos_embed[:, 1:]
        if (rows, cols) != (TABLE, TABLE):
            table = table.reshape(1, TABLE, TABLE, -1).permute(0, 3, 1, 2)
            table = F.interpolate(table, size=(rows, cols), mode="bicubic", antialias=True)
            table = table.permute(0, 2, 3, 1).flatten(1, 2)
        return torch.cat([self.pos_embed[:, :1], table], dim=1)

    def forward(self, images):
        n, _, h, w = images.shape
        x = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(n, -1, -1), x], dim=1)
        x = x + self.positions(h // 14, w // 14)
        x = torch.cat([x[:, :1], self.register_tokens.expand(n, -1, -1), x[:, 1:]], dim=1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return x[:, SPECIAL:]


class Aggregator(nn.Module):
    def __init__(self, c, form):
        super().__init__()
        dim = c["dim"]
        self.patch_embed = Dino(c, form)
        self.camera_token = nn.Parameter(torch.empty(1, 2, 1, dim))
        self.register_token = nn.Parameter(torch.empty(1, 2, SPECIAL - 1, dim))
        self.frame_blocks = nn.ModuleList([Block(dim, c["heads"], 1e-5, form, True) for _ in range(c["depth"])])
        self.global_blocks = nn.ModuleList([Block(dim, c["heads"], 1e-5, form, True) for _ in range(c["depth"])])
        self.head_dim = dim // c["heads"]
        self.register_buffer("mean", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.empty(1, 3, 1, 1), persistent=False)

    @staticmethod
    def first_and_others(token, frames):
        """Index 0 is the first frame's, index 1 every other frame's."""
        return torch.cat([token[0, :1], token[0, 1:].expand(frames - 1, -1, -1)])

    def forward(self, images, see=None):
        frames, _, h, w = images.shape
        images = (images - self.mean) / self.std
        patches = self.patch_embed(images)
        if see:
            see("dino_patch_tokens", patches)
        dim = patches.shape[-1]
        camera = self.first_and_others(self.camera_token, frames)
        registers = self.first_and_others(self.register_token, frames)
        x = torch.cat([camera, registers, patches], dim=1)
        length = x.shape[1]
        rope = Rope(h // 14, w // 14, frames, self.head_dim, x.device)
        pairs = []
        for frame_block, global_block in zip(self.frame_blocks, self.global_blocks):
            x = frame_block(x.view(frames, length, dim), rope.frame)
            of_frame = x
            x = global_block(x.view(1, frames * length, dim), rope.all)
            pairs.append(torch.cat([of_frame, x.view(frames, length, dim)], dim=-1))
        return pairs


class PoseBranch(Mlp):
    pass


class CameraHead(nn.Module):
    def __init__(self, c, form):
        super().__init__()
        dim = 2 * c["dim"]
        self.empty_pose_tokens = nn.Parameter(torch.empty(1, 1, 9))
        self.trunk = nn.ModuleList([Block(dim, c["heads"], 1e-5, form) for _ in range(c["trunk"])])
        self.token_norm = nn.LayerNorm(dim)
        self.trunk_norm = nn.LayerNorm(dim)
        self.embed_pose = nn.Linear(9, dim)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        self.plain_norm = nn.LayerNorm(dim, eps=1e-6, elementwise_affine=False)
        self.pose_branch = PoseBranch(dim, dim // 2, 9)

    def forward(self, pair):
        """pair [frames, tokens, 2 dim] -> the pose of each iteration, [1, frames, 9] with the angles through ReLU."""
        z = self.token_norm(pair[None, :, 0])
        pose, poses = None, []
        for _ in range(CAMERA_ITERATIONS):
            e = self.embed_pose(self.empty_pose_tokens.expand(1, z.shape[1], -1) if pose is None else pose)
            shift, scale, gate = self.poseLN_modulation(e).chunk(3, dim=-1)
            h = gate * (self.plain_norm(z) * (1 + scale) + shift) + z
            for block in self.trunk:
                h = block(h)
            delta = self.pose_branch(self.trunk_norm(h))
            pose = delta if pose is None else pose + delta
            poses.append(torch.cat([pose[..., :7], pose[..., 7:].relu()], dim=-1))
        return poses


def position_code(rows, cols, channels, aspect, device):
    """[channels, rows, cols], the factor 0.1 included."""
    diagonal = math.sqrt(aspect * aspect + 1)
    quarter = channels // 4
    omega = 100.0 ** (-torch.arange(quarter, dtype=torch.float64, device=device) / quarter)

    def line(half, n):
        end = half * (n - 1) / n
        return torch.linspace(-end, end, n, dtype=torch.float64, device=device)[:, None] * omega

    u, v = line(aspect / diagonal, cols), line(1 / diagonal, rows)
    u = torch.cat([u.sin(), u.cos()], dim=1).float().t()[:, None, :].expand(-1, rows, -1)
    v = torch.cat([v.sin(), v.cos()], dim=1).float().t()[:, :, None].expand(-1, -1, cols)
    return 0.1 * torch.cat([u, v])


def enlarge(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


class ResidualUnit(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, 3, padding=1)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        x = F.relu(x, inplace=True)  # in place: the skip adds what the ReLU made
        y = self.conv1(x)
        y = F.relu(y, inplace=True)
        y = self.conv2(y)
        return y + x


class Fusion(nn.Module):
    def __init__(self, c, lowest):
        super().__init__()
        self.out_conv = nn.Conv2d(c, c, 1)
        if not lowest:
            self.resConfUnit1 = ResidualUnit(c)
        self.resConfUnit2 = ResidualUnit(c)

    def forward(self, x, level, size):
        if level is not None:
            x = x + self.resConfUnit1(level)
        x = self.resConfUnit2(x)
        x = enlarge(x, size)
        return self.out_conv(x)


class Scratch(nn.Module):
    def __init__(self, outc, feat):
        super().__init__()
        for i, c in enumerate(outc, 1):
            setattr(self, "layer%d_rn" % i, nn.Conv2d(c, feat, 3, padding=1, bias=False))
            setattr(self, "refinenet%d" % i, Fusion(feat, i == 4))
        self.output_conv1 = nn.Conv2d(feat, feat // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(nn.Conv2d(feat // 2, 32, 3, padding=1), nn.ReLU(inplace=True),
                                          nn.Conv2d(32, 2, 1))


class DepthHead(nn.Module):
    def __init__(self, c):
        super().__init__()
        dim, outc = 2 * c["dim"], c["outc"]
        self.idx = c["idx"]
        self.norm = nn.LayerNorm(dim)
        self.projects = nn.ModuleList([nn.Conv2d(dim, o, 1) for o in outc])
        self.resize_layers = nn.ModuleList([
            nn.ConvTranspose2d(outc[0], outc[0], 4, stride=4), nn.ConvTranspose2d(outc[1], outc[1], 2, stride=2),
            nn.Identity(), nn.Conv2d(outc[3], outc[3], 3, stride=2, padding=1)])
        self.scratch = Scratch(outc, c["feat"])

    def add_position(self, x, h, w):
        return x + position_code(x.shape[2], x.shape[3], x.shape[1], w / h, x.device)

    def chunk(self, pairs, first, last, h, w):
        s = self.scratch
        levels = []
        for i, k in enumerate(self.idx):
            x = self.norm(pairs[k][first:last, SPECIAL:])
            x = x.transpose(1, 2).reshape(last - first, -1, h // 14, w // 14)
            x = self.add_position(self.projects[i](x), h, w)
            x = self.resize_layers[i](x)
            levels.append(getattr(s, "layer%d_rn" % (i + 1))(x))
        x = s.refinenet4(levels[3], None, levels[2].shape[2:])
        x = s.refinenet3(x, levels[2], levels[1].shape[2:])
        x = s.refinenet2(x, levels[1], levels[0].shape[2:])
        x = s.refinenet1(x, levels[0], tuple(2 * n for n in levels[0].shape[2:]))
        x = s.output_conv1(x)
        x = enlarge(x, (h, w))
        x = self.add_position(x, h, w)
        x = s.output_conv2(x)
        return x[:, 0].exp(), x[:, 1].sigmoid()

    def forward(self, pairs, h, w):
        frames = pairs[0].shape[0]
        depth, conf = zip(*[self.chunk(pairs, i, min(i + CHUNK, frames), h, w) for i in range(0, frames, CHUNK)])
        return torch.cat(depth), torch.cat(conf)


def cameras(pose, h, w):
    """pose [frames, 9] -> w2c [frames, 4, 4], K [frames, 3, 3]"""
    t, (x, y, z, r), fov = pose[:, :3], pose[:, 3:7].unbind(1), pose[:, 7:]
    s = 2 / (pose[:, 3:7] ** 2).sum(1)
    rows = [1 - s * (y * y + z * z), s * (x * y - z * r), s * (x * z + y * r), t[:, 0],
            s * (x * y + z * r), 1 - s * (x * x + z * z), s * (y * z - x * r), t[:, 1],
            s * (x * z - y * r), s * (y * z + x * r), 1 - s * (x * x + y * y), t[:, 2]]
    zero, one = torch.zeros_like(r), torch.ones_like(r)
    w2c = torch.stack(rows + [zero, zero, zero, one], dim=1).view(-1, 4, 4)
    fy, fx = h / 2 / (fov[:, 0] / 2).tan(), w / 2 / (fov[:, 1] / 2).tan()
    k = torch.stack([fx, zero, one * w / 2, zero, fy, one * h / 2, zero, zero, one], dim=1).view(-1, 3, 3)
    return w2c, k


def unproject(depth, k):
    _, h, w = depth.shape
    v, u = torch.meshgrid(torch.arange(h, device=depth.device, dtype=depth.dtype),
                          torch.arange(w, device=depth.device, dtype=depth.dtype), indexing="ij")
    x = (u - k[:, 0, 2, None, None]) / k[:, 0, 0, None, None] * depth
    y = (v - k[:, 1, 2, None, None]) / k[:, 1, 1, None, None] * depth
    return torch.stack([x, y, depth], dim=-1)


class Front(nn.Module):
    """video [n, 3, .., ..] of 0..1, size (h, w) of the network -> depth, confidence, points, pose, w2c, c2w, K."""

    def __init__(self, c, form):
        super().__init__()
        self.aggregator = Aggregator(c, form)
        self.camera_head = CameraHead(c, form)
        self.depth_head = DepthHead(c)

    def forward(self, video, size, see=None):
        h, w = size
        images = F.interpolate(video, size=size, mode="bicubic", align_corners=False)  # exact where nothing changes
        if see:
            see("aggregator_input_image", images)
        pairs = self.aggregator(images, see)
        poses = self.camera_head(pairs[-1])
        depth, conf = self.depth_head(pairs, h, w)
        w2c, k = cameras(poses[-1][0], h, w)
        c2w = torch.linalg.inv(w2c.cpu()).to(w2c.device)
        points = unproject(depth, k)
        if see:
            for i, pair in enumerate(pairs):
                see("aggregated_tokens.%d" % i, pair)
            for i, pose in enumerate(poses):
                see("pose_enc.%d" % i, pose)
        return dict(depth=depth, conf=conf, points=points, pose=poses[-1], w2c=w2c, c2w=c2w, k=k)


def build(preset, form, device):
    """The network with synthetic weights, by the rule of tests/data/README.md, on the device, ready to run."""
    with torch.device("meta"):
        net = Front(PRESETS[preset], form)
    net = net.to_empty(device=device).eval().requires_grad_(False)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            fill(name, parameter)
        net.aggregator.mean.copy_(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        net.aggregator.std.copy_(torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
    return net


# ---- synthetic weights ----------------------------------------------------------------------------------------------


def signed(n):
    """n modulo 2^64 as the number that an int64 holds."""
    n &= (1 << 64) - 1
    return n - (1 << 64) if n >> 63 else n


def fnv1a(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & ((1 << 64) - 1)
    return h


def shift(z, n):
    """z >> n of what is unsigned."""
    return (z >> n) & ((1 << (64 - n)) - 1)


def uniform(key, first, n, device):
    """u_first .. u_(first+n-1), float32 in [-1, 1)"""
    z = torch.arange(first + 1, first + n + 1, dtype=torch.int64, device=device)
    z = z * signed(0x9E3779B97F4A7C15) + signed(key)
    z = (z ^ shift(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shift(z, 27)) * signed(0x94D049BB133111EB)
    z = z ^ shift(z, 31)
    return shift(z, 40).to(torch.float32) * 2.0 ** -23 - 1


def scale_and_offset(name, shape):
    last = name.rsplit(".", 1)[-1]
    if last == "bias":
        return 0.02, 0.0
    if last == "gamma":
        return 0.1, 0.3
    if last == "weight" and len(shape) == 1:
        return 0.1, 1.0
    if last == "weight":
        small = name.endswith("pose_branch.fc2.weight")
        return math.sqrt(3 / math.prod(shape[1:])) * (0.1 if small else 1.0), 0.0
    return 0.5, 0.0


def fill(name, parameter, at_once=1 << 24):
    key, flat = fnv1a(name), parameter.view(-1)
    scale, offset = (torch.tensor(x, dtype=torch.float32, device=flat.device)
                     for x in scale_and_offset(name, parameter.shape))
    for first in range(0, flat.numel(), at_once):
        n = min(at_once, flat.numel() - first)
        flat[first:first + n] = uniform(key, first, n, flat.device) * scale + offset
    if name == "camera_head.pose_branch.fc2.bias":
        flat[6:] += 0.25
