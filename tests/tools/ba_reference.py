#!/usr/bin/env python3
"""The planted scenes of the bundle adjustment, solved by scipy.optimize.least_squares.

    ba_reference.py path/to/ba_scene NAME .. > tests/data/ba_scenes.txt

Needs numpy and scipy; the tests read the numbers stored in tests/data and need neither. Independent of the code under
test: rotation vectors instead of quaternions, a sparse Jacobian of all unknowns at once instead of eliminated points,
scipy's trust region. Where scipy's inner solver (LSMR) crawls, its result is started again until the cost stands still.
Apart from that optimum, the Levenberg-Marquardt iteration with the settings of the code under test is done here with dense
normal equations: where it stops short of the optimum, the code under test must stop at the same cost.

Output, a scene: a line `scene NAME frames points observations cost_start cost lm_cost lm_iterations`, then for every frame
a line `qx qy qz qw tx ty tz` (world to camera) of the optimum.
"""
import subprocess
import sys

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation


class Scene:
    def __init__(self, text):
        lines = text.splitlines()
        self.name, frames, points, n_obs = lines[0].split()
        self.frames, self.points = int(frames), int(points)
        table = np.array([line.split() for line in lines[1 : 1 + self.frames]], dtype=float)
        self.f, self.centre = table[:, 0], table[:, 1:3]
        self.rotation, self.t = Rotation.from_quat(table[:, 3:7]), table[:, 7:10]
        at = 1 + self.frames
        self.xyz = np.array([line.split() for line in lines[at : at + self.points]], dtype=float)
        seen = np.array([line.split() for line in lines[at + self.points :]], dtype=float)
        assert len(seen) == int(n_obs)
        self.n, self.frame, self.px = seen[:, 0].astype(int), seen[:, 1].astype(int), seen[:, 2:4]

    def start(self):
        return np.concatenate([np.zeros(3 * (self.frames - 1)), self.t[1:].ravel(), self.xyz.ravel()])

    def unpack(self, x):
        k = 3 * (self.frames - 1)
        turn = Rotation.from_rotvec(np.vstack([np.zeros(3), x[:k].reshape(-1, 3)]))
        return turn * self.rotation, np.vstack([self.t[:1], x[k : 2 * k].reshape(-1, 3)]), x[2 * k :].reshape(-1, 3)

    def camera_points(self, x):
        rotation, t, xyz = self.unpack(x)
        matrices = rotation.as_matrix()[self.frame]
        turned = np.einsum("oij,oj->oi", matrices, xyz[self.n])
        return matrices, turned, turned + t[self.frame]

    def residuals(self, x):
        _, _, c = self.camera_points(x)
        return (self.f[self.frame, None] * c[:, :2] / c[:, 2:] + self.centre[self.frame] - self.px).ravel()

    def jacobian(self, x):
        """Rotation columns: d/d rotvec by the left Jacobian of the rotation vector."""
        matrices, turned, c = self.camera_points(x)
        f, z = self.f[self.frame], c[:, 2]
        pi = np.zeros((len(z), 2, 3))
        pi[:, 0, 0] = pi[:, 1, 1] = f / z
        pi[:, :, 2] = -(f / z**2)[:, None] * c[:, :2]
        k = 3 * (self.frames - 1)
        left = np.concatenate([np.eye(3)[None], left_jacobians(x[:k].reshape(-1, 3))])
        by_turn = pi @ -cross_matrices(turned) @ left[self.frame]
        rows, cols, values = [], [], []

        def add(block, first_col, mask):
            r = 2 * np.flatnonzero(mask)[:, None, None] + np.arange(2)[None, :, None]
            cc = first_col[mask][:, None, None] + np.arange(3)[None, None, :]
            rows.append(np.broadcast_to(r, block[mask].shape).ravel())
            cols.append(np.broadcast_to(cc, block[mask].shape).ravel())
            values.append(block[mask].ravel())

        moving = self.frame > 0
        add(by_turn, 3 * (self.frame - 1), moving)
        add(pi, k + 3 * (self.frame - 1), moving)
        add(pi @ matrices, 2 * k + 3 * self.n, np.ones_like(moving))
        shape = (2 * len(z), len(x))
        return csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols))), shape=shape)


def cross_matrices(v):
    m = np.zeros((len(v), 3, 3))
    m[:, 0, 1], m[:, 0, 2], m[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    return m - m.transpose(0, 2, 1)


def left_jacobians(w):
    theta = np.linalg.norm(w, axis=1)[:, None, None]
    k = cross_matrices(w)
    safe = np.where(theta > 1e-6, theta, 1.0)
    a = np.where(theta > 1e-6, (1 - np.cos(safe)) / safe**2, 0.5)
    b = np.where(theta > 1e-6, (safe - np.sin(safe)) / safe**3, 1 / 6)
    return np.eye(3) + a * k + b * (k @ k)


def check_jacobian(scene, x):
    rng = np.random.default_rng(0)
    d = rng.standard_normal(len(x))
    numeric = (scene.residuals(x + 1e-7 * d) - scene.residuals(x - 1e-7 * d)) / 2e-7
    exact = scene.jacobian(x) @ d
    assert np.linalg.norm(numeric - exact) < 1e-6 * np.linalg.norm(exact)


def solve(scene):
    x = scene.start()
    check_jacobian(scene, x + 1e-3)
    start = 0.5 * np.sum(scene.residuals(x) ** 2)
    last = start
    for _ in range(40):
        result = least_squares(
            scene.residuals, x, scene.jacobian, method="trf", x_scale="jac", tr_solver="lsmr", max_nfev=60,
            ftol=1e-14, xtol=1e-14, gtol=1e-14, tr_options={"atol": 1e-12, "btol": 1e-12, "maxiter": 2000},
        )
        x = result.x
        print(f"{scene.name}: cost {result.cost:.9g}, {result.nfev} evaluations, {result.message}", file=sys.stderr)
        if last - result.cost <= 1e-9 * result.cost:
            break
        last = result.cost
    return start, result.cost, x


def levenberg_marquardt(scene):
    """
    Trust radius 1, at most 10, diagonal 1e-3 .. 1e10, Jacobi scaling, 10 non-monotonic steps, 100 iterations. A rotation
    moves by exp(half-angle): (sin|v| v/|v|, cos|v|), a turn by 2 |v|; its vector is 0 again after each step.
    """
    k = 3 * (scene.frames - 1)
    x = scene.start()
    cost = lowest = reference = candidate = 0.5 * np.sum(scene.residuals(x) ** 2)
    sum_reference = sum_candidate = 0.0
    radius, shrink, above, best, scale = 1.0, 2.0, 0, cost, None
    for iteration in range(1, 101):
        jacobian = scene.jacobian(x)
        jacobian = jacobian.multiply(np.where(np.arange(len(x)) < k, 2.0, 1.0)).tocsr()
        hessian, gradient = (jacobian.T @ jacobian).toarray(), jacobian.T @ scene.residuals(x)
        diagonal = np.diag(hessian).copy()
        if scale is None:
            scale = 1 / (1 + np.sqrt(diagonal))
        damping = np.clip(diagonal * scale**2, 1e-3, 1e10) / (radius * scale**2)
        hessian[np.diag_indices_from(hessian)] += damping
        step = -cho_solve(cho_factor(hessian, overwrite_a=True), gradient)
        promised = 0.5 * np.sum(step * (step * damping - gradient))
        base = scene.rotation
        moved = x + step
        moved[:k] = 0
        turn = Rotation.from_rotvec(np.vstack([np.zeros(3), 2 * step[:k].reshape(-1, 3)]))
        scene.rotation = turn * base
        new = 0.5 * np.sum(scene.residuals(moved) ** 2)
        best = min(best, new)
        if abs(cost - new) <= 1e-8 * cost:
            break
        ratio = max((cost - new) / promised, (reference - new) / (sum_reference + promised))
        if ratio <= 1e-3:
            scene.rotation = base
            radius, shrink = radius / shrink, 2 * shrink
            continue
        x, cost, shrink = moved, new, 2.0
        radius = min(10.0, radius / max(1 / 3, 1 - (2 * ratio - 1) ** 3))
        sum_reference, sum_candidate = sum_reference + promised, sum_candidate + promised
        if cost < lowest:
            lowest = candidate = cost
            above, sum_candidate = 0, 0.0
        else:
            above += 1
            if cost > candidate:
                candidate, sum_candidate = cost, 0.0
        if above == 10:
            reference, sum_reference = candidate, sum_candidate
    return best, iteration


def main():
    tool, names = sys.argv[1], sys.argv[2:]
    for name in names:
        scene = Scene(subprocess.run([tool, name], check=True, capture_output=True, text=True).stdout)
        start, cost, x = solve(scene)
        rotation, t, _ = scene.unpack(x)
        lm_cost, lm_iterations = levenberg_marquardt(scene)
        costs = f"{start:.12g} {cost:.12g} {lm_cost:.12g} {lm_iterations}"
        print("scene", scene.name, scene.frames, scene.points, len(scene.n), costs)
        for q, v in zip(rotation.as_quat(), t):
            print(" ".join(f"{value:.10g}" for value in [*q, *v]))


if __name__ == "__main__":
    main()
