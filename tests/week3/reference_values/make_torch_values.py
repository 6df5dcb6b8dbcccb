"""Writes torch_values.json: what PyTorch computes in float64 for the layers and optimisers of Week 3.

PyTorch is no dependency of the project. To make the values again, in an environment of its own:

    python -m venv torchvenv
    torchvenv/bin/pip install torch==2.14.1 numpy
    torchvenv/bin/python tests/week3/reference_values/make_torch_values.py

Every case holds the inputs, drawn by NumPy, and PyTorch's outputs, as decimals that give the float64 back to the bit,
so that no test depends on either library's random numbers.
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


def as_tensor(array: Any, *, leaf: bool = False) -> torch.Tensor:
    """A tensor of the array, float64 or int64; with ``leaf``, one that collects its gradient."""
    return torch.tensor(np.asarray(array)).requires_grad_(leaf)


def as_json(value: Any) -> Any:
    """Tensors and arrays as nested lists of numbers, in dicts and lists too."""
    if isinstance(value, dict):
        return {key: as_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(entry) for entry in value]
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value


def linears(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Linear layers with a random upstream gradient."""
    cases = []
    for n, d, m in [(5, 3, 4), (1, 4, 2)]:
        x, W, b, dout = (rng.normal(size=size) for size in [(n, d), (d, m), m, (n, m)])
        tx, tW, tb = (as_tensor(each, leaf=True) for each in (x, W, b))
        out = functional.linear(tx, tW.T, tb)
        out.backward(as_tensor(dout))
        given = {"x": x, "W": W, "b": b, "dout": dout}
        cases.append(given | {"out": out, "dx": tx.grad, "dW": tW.grad, "db": tb.grad})
    return cases


def batch_norms(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Batches through a normalisation in training, the last one back; then one in evaluation, there and back.

    PyTorch's running variance has 1/(N − 1). All batches have the same N, so the test can turn one into the other.
    """
    cases = []
    for n, d, momentum, eps in [(6, 3, 0.1, 1e-5), (4, 2, 0.4, 1e-2)]:
        gamma, beta, batches = rng.normal(size=d), rng.normal(size=d), rng.normal(1.0, 2.0, size=(3, n, d))
        dout = rng.normal(size=(n, d))
        layer = torch.nn.BatchNorm1d(d, eps=eps, momentum=momentum, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(as_tensor(gamma))
            layer.bias.copy_(as_tensor(beta))
        case = {"gamma": gamma, "beta": beta, "momentum": momentum, "eps": eps, "batches": batches, "dout": dout}
        for batch in batches:
            layer.zero_grad()
            x = as_tensor(batch, leaf=True)
            out = layer(x)
            out.backward(as_tensor(dout))
        case |= {"out": out, "dx": x.grad, "dgamma": layer.weight.grad.clone(), "dbeta": layer.bias.grad.clone()}
        case |= {"running_mean": layer.running_mean.clone(), "running_var": layer.running_var.clone()}
        layer.eval()
        layer.zero_grad()
        x = as_tensor(batches[0], leaf=True)
        out = layer(x)
        out.backward(as_tensor(dout))
        in_use = {"out": out, "dx": x.grad, "dgamma": layer.weight.grad, "dbeta": layer.bias.grad}
        cases.append(case | {"in_use": in_use})
    return cases


def convolutions(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Convolutions with strides that leave pixels over, and paddings."""
    cases = []
    for pictures, filters, stride, padding in [
        ((2, 3, 5, 6), (4, 3, 2, 3), 1, 0),
        ((2, 1, 7, 5), (3, 1, 3, 2), 2, 1),
        ((1, 2, 6, 8), (2, 2, 3, 3), 3, 2),
    ]:
        x, W, b = (rng.normal(size=size) for size in [pictures, filters, filters[0]])
        tx, tW, tb = (as_tensor(each, leaf=True) for each in (x, W, b))
        out = functional.conv2d(tx, tW, tb, stride=stride, padding=padding)
        dout = rng.normal(size=tuple(out.shape))
        out.backward(as_tensor(dout))
        given = {"x": x, "W": W, "b": b, "stride": stride, "padding": padding, "dout": dout}
        cases.append(given | {"out": out, "dx": tx.grad, "dW": tW.grad, "db": tb.grad})
    return cases


def in_use(rng: np.random.Generator) -> dict[str, Any]:
    """Dropout in evaluation, and ReLU: there and back."""
    x, dout = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    x[1, 2] = 0.0
    cases: dict[str, Any] = {"x": x, "dout": dout}
    for name, layer in [("dropout", torch.nn.Dropout(0.4).eval()), ("relu", torch.nn.ReLU())]:
        leaf = as_tensor(x, leaf=True)
        out = layer(leaf)
        out.backward(as_tensor(dout))
        cases[name] = {"out": out, "dx": leaf.grad}
    return cases


Maker = Callable[[list[torch.Tensor]], torch.optim.Optimizer]
OPTIMIZERS: list[tuple[str, dict[str, float], Maker]] = [
    ("Momentum", {"lr": 0.2, "beta": 0.5}, lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.5)),
    ("Adam", {}, lambda p: torch.optim.Adam(p)),
    (
        "Adam",
        {"lr": 0.05, "beta1": 0.6, "beta2": 0.8, "eps": 0.1},
        lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.6, 0.8), eps=0.1),
    ),
]


def optimizers(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Four steps of each optimiser with two parameters: the parameters after each of them."""
    cases = []
    for name, settings, make in OPTIMIZERS:
        shapes = [(2, 3), (4,)]
        params = [rng.normal(size=shape) for shape in shapes]
        steps = [[rng.normal(size=shape) for shape in shapes] for _ in range(4)]
        leaves = [as_tensor(param, leaf=True) for param in params]
        optimizer, path = make(leaves), []
        for grads in steps:
            for leaf, grad in zip(leaves, grads, strict=True):
                leaf.grad = as_tensor(grad)
            optimizer.step()
            path.append([leaf.detach().clone() for leaf in leaves])
        cases.append({"optimizer": name, "settings": settings, "params": params, "steps": steps, "path": path})
    return cases


def network(rng: np.random.Generator) -> dict[str, Any]:
    """A small network for pictures, three steps of Adam: each loss, and the parameters at the end."""
    x, labels = rng.normal(size=(5, 2, 5, 4)), rng.integers(3, size=5)
    sizes: list[Any] = [(3, 2, 3, 2), 3, (3 * 3 * 3, 4), 4, 4, 4, (4, 3), 3]
    params = [rng.normal(size=size) for size in sizes]
    W0, b0, W1, b1, gamma, beta, W2, b2 = leaves = [as_tensor(param, leaf=True) for param in params]
    optimizer, losses = torch.optim.Adam(leaves, lr=0.02), []
    for _ in range(3):
        optimizer.zero_grad()
        hidden = functional.relu(functional.conv2d(as_tensor(x), W0, b0, stride=2, padding=1)).flatten(1)
        hidden = functional.relu(functional.linear(hidden, W1.T, b1))
        hidden = functional.batch_norm(hidden, None, None, gamma, beta, training=True, eps=1e-5)
        loss = functional.cross_entropy(functional.linear(hidden, W2.T, b2), as_tensor(labels))
        loss.backward()
        losses.append(loss.detach())
        optimizer.step()
    return {"x": x, "labels": labels, "params": params, "lr": 0.02, "losses": losses, "end": leaves}


def main() -> None:
    """Computes everything and writes the file."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(3)
    values = {
        "made_with": {"torch": torch.__version__, "numpy": np.__version__},
        "linear": linears(rng),
        "batch_norm": batch_norms(rng),
        "conv2d": convolutions(rng),
        "in_use": in_use(rng),
        "optimizers": optimizers(rng),
        "network": network(rng),
    }
    TARGET.write_text(json.dumps(as_json(values), allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
