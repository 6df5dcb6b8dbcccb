"""Writes torch_values.json: what PyTorch computes in float64 for the functions of Week 2.

PyTorch is no dependency of the project. To make the values again, in an environment of its own:

    python -m venv torchvenv
    torchvenv/bin/pip install torch==2.13.0 numpy
    torchvenv/bin/python tests/week2/reference_values/make_torch_values.py

Every case holds the inputs, drawn by NumPy, and PyTorch's outputs, as decimals that give the float64 back
to the bit, so that no test depends on either library's random numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

TARGET = Path(__file__).with_name("torch_values.json")
SHAPES = [(7, 4), (1, 5), (6, 1), (3, 8)]
NETWORKS = [(5, 3, 6, 4), (1, 4, 7, 3), (9, 2, 3, 5)]
PARAMETERS: list[tuple[int, ...]] = [(), (4,), (3, 5), (2, 3, 4)]
STEPS = 5


def as_tensor(array: Any, *, leaf: bool = False) -> torch.Tensor:
    """A tensor of the array, float64 or int64; with ``leaf``, one that collects its gradient."""
    return torch.tensor(np.asarray(array)).requires_grad_(leaf)


def as_json(value: Any) -> Any:
    """Tensors and arrays as nested lists of numbers, in dicts and lists too."""
    if isinstance(value, dict):
        return {key: as_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def softmaxes(seed: int, scale: float) -> list[dict[str, Any]]:
    """Softmax and log-softmax along the last axis."""
    rng = np.random.default_rng(seed)
    cases = []
    for shape in [*SHAPES, (6,)]:
        logits = scale * rng.normal(size=shape)
        z = as_tensor(logits)
        cases.append(
            {
                "logits": logits,
                "softmax": functional.softmax(z, dim=-1),
                "log_softmax": functional.log_softmax(z, dim=-1),
            }
        )
    return cases


def cross_entropies(seed: int, scale: float) -> list[dict[str, Any]]:
    """The cross-entropies of probabilities and of logits, with the gradient of the latter."""
    rng = np.random.default_rng(seed)
    cases = []
    for n, c in SHAPES:
        logits, labels = scale * rng.normal(size=(n, c)), rng.integers(c, size=n)
        probs, soft = rng.dirichlet(np.ones(c), size=n), rng.dirichlet(np.ones(c), size=n)
        z, y = as_tensor(logits, leaf=True), as_tensor(labels)
        loss = functional.cross_entropy(z, y)
        loss.backward()
        hot = functional.one_hot(y, c).to(torch.float64)
        cases.append(
            {
                "logits": logits,
                "labels": labels,
                "probs": probs,
                "soft_targets": soft,
                "one_hot": hot,
                "cross_entropy_one_hot": functional.nll_loss(torch.log(as_tensor(probs)), y),
                # cross_entropy takes logits: softmax(log p) is p again.
                "cross_entropy_soft": functional.cross_entropy(torch.log(as_tensor(probs)), as_tensor(soft)),
                "loss": loss,
                "dlogits": z.grad,
            }
        )
    return cases


def layers(seed: int) -> list[dict[str, Any]]:
    """The linear layer and ReLU with a random upstream gradient, and the two-layer network."""
    rng = np.random.default_rng(seed)
    cases = []
    for n, d, h, c in NETWORKS:
        x, labels = rng.normal(size=(n, d)), rng.integers(c, size=n)
        params = {
            "W1": rng.normal(size=(d, h)),
            "b1": rng.normal(size=h),
            "W2": rng.normal(size=(h, c)),
            "b2": rng.normal(size=c),
        }
        dout = rng.normal(size=(n, h))

        tx, tW, tb = (as_tensor(a, leaf=True) for a in (x, params["W1"], params["b1"]))
        out = functional.linear(tx, tW.T, tb)
        out.backward(as_tensor(dout))

        rectifier_input = rng.normal(size=(n, h))
        rectifier_input.flat[0] = 0.0
        tr = as_tensor(rectifier_input, leaf=True)
        rectified = functional.relu(tr)
        rectified.backward(as_tensor(dout))

        leaves = {key: as_tensor(value, leaf=True) for key, value in params.items()}
        hidden = functional.relu(functional.linear(as_tensor(x), leaves["W1"].T, leaves["b1"]))
        logits = functional.linear(hidden, leaves["W2"].T, leaves["b2"])
        loss = functional.cross_entropy(logits, as_tensor(labels))
        loss.backward()
        cases.append(
            {
                "x": x,
                "labels": labels,
                "params": params,
                "dout": dout,
                "linear": {"out": out, "dx": tx.grad, "dW": tW.grad, "db": tb.grad},
                "relu": {"x": rectifier_input, "out": rectified, "dx": tr.grad},
                "mlp": {"loss": loss, "grads": {key: leaf.grad for key, leaf in leaves.items()}},
            }
        )
    return cases


Maker = Callable[[list[torch.Tensor]], torch.optim.Optimizer]

OPTIMIZERS: list[tuple[str, dict[str, float], Maker]] = [
    ("sgd", {"lr": 0.3}, lambda p: torch.optim.SGD(p, lr=0.3)),
    ("momentum", {"lr": 0.1}, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    ("momentum", {"lr": 0.2, "beta": 0.5}, lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.5)),
    ("rmsprop", {"lr": 0.01}, lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-8)),
    (
        "rmsprop",
        {"lr": 0.05, "rho": 0.7, "eps": 0.1},
        lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.7, eps=0.1),
    ),
    ("adam", {}, lambda p: torch.optim.Adam(p)),
    (
        "adam",
        {"lr": 0.05, "beta1": 0.6, "beta2": 0.8, "eps": 0.1},
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.6, 0.8), eps=0.1),
    ),
]


def optimizers(seed: int) -> list[dict[str, Any]]:
    """A few steps of each optimiser from a fresh state: the parameter after each of them."""
    rng = np.random.default_rng(seed)
    cases = []
    for name, settings, make in OPTIMIZERS:
        for shape in PARAMETERS:
            start, grads = rng.normal(size=shape), rng.normal(size=(STEPS, *shape))
            param = as_tensor(start, leaf=True)
            optimizer = make([param])
            path = []
            for grad in grads:
                param.grad = as_tensor(grad)
                optimizer.step()
                path.append(param.detach().clone())
            cases.append({"optimizer": name, "settings": settings, "param": start, "grads": grads, "path": path})
    return cases


def schedule(make: Callable[[torch.optim.Optimizer], Any], lr0: float, count: int) -> list[float]:
    """The learning rates of ``count`` epochs from 0 on."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=lr0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


def schedules() -> dict[str, Any]:
    """StepLR, ExponentialLR (gamma = e^(−rate)) and CosineAnnealingLR up to its end."""
    of = torch.optim.lr_scheduler
    return {
        "step": {
            "lr0": 0.2,
            "factor": 0.3,
            "every": 4,
            "rates": schedule(lambda o: of.StepLR(o, step_size=4, gamma=0.3), 0.2, 14),
        },
        "exponential": {
            "lr0": 0.5,
            "rate": 0.15,
            "rates": schedule(lambda o: of.ExponentialLR(o, gamma=float(np.exp(-0.15))), 0.5, 12),
        },
        "cosine": {
            "lr0": 0.4,
            "total_steps": 11,
            "lr_min": 0.03,
            "rates": schedule(lambda o: of.CosineAnnealingLR(o, T_max=11, eta_min=0.03), 0.4, 12),
        },
    }


def main() -> None:
    """Computes everything and writes the file."""
    torch.set_num_threads(1)
    values = {
        "made_with": {"torch": torch.__version__, "numpy": np.__version__},
        "softmaxes": softmaxes(1, 3.0) + softmaxes(2, 1e4),
        "cross_entropies": cross_entropies(3, 2.0) + cross_entropies(4, 1e4),
        "layers": layers(5) + layers(6),
        "optimizers": optimizers(7),
        "schedules": schedules(),
    }
    TARGET.write_text(json.dumps(as_json(values), allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
