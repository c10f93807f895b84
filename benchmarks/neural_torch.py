"""The neural actor-critic kernel against the same loop in PyTorch: one trajectory, two clocks, paired.

Both get the same seed and draw the same uniforms in the same order, and a run starts by checking that they give the
same parameters. PyTorch is given the better of two forms, agents batched in both, on one thread: gradients by
autograd, and by hand under ``inference_mode`` without a graph. ``python -m benchmarks.neural_torch`` prints both;
PyTorch is optional.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from algorithms.neural._policies import policy_arrays
from algorithms.neural.loop import gossip_matrix
from benchmarks.neural_c import Case

Form = Literal["autograd", "manual"]

COMPARED = 200
"""Outer iterations after which both must have the same parameters; ours."""

TOLERANCE = 1e-8
"""Largest difference then, relative to the largest entry: sums come in another order."""

REPETITIONS = 7
ITERATIONS = {"numba": 20_000, "torch": 400}
"""Outer iterations of one timed run: long against the clock, short against the machine's other jobs; ours."""

FASTER = 20.0
"""How many times faster than PyTorch the kernel is to be."""


def available() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


@dataclass(eq=False)
class TorchLoop:
    """The printed loop on log-linear policies, K, M, t_gossip as in `case`; the lines are those of the listings.

    Attributes:
        case: what to run.
        form: how the critic's gradient is taken.
    """

    case: Case
    form: Form = "manual"

    def __post_init__(self) -> None:
        import torch

        case, self.torch = self.case, torch
        mdp, net = case.problem.mdp, case.network
        policy = policy_arrays(case.problem.policy)

        def tensor(x: Any) -> Any:
            return torch.tensor(np.asarray(x), dtype=torch.float64)

        self.psi = tensor(policy.psi).transpose(0, 1).contiguous()  # (S, N, A, P)
        self.first = tensor(net.first_layer()).reshape(mdp.n_states, mdp.n_joint_actions, -1)
        self.centre, self.b = tensor(net.W0), tensor(net.b)
        self.gossip = tensor(gossip_matrix(case.problem.schedule, mdp.n_agents, case.steps.gossip_rounds))
        self.rewards = tensor(mdp.r).permute(1, 2, 0).contiguous()  # (S, A, N)
        # draws are made from lists: indexing a tensor for every probability would cost more than the network
        self.P, self.initial = mdp.P.tolist(), mdp.initial.tolist()
        self.scale, self.n_actions = net.width**-0.5, [int(k) for k in policy.n_actions]

    def run(self, seed: int, horizon: int) -> tuple[float, np.ndarray]:
        """Seconds, and all that was written, end to end.

        Args:
            seed: of the run.
            horizon: outer iterations.
        """
        torch, N = self.torch, len(self.n_actions)
        rng = np.random.default_rng(seed)
        theta = torch.zeros(N, self.psi.shape[3], dtype=torch.float64)
        s = _draw(rng, self.initial)
        start = time.perf_counter()
        with torch.inference_mode(self.form == "manual"):
            for t in range(horizon):
                W, s = self._critic(rng, theta, s)
                direction, s = self._batch(rng, theta, W, s)
                norm = direction.norm(dim=1, keepdim=True)
                step = self.case.steps.alpha / (t + 1.0) ** self.case.steps.alpha_exponent
                theta += torch.where(norm > 0, step * direction / norm, torch.zeros_like(direction))  # 1.17
        elapsed = time.perf_counter() - start
        return elapsed, np.concatenate([x.detach().numpy().ravel() for x in (theta, W, direction)])

    def _critic(self, rng: np.random.Generator, theta: Any, s: int) -> tuple[Any, int]:
        """Algorithm 2 for all agents at once."""
        torch, steps, N = self.torch, self.case.steps, len(self.n_actions)
        w = self.centre.expand(N, *self.centre.shape).clone()
        mean, last = w.clone(), s
        a = self._act(rng, theta, s)[0]
        for k in range(steps.critic_iterations):
            last, s_next = s, self._move(rng, s, a)
            a_next = self._act(rng, theta, s_next)[0]
            pairs = torch.stack((self.first[s, a], self.first[s_next, a_next]), dim=1)
            step = self._autograd if self.form == "autograd" else self._by_hand
            w = step(w, pairs, self.rewards[s, a])
            offset = w - self.centre
            norm = offset.flatten(2).norm(dim=2).clamp_(min=steps.radius)
            w = torch.addcmul(self.centre, offset, (steps.radius / norm)[:, :, None, None])  # 2.8
            mean.mul_((k + 1) / (k + 2)).add_(w, alpha=1 / (k + 2))  # 2.9
            s, a = s_next, a_next
        return (self.gossip @ mean.flatten(1)).view_as(mean), last  # 2.12, 2.13

    def _by_hand(self, w: Any, pairs: Any, rewards: Any) -> Any:
        """Lines 2.6 and 2.7; both pairs go forward together, only the first has a gradient."""
        torch, D = self.torch, w.shape[1]
        layers = [pairs.expand(len(w), -1, -1)]
        for h in range(D):
            layers.append(torch.bmm(w[:, h], layers[-1]).clamp_(min=0.0).mul_(self.scale))
        values = self.b @ layers[-1]
        step = -self.case.steps.critic_step * (values[:, 0] - rewards - self.case.problem.mdp.gamma * values[:, 1])
        back, moved = (step[:, None] * self.b)[:, :, None], w.clone()
        for h in range(D - 1, -1, -1):
            back = back * (layers[h + 1][:, :, :1] > 0) * self.scale
            moved[:, h].baddbmm_(back, layers[h][:, :, :1].transpose(1, 2))
            if h:
                back = torch.bmm(w[:, h].transpose(1, 2), back)
        return moved

    def _autograd(self, w: Any, pairs: Any, rewards: Any) -> Any:
        """The same with a graph for the first pair only; agents do not see each other's weights, so one sum serves."""
        torch = self.torch
        w.requires_grad_(True)
        here = self._values(w, pairs[:, :1])[:, 0]
        (slope,) = torch.autograd.grad(here.sum(), w)
        with torch.no_grad():
            after = self._values(w, pairs[:, 1:])[:, 0]
            delta = here - rewards - self.case.problem.mdp.gamma * after
            return w - self.case.steps.critic_step * delta[:, None, None, None] * slope

    def _values(self, w: Any, pairs: Any) -> Any:
        x = pairs.expand(len(w), -1, -1)
        for h in range(w.shape[1]):
            x = self.torch.relu(self.torch.bmm(w[:, h], x)) * self.scale
        return self.b @ x

    def _batch(self, rng: np.random.Generator, theta: Any, W: Any, s: int) -> tuple[Any, int]:
        """Lines 1.4 to 1.16."""
        torch, M, direction = self.torch, self.case.steps.batch, self.torch.zeros_like(theta)
        a, local, probs = self._act(rng, theta, s)
        agents = torch.arange(len(local))
        for _ in range(M):
            s_next = self._move(rng, s, a)
            a_next, local_next, probs_next = self._act(rng, theta, s_next)
            pairs = torch.stack((self.first[s, a], self.first[s_next, a_next]), dim=1)
            values = self._values(W, pairs)
            delta = values[:, 0] - self.rewards[s, a] - self.case.problem.mdp.gamma * values[:, 1]
            psi = self.psi[s]
            score = psi[agents, local] - torch.bmm(probs[:, None], psi)[:, 0]
            direction += (self.gossip @ delta / M)[:, None] * score
            s, a, local, probs = s_next, a_next, local_next, probs_next
        return direction, s

    def _act(self, rng: np.random.Generator, theta: Any, s: int) -> tuple[int, list[int], Any]:
        logits = self.torch.bmm(self.psi[s], theta[:, :, None])[:, :, 0]
        probs = logits.softmax(dim=1)
        local, joint = [], 0
        for size, row in zip(self.n_actions, probs.tolist(), strict=True):
            local.append(_draw(rng, row[:size]))
            joint = joint * size + local[-1]
        return joint, local, probs

    def _move(self, rng: np.random.Generator, s: int, a: int) -> int:
        """Successor by the restart kernel, from which data and target both come as printed."""
        successor = _draw(rng, self.P[s][a])
        return _draw(rng, self.initial) if rng.random() >= self.case.problem.mdp.gamma else successor


def _draw(rng: np.random.Generator, law: list[float]) -> int:
    u, total = rng.random(), 0.0
    for k, p in enumerate(law[:-1]):
        total += p
        if u < total:
            return k
    return len(law) - 1


def trajectory_gap(case: Case, form: Form, *, seed: int = 1, horizon: int = COMPARED) -> float:
    """Largest difference of anything the two loops write, relative to the largest entry.

    Args:
        case: what to run.
        form: of the gradient.
        seed: of both.
        horizon: outer iterations.
    """
    ours, theirs = case.in_numba(seed, horizon)[1], TorchLoop(case, form).run(seed, horizon)[1]
    return float(np.abs(ours - theirs).max() / np.abs(ours).max())


def compare(case: Case, form: Form) -> tuple[float, np.ndarray]:
    """Median microseconds of one PyTorch iteration, and the paired ratios PyTorch / numba.

    Args:
        case: what to run.
        form: of the gradient.

    Raises:
        AssertionError: the trajectories differ by more than `TOLERANCE`.
    """
    gap = trajectory_gap(case, form)
    if not gap <= TOLERANCE:
        raise AssertionError(f"the PyTorch loop ({form}) leaves the kernel's trajectory, relative gap {gap:.2g}")
    loop, pairs = TorchLoop(case, form), []
    for k in range(REPETITIONS):
        theirs = loop.run(k, ITERATIONS["torch"])[0] / ITERATIONS["torch"]
        ours = case.in_numba(k, ITERATIONS["numba"])[0] / ITERATIONS["numba"]
        pairs.append((ours, theirs))
    times = np.array(pairs)
    return 1e6 * float(np.median(times[:, 1])), times[:, 1] / times[:, 0]


def main() -> int:
    """Print the table; 0 if the kernel is fast enough, 1 if not, 2 without PyTorch."""
    if not available():
        print("PyTorch is not installed: pip install torch (or the extra lemmata[pursuit])", file=sys.stderr)
        return 2
    import torch

    torch.set_num_threads(1)  # matrices of 20 x 20: more threads only wait for each other
    print(f"zhang2025, printed loop, N = 2, m = 20, D = 5, K = M = 1: PyTorch {torch.__version__} / numba")
    print(f"{REPETITIONS} paired runs, one thread; limit: {FASTER:g} times, against the faster form")
    slowest_ratio = np.inf
    for form in get_args(Form):
        microseconds, ratios = compare(Case.default(), form)
        median = float(np.median(ratios))
        slowest_ratio = min(slowest_ratio, median)
        print(f"{form:10}{microseconds:10.0f} us  median {median:6.1f}  ({ratios.min():.1f}..{ratios.max():.1f})")
    return int(slowest_ratio < FASTER)


if __name__ == "__main__":
    raise SystemExit(main())
