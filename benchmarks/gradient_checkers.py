"""Gradient checkers beside each other, and how right float32 answers fare: the figures of docs/numerics.md.

    python benchmarks/gradient_checkers.py [--draws 200] [--seed 0]

prints three tables in Markdown. The first two have a row for each case (right gradients, then wrong ones) and a
column for each recipe. The recipes are re-implemented from their descriptions: CS231n's (central differences,
h = 1e-5, relative error 1e-7), deeplearning.ai's (h = 1e-7, ratio of norms 2e-7), the one of the first homework of
Deep Learning Systems (dlsys: h = 1e-4, norm of the difference 1e-6, an upstream gradient of ones), PyTorch's
`gradcheck` with its defaults (h = 1e-6, |a − n| ≤ 1e-5 + 1e-3·|n|), JAX's `check_grads` with its own (float32: the
point and the loss are rounded to it; one random direction, h = 1e-4, |a − n| ≤ 2e-3 + 2e-3·|n|), and
`autograder.numerics.gradient`. A draw counts as an alarm, or as caught, when any of its tensors is found wrong. The
third compares float32 answers, computed in another style
than the reference's, as grading does.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autograder.checking import compare, gradient, tolerances
from autograder.checking.numerics import conditioning

Array = npt.NDArray[Any]
Loss = Callable[[Array], Any]


@dataclass(frozen=True)
class Tensor:
    """A tensor that a loss is differentiated by: where, the gradient that is claimed, and float32 or not.

    ``with_ones`` is the loss and the claimed gradient for an upstream gradient of ones, where another is drawn.
    """

    loss: Loss
    x: Array
    claimed: Array
    single: bool = False
    with_ones: tuple[Loss, Array] | None = None


@dataclass
class Count:
    """What a recipe used: evaluations of the loss, entries, and entries without a verdict."""

    evaluations: int = 0
    entries: int = 0
    undecided: int = 0


def central(loss: Loss, x: Array, h: float) -> Array:
    slopes = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        forth, back = x.copy(), x.copy()
        forth[index] += h
        back[index] -= h
        slopes[index] = (float(loss(forth)) - float(loss(back))) / (2 * h)
    return slopes


def cs231n(tensor: Tensor, _: Count) -> bool:
    slopes = central(tensor.loss, tensor.x, 1e-5)
    larger = np.maximum(np.abs(tensor.claimed), np.abs(slopes))
    return bool(np.all(np.abs(tensor.claimed - slopes) <= 1e-7 * larger))


def deeplearning_ai(tensor: Tensor, _: Count) -> bool:
    slopes = central(tensor.loss, tensor.x, 1e-7)
    norms = np.linalg.norm(tensor.claimed) + np.linalg.norm(slopes)
    return bool(np.linalg.norm(tensor.claimed - slopes) <= 2e-7 * norms)


def dlsys(tensor: Tensor, _: Count) -> bool:
    loss, claimed = tensor.with_ones or (tensor.loss, tensor.claimed)
    return bool(np.linalg.norm(claimed - central(loss, tensor.x, 1e-4)) < 1e-6)


def check_grads(tensor: Tensor, _: Count) -> bool:
    direction = np.random.RandomState(0).randn(*tensor.x.shape).astype(np.float32)
    moved = [np.float32(tensor.loss((tensor.x + h * direction).astype(np.float32))) for h in (1e-4, -1e-4)]
    slope = float((moved[0] - moved[1]) / np.float32(2e-4))
    return bool(abs(float(np.sum(tensor.claimed * direction)) - slope) <= 2e-3 + 2e-3 * abs(slope))


def gradcheck(tensor: Tensor, _: Count) -> bool:
    slopes = central(tensor.loss, tensor.x, 1e-6)
    return bool(np.all(np.abs(tensor.claimed - slopes) <= 1e-5 + 1e-3 * np.abs(slopes)))


def ours(tensor: Tensor, count: Count) -> bool:
    found = gradient(tensor.loss, tensor.x)
    count.undecided += int(np.count_nonzero(~found.trusted))
    relative, floor = tolerances(tensor.single)
    error = found.error[found.trusted]
    value = found.value[found.trusted]
    return compare(tensor.claimed[found.trusted], value, relative=relative, noise=error, floor=floor).ok


RECIPES = {
    "CS231n": cs231n,
    "deeplearning.ai": deeplearning_ai,
    "dlsys": dlsys,
    "PyTorch gradcheck": gradcheck,
    "JAX check_grads": check_grads,
    "ours": ours,
}


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Any, Array]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    dlogits = exponentials / sums
    dlogits[rows, labels] -= 1
    return -np.mean((shifted - np.log(sums))[rows, labels]), dlogits / dlogits.dtype.type(len(labels))


def network(params: dict[str, Array], x: Array, labels: Array, decay: float = 0.0) -> tuple[Any, dict[str, Array]]:
    hidden = x @ params["W1"] + params["b1"]
    active = np.maximum(hidden, 0)
    loss, dlogits = softmax_cross_entropy(active @ params["W2"] + params["b2"], labels)
    dhidden = (dlogits @ params["W2"].T) * (hidden > 0)
    loss = loss + decay / 2 * sum(np.sum(params[name] ** 2) for name in ("W1", "W2"))
    return loss, {
        "W1": x.T @ dhidden + decay * params["W1"],
        "b1": dhidden.sum(axis=0),
        "W2": active.T @ dlogits + decay * params["W2"],
        "b2": dlogits.sum(axis=0),
    }


def logits_case(rng: np.random.Generator, *, single: bool = False, confident: bool = False) -> list[Tensor]:
    labels = rng.integers(0, 5, 6)
    x = rng.normal(size=(6, 5)).astype(np.float32 if single else np.float64)
    if confident:
        x = np.asarray(x + 14 * np.eye(5, dtype=x.dtype)[labels])
    dtype = x.dtype

    def loss(logits: Array) -> Any:
        return softmax_cross_entropy(logits.astype(dtype), labels)[0]

    return [Tensor(loss, x.astype(np.float64), softmax_cross_entropy(x, labels)[1].astype(np.float64), single)]


def network_case(
    rng: np.random.Generator,
    *,
    sizes: tuple[int, int, int, int] = (6, 4, 5, 3),
    weight: float = 0.5,
    decay: float = 0.0,
    kink: bool = False,
) -> list[Tensor]:
    N, D, H, C = sizes
    x, labels = rng.normal(size=(N, D)), rng.integers(0, C, N)
    params = {
        "W1": rng.normal(size=(D, H)) * weight,
        "b1": rng.normal(size=H) / 10,
        "W2": rng.normal(size=(H, C)) * weight,
        "b2": rng.normal(size=C) / 10,
    }
    if kink:
        # One unit of one example stands 3e-8 from 0.
        params["b1"][0] += 3e-8 - (x @ params["W1"] + params["b1"])[0, 0]
    grads = network(params, x, labels, decay)[1]

    def loss_of(name: str) -> Loss:
        return lambda value: network({**params, name: value}, x, labels, decay)[0]

    return [Tensor(loss_of(name), params[name], grads[name]) for name in params]


def one_entry(tensors: list[Tensor], rng: np.random.Generator, factor: float) -> list[Tensor]:
    chosen = int(rng.integers(len(tensors)))
    claimed = tensors[chosen].claimed.copy()
    index = int(rng.integers(claimed.size))
    claimed.reshape(-1)[index] *= factor
    return [replace(t, claimed=claimed) if i == chosen else t for i, t in enumerate(tensors)]


def all_entries(tensors: list[Tensor], factor: float) -> list[Tensor]:
    return [replace(tensor, claimed=tensor.claimed * factor) for tensor in tensors]


def doubled_decay(rng: np.random.Generator) -> list[Tensor]:
    tensors = network_case(rng, decay=1e-4, weight=0.1)
    return [replace(t, claimed=t.claimed + 1e-4 * t.x) if t.x.ndim == 2 else t for t in tensors]


def without_bias(rng: np.random.Generator) -> list[Tensor]:
    tensors = network_case(rng)
    return [*tensors[:3], replace(tensors[3], claimed=np.zeros(3))]


def linear_case(rng: np.random.Generator, *, ignored: bool = False) -> list[Tensor]:
    """A linear layer below a random upstream gradient, which the backward pass may ignore."""
    x, W, upstream = rng.normal(size=(6, 4)), rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    ones = np.ones_like(upstream)
    taken = ones if ignored else upstream

    def loss_of(values: Array, dout: Array) -> Any:
        return np.sum(x @ values * dout)

    with_ones = (lambda values: loss_of(values, ones), x.T @ ones)
    return [Tensor(lambda values: loss_of(values, upstream), W, x.T @ taken, with_ones=with_ones)]


Case = Callable[[np.random.Generator], list[Tensor]]

RIGHT: dict[str, Case] = {
    "softmax cross-entropy, 6 × 5 logits": logits_case,
    "the same in float32": lambda rng: logits_case(rng, single=True),
    "two-layer ReLU network, 6 examples, 43 parameters": network_case,
    "the same, 32 examples, 134 parameters": lambda rng: network_case(rng, sizes=(32, 8, 10, 4)),
    "linear layer with a random upstream gradient": linear_case,
    "6 examples, 43 parameters, one unit 3e-8 from its kink": lambda rng: network_case(rng, kink=True),
}
WRONG: dict[str, Case] = {
    "one entry of the network's off by 0.01 %": lambda rng: one_entry(network_case(rng), rng, 1.0001),
    "one entry of dlogits off by 0.01 %": lambda rng: one_entry(logits_case(rng), rng, 1.0001),
    "1/N missing": lambda rng: all_entries(logits_case(rng), 6.0),
    "L2 term of 1e-4 doubled, weights about 0.1": doubled_decay,
    "db2 = 0": without_bias,
    "dlogits = 0 for confident logits (gradient about 1e-6)": lambda rng: all_entries(
        logits_case(rng, confident=True), 0.0
    ),
    "sign flipped for confident logits": lambda rng: all_entries(logits_case(rng, confident=True), -1.0),
    "linear layer that ignores its upstream gradient": lambda rng: linear_case(rng, ignored=True),
    "one entry of float32 dlogits off by 2 %": lambda rng: one_entry(logits_case(rng, single=True), rng, 1.02),
}


def counted(tensor: Tensor, count: Count) -> Tensor:
    def loss(x: Array) -> Any:
        count.evaluations += 1
        return tensor.loss(x)

    count.entries += tensor.x.size
    with_ones = tensor.with_ones
    if with_ones:
        both = replace(tensor, loss=with_ones[0], with_ones=None)
        with_ones = (counted(both, count).loss, with_ones[1])
        count.entries -= tensor.x.size
    return replace(tensor, loss=loss, with_ones=with_ones)


def table(cases: dict[str, Case], draws: int, seed: int, counts: dict[str, Count]) -> Iterator[str]:
    yield "| | " + " | ".join(RECIPES) + " |"
    yield "| --- |" + " ---: |" * len(RECIPES)
    for name, case in cases.items():
        cells = []
        for label, recipe in RECIPES.items():
            rng = np.random.default_rng(seed)
            count = Count()
            found = 0
            for _ in range(draws):
                verdicts = [recipe(counted(tensor, count), count) for tensor in case(rng)]
                found += not all(verdicts)
            undecided = f" ({count.undecided} entries undecided)" if count.undecided else ""
            cells.append(f"{found}{undecided}")
            total = counts[label]
            total.evaluations += count.evaluations
            total.entries += count.entries
        yield f"| {name} | " + " | ".join(cells) + " |"


def backwards(A: Array, B: Array) -> Array:
    """A @ B, its terms added one by one from the last, which rounds most."""
    out = np.zeros((A.shape[0], B.shape[1]), dtype=A.dtype)
    for k in reversed(range(A.shape[1])):
        out = out + np.outer(A[:, k], B[k])
    return out


def by_logarithms(logits: Array, labels: Array) -> tuple[Any, Array]:
    """`softmax_cross_entropy` in another style: through log-softmax and one-hot targets."""
    n = logits.dtype.type(len(labels))
    largest = logits.max(axis=1, keepdims=True)
    logs = logits - (largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))
    targets = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return -(logs * targets).sum() / n, np.exp(logs) / n - targets / n


def linear_backward(dout: Array, x: Array, W: Array) -> tuple[Array, Array]:
    return dout @ W.T, x.T @ dout


def one_by_one(dout: Array, x: Array, W: Array) -> tuple[Array, Array]:
    return backwards(dout, W.T), backwards(x.T, dout)


def single_inputs(rng: np.random.Generator, scale: float | None, *, small: bool) -> tuple[Any, ...]:
    """Logits of that scale and labels, or, without a scale, a linear layer whose sums cancel."""
    N, D, H, C = (int(n) for n in rng.integers([1, 2, 2, 2], [9, 9, 9, 6] if small else [300, 200, 60, 12]))
    if scale is not None:
        return (scale * rng.normal(size=(N, C))).astype(np.float32), rng.integers(0, C, N)
    dout = rng.normal(size=(N, H))
    x = 100 + 1e-3 * rng.normal(size=(N, D))
    inputs = (dout - dout.mean(axis=0), x, rng.normal(size=(D, H)))
    return tuple(values.astype(np.float32) for values in inputs)


def in_double(values: Array) -> Array:
    return values.astype(np.float64) if values.dtype == np.float32 else values


def single_table(draws: int, seed: int) -> Iterator[str]:
    relative, floor = tolerances(single=True)
    cases: dict[str, float | None] = {f"softmax cross-entropy, logits of scale {s}": s for s in (1, 3, 10, 30)}
    cases["linear backward, sums that cancel"] = None
    yield "| | small, called wrong | large, called wrong | most of the 32 roundings needed |"
    yield "| --- | ---: | ---: | ---: |"
    for name, scale in cases.items():
        reference, student = (linear_backward, one_by_one) if scale is None else (softmax_cross_entropy, by_logarithms)
        cells, need = [], 0.0
        for small in (True, False):
            rng = np.random.default_rng(seed)
            wrong = 0
            for _ in range(draws):
                inputs = single_inputs(rng, scale, small=small)
                desired: Any = reference(*map(in_double, inputs))
                noise = conditioning(reference, inputs, {}, single=True)
                right = True
                for a, d, allowed in zip(student(*inputs), desired, noise, strict=True):
                    right &= compare(a, d, relative=relative, noise=allowed, floor=floor).ok
                    excess = np.abs(a - d) - relative * np.abs(d) - floor * np.max(np.abs(d))
                    with np.errstate(divide="ignore", invalid="ignore"):
                        need = max(need, float(np.max(np.where(excess > 0, 32 * excess / allowed, 0.0))))
                wrong += not right
            cells.append(f"{wrong} of {draws}")
        yield f"| {name} | {cells[0]} | {cells[1]} | {need:.2g} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = {label: Count() for label in RECIPES}
    print(f"False alarms in {options.draws} draws of a right gradient\n")
    print("\n".join(table(RIGHT, options.draws, options.seed, counts)))
    print(f"\nCaught in {options.draws} draws of a wrong gradient\n")
    print("\n".join(table(WRONG, options.draws, options.seed, counts)))
    print(f"\nRight float32 answers called wrong, {options.draws} draws each\n")
    print("\n".join(single_table(options.draws, options.seed)))
    print("\nEvaluations of the loss an entry: ", end="")
    print(", ".join(f"{label} {count.evaluations / count.entries:.1f}" for label, count in counts.items()))


if __name__ == "__main__":
    main()
