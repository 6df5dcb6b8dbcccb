"""The mistakes that students make in Week 3, for proving the hidden checks.

Each is the code of one solution cell, right but for one place, so that it loses points in its own row and in no other.
"""

from autograder.authoring import Mistake

LINEAR = """\
class Linear(Layer):
    names = ("W", "b")

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x.dot(self.W) + self.b

    def backward(self, dout):
        self.dW = self.x.T.dot(dout)
        self.db = dout.sum(axis=0)
        return dout.dot(self.W.T)
"""

RELU = """\
class ReLU(Layer):
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask
"""

DROPOUT = """\
class Dropout(Layer):
    def __init__(self, p, rng):
        self.p, self.rng = p, rng

    def forward(self, x):
        self.mask = None
        if not self.training:
            return x
        self.mask = (self.rng.random(x.shape) >= self.p) / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout if self.mask is None else dout * self.mask
"""

BATCH_NORM = """\
class BatchNorm(Layer):
    names = ("gamma", "beta")

    def __init__(self, gamma, beta, momentum=0.1, eps=1e-5):
        self.gamma, self.beta, self.momentum, self.eps = gamma, beta, momentum, eps
        self.running_mean = np.zeros(gamma.shape)
        self.running_var = np.ones(gamma.shape)

    def forward(self, x):
        self.mode = self.training
        if self.training:
            mu, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * mu
            self.running_var = (1 - self.momentum) * self.running_var + self.momentum * var
        else:
            mu, var = self.running_mean, self.running_var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mu) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        N = len(dout)
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        if not self.mode:
            return dout * self.gamma / self.std
        dxhat = dout * self.gamma
        return (N * dxhat - dxhat.sum(axis=0) - self.xhat * (dxhat * self.xhat).sum(axis=0)) / (N * self.std)
"""

CONV2D = """\
class Conv2D(Layer):
    names = ("W", "b")

    def __init__(self, W, b, stride=1, padding=0):
        self.W, self.b, self.stride, self.padding = W, b, stride, padding

    def forward(self, x):
        s, p = self.stride, self.padding
        F, C, K, L = self.W.shape
        self.xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        rows = (self.xp.shape[2] - K) // s + 1
        columns = (self.xp.shape[3] - L) // s + 1
        out = np.zeros((len(x), F, rows, columns))
        for i in range(rows):
            for j in range(columns):
                patch = self.xp[:, :, i * s : i * s + K, j * s : j * s + L]
                out[:, :, i, j] = np.tensordot(patch, self.W, axes=([1, 2, 3], [1, 2, 3])) + self.b
        return out

    def backward(self, dout):
        s, p = self.stride, self.padding
        F, C, K, L = self.W.shape
        self.dW = np.zeros(self.W.shape)
        self.db = dout.sum(axis=(0, 2, 3))
        dxp = np.zeros(self.xp.shape)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                patch = self.xp[:, :, i * s : i * s + K, j * s : j * s + L]
                self.dW += np.tensordot(dout[:, :, i, j], patch, axes=(0, 0))
                dxp[:, :, i * s : i * s + K, j * s : j * s + L] += np.tensordot(dout[:, :, i, j], self.W, axes=(1, 0))
        return dxp[:, :, p : dxp.shape[2] - p, p : dxp.shape[3] - p]
"""

MOMENTUM = """\
class Momentum:
    def __init__(self, lr, beta=0.9):
        self.lr, self.beta, self.v = lr, beta, {}

    def step(self, params, grads):
        new = []
        for i, (p, g) in enumerate(zip(params, grads)):
            self.v[i] = self.beta * self.v.get(i, 0) + g
            new.append(p - self.lr * self.v[i])
        return new
"""

ADAM = """\
class Adam:
    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.t, self.m, self.v = 0, {}, {}

    def step(self, params, grads):
        self.t += 1
        new = []
        for i, (p, g) in enumerate(zip(params, grads)):
            self.m[i] = self.beta1 * self.m.get(i, 0) + (1 - self.beta1) * g
            self.v[i] = self.beta2 * self.v.get(i, 0) + (1 - self.beta2) * g**2
            m_hat = self.m[i] / (1 - self.beta1**self.t)
            v_hat = self.v[i] / (1 - self.beta2**self.t)
            new.append(p - self.lr * m_hat / (np.sqrt(v_hat) + self.eps))
        return new
"""

SEQUENTIAL = """\
class Sequential(Layer):
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        return dout

    def params(self):
        found = []
        for layer in self.layers:
            found.extend(layer.params())
        return found

    def grads(self):
        found = []
        for layer in self.layers:
            found.extend(layer.grads())
        return found

    def set_params(self, values):
        values = list(values)
        for layer in self.layers:
            n = len(layer.params())
            layer.set_params(values[:n])
            values = values[n:]

    def train(self):
        self.training = True
        for layer in self.layers:
            layer.train()

    def eval(self):
        self.training = False
        for layer in self.layers:
            layer.eval()
"""

FIT = """\
def train_step(model, optimizer, x, labels):
    model.train()
    loss, dlogits = softmax_cross_entropy(model.forward(x), labels)
    model.backward(dlogits)
    model.set_params(optimizer.step(model.params(), model.grads()))
    return loss


def fit(model, optimizer, x, labels, epochs, batch_size, rng):
    history = []
    for epoch in range(epochs):
        order, losses = rng.permutation(len(x)), []
        for i in range(0, len(x), batch_size):
            batch = order[i : i + batch_size]
            losses += [train_step(model, optimizer, x[batch], labels[batch])] * len(batch)
        history.append(np.mean(losses))
    model.eval()
    return history
"""

RIGHT = {
    "linear": LINEAR,
    "relu": RELU,
    "dropout": DROPOUT,
    "batch_norm": BATCH_NORM,
    "conv2d": CONV2D,
    "momentum": MOMENTUM,
    "adam": ADAM,
    "sequential": SEQUENTIAL,
    "fit": FIT,
}
"""Right answers in other words than the master's, in which one place is changed."""


def mistake(name: str, row: str, wrong: str, *places: tuple[str, str]) -> Mistake:
    """The right answer with some places in it changed.

    Args:
        name: Unique in the assignment.
        row: The row.
        wrong: One sentence: what is wrong.
        places: Each as it stands in the right answer, once, and what the student wrote there.
    """
    source = RIGHT[row]
    for right, instead in places:
        before, after = source.split(right)
        source = before + instead + after
    return Mistake(name, row, wrong, source)


MISTAKES = (
    # linear
    mistake("linear-without-bias", "linear", "Leaves out the bias.", (" + self.b\n", "\n")),
    mistake(
        "linear-adds-gradients-up",
        "linear",
        "Adds each gradient of the biases to those before.",
        ("self.W, self.b = W, b", "self.W, self.b, self.db = W, b, np.zeros(b.shape)"),
        ("self.db = dout.sum(axis=0)", "self.db = self.db + dout.sum(axis=0)"),
    ),
    mistake(
        "linear-mean-over-the-batch",
        "linear",
        "Divides by the number of examples, which the loss has done already.",
        ("self.x.T.dot(dout)", "self.x.T.dot(dout) / len(dout)"),
    ),
    mistake(
        "linear-memory-in-the-class",
        "linear",
        "Keeps the inputs in the class, so that all linear layers share them.",
        ("self.x = x", "Linear.x = x"),
    ),
    mistake(
        "linear-stale-copy-of-the-weights",
        "linear",
        "Goes back along the weights that the constructor was given.",
        ("self.W, self.b = W, b", "self.W, self.b, self.WT = W, b, W.T"),
        ("dout.dot(self.W.T)", "dout.dot(self.WT)"),
    ),
    mistake(
        "linear-bias-gradient-with-keepdims",
        "linear",
        "Gives db as a row.",
        ("sum(axis=0)", "sum(axis=0, keepdims=True)"),
    ),
    mistake(
        "linear-first-inputs-alone",
        "linear",
        "Keeps the inputs of the first pass for ever.",
        ("self.x = x", "self.x = getattr(self, 'x', x)"),
    ),
    # relu
    mistake("relu-passes-at-the-kink", "relu", "Has the derivative 1 at 0.", ("x > 0", "x >= 0")),
    mistake(
        "relu-mask-of-the-gradient",
        "relu",
        "Looks at the sign of the upstream gradient, not of the input.",
        ("return dout * self.mask", "return dout * (dout > 0)"),
    ),
    mistake(
        "relu-leaks",
        "relu",
        "Lets a hundredth of what is negative through.",
        ("x * self.mask", "np.where(x > 0, x, 0.01 * x)"),
    ),
    mistake(
        "relu-mask-in-a-global",
        "relu",
        "Keeps the mask where all layers see it.",
        ("self.mask = x > 0", "ReLU.mask = x > 0"),
    ),
    mistake(
        "relu-in-place",
        "relu",
        "Sets the negative inputs to 0 where they lie.",
        ("return x * self.mask", "x[~self.mask] = 0\n        return x.copy()"),
    ),
    # dropout
    mistake("dropout-not-inverted", "dropout", "Does not scale what is kept.", (" / (1 - self.p)", " * 1.0")),
    mistake("dropout-keeps-with-p", "dropout", "Keeps what it should drop.", (">= self.p", "< self.p")),
    mistake("dropout-scaled-by-p", "dropout", "Divides by p.", ("(1 - self.p)", "max(self.p, 1e-12)")),
    mistake(
        "dropout-new-mask-on-the-way-back",
        "dropout",
        "Draws another mask for the gradient.",
        ("else dout * self.mask", "else dout * (self.rng.random(dout.shape) >= self.p) / (1 - self.p)"),
    ),
    mistake("dropout-always", "dropout", "Drops in use as well.", ("if not self.training:", "if False:")),
    mistake(
        "dropout-gradient-by-the-mode-now",
        "dropout",
        "Goes back in the mode of now, not in that of its pass.",
        ("dout if self.mask is None", "dout if not self.training or self.mask is None"),
    ),
    mistake(
        "dropout-one-mask-for-all-rows",
        "dropout",
        "Draws one mask for all examples.",
        ("self.rng.random(x.shape)", "self.rng.random(x.shape[1:])"),
    ),
    mistake(
        "dropout-same-mask-for-ever",
        "dropout",
        "Draws a mask once, for all passes.",
        ("        self.mask = None\n", ""),
        ("self.p, self.rng = p, rng", "self.p, self.rng, self.mask = p, rng, None"),
        (
            "        self.mask = (",
            "        self.mask = self.mask if self.mask is not None and self.mask.shape == x.shape else (",
        ),
    ),
    # batch_norm
    mistake(
        "batch-norm-over-the-features",
        "batch_norm",
        "Has mean and variance of each example.",
        ("x.mean(axis=0), x.var(axis=0)", "x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)"),
    ),
    mistake(
        "batch-norm-unbiased",
        "batch_norm",
        "Divides the variance by N − 1.",
        ("x.var(axis=0)", "x.var(axis=0) * len(x) / max(len(x) - 1, 1)"),
    ),
    mistake(
        "batch-norm-eps-outside",
        "batch_norm",
        "Adds eps to the root.",
        ("np.sqrt(var + self.eps)", "(np.sqrt(var) + self.eps)"),
    ),
    mistake(
        "batch-norm-momentum-the-other-way",
        "batch_norm",
        "Keeps the share that it should replace.",
        (
            "(1 - self.momentum) * self.running_mean + self.momentum * mu",
            "self.momentum * self.running_mean + (1 - self.momentum) * mu",
        ),
        (
            "(1 - self.momentum) * self.running_var + self.momentum * var",
            "self.momentum * self.running_var + (1 - self.momentum) * var",
        ),
    ),
    mistake(
        "batch-norm-running-var-from-0",
        "batch_norm",
        "Starts the running variance with 0.",
        ("np.ones(gamma.shape)", "np.zeros(gamma.shape)"),
    ),
    mistake(
        "batch-norm-batch-in-use",
        "batch_norm",
        "Normalises by the batch in use as well.",
        ("mu, var = self.running_mean, self.running_var", "mu, var = x.mean(axis=0), x.var(axis=0)"),
    ),
    mistake(
        "batch-norm-statistics-move-in-use",
        "batch_norm",
        "Moves the running mean in use as well.",
        (
            "mu, var = self.running_mean, self.running_var",
            "mu, var = self.running_mean, self.running_var\n            self.running_mean = 0.9 * mu + 0.1 * x[0]",
        ),
    ),
    mistake(
        "batch-norm-statistics-constant",
        "batch_norm",
        "Goes back as if mean and variance were constants.",
        ("if not self.mode:", "if True:"),
    ),
    mistake(
        "batch-norm-variance-constant",
        "batch_norm",
        "Goes back through the mean and not through the variance.",
        (" - self.xhat * (dxhat * self.xhat).sum(axis=0)", ""),
    ),
    mistake(
        "batch-norm-gradient-by-the-mode-now",
        "batch_norm",
        "Goes back in the mode of now, not in that of its pass.",
        ("if not self.mode:", "if not self.training:"),
    ),
    mistake(
        "batch-norm-gamma-forgotten",
        "batch_norm",
        "Leaves gamma out of the gradient.",
        ("dxhat = dout * self.gamma", "dxhat = dout"),
    ),
    mistake(
        "batch-norm-dgamma-of-the-inputs",
        "batch_norm",
        "Takes the scaled outputs for the normalised inputs in dgamma.",
        (
            "(dout * self.xhat).sum(axis=0)\n        self.dbeta",
            "(dout * (self.gamma * self.xhat + self.beta)).sum(axis=0)\n        self.dbeta",
        ),
    ),
    # conv2d
    mistake(
        "conv2d-flipped",
        "conv2d",
        "Turns the filters round.",
        ("np.tensordot(patch, self.W,", "np.tensordot(patch, self.W[:, :, ::-1, ::-1],"),
    ),
    mistake("conv2d-without-bias", "conv2d", "Leaves out the biases.", (") + self.b\n", ")\n")),
    mistake(
        "conv2d-padding-on-two-sides",
        "conv2d",
        "Pads above and on the left alone.",
        ("(p, p), (p, p)", "(2 * p, 0), (2 * p, 0)"),
    ),
    mistake(
        "conv2d-square-filters",
        "conv2d",
        "Takes filters for square.",
        ("columns = (self.xp.shape[3] - L)", "columns = (self.xp.shape[3] - K)"),
    ),
    mistake(
        "conv2d-stride-forgotten-on-the-way-back",
        "conv2d",
        "Goes back as if the stride were 1.",
        ("dxp[:, :, i * s : i * s + K, j * s : j * s + L] +=", "dxp[:, :, i : i + K, j : j + L] +="),
    ),
    mistake(
        "conv2d-overwrites-where-filters-overlap",
        "conv2d",
        "Sets the gradient at the inputs where it should add.",
        ("L] += np.tensordot(dout", "L] = np.tensordot(dout"),
    ),
    mistake("conv2d-last-example-alone", "conv2d", "Sets dW anew at each place.", ("self.dW += ", "self.dW = ")),
    mistake(
        "conv2d-padding-left-on",
        "conv2d",
        "Gives the gradient at the padded pictures.",
        ("return dxp[:, :, p : dxp.shape[2] - p, p : dxp.shape[3] - p]", "return dxp"),
    ),
    mistake(
        "conv2d-minus-0",
        "conv2d",
        "Cuts the padding off with [p:-p], which is empty for p = 0.",
        ("p : dxp.shape[2] - p, p : dxp.shape[3] - p", "p:-p, p:-p"),
    ),
    mistake(
        "conv2d-bias-gradient-a-mean",
        "conv2d",
        "Averages dout over the examples.",
        ("dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(2, 3)).mean(axis=0)"),
    ),
    mistake(
        "conv2d-rounds-up",
        "conv2d",
        "Rounds the number of rows up where the stride does not fit.",
        ("(self.xp.shape[2] - K) // s + 1", "-(-(self.xp.shape[2] - K) // s) + 1"),
    ),
    mistake(
        "conv2d-gradients-added-up",
        "conv2d",
        "Adds each dW to those before.",
        ("self.dW = np.zeros(self.W.shape)", "self.dW = getattr(self, 'dW', np.zeros(self.W.shape)).copy()"),
    ),
    # momentum
    mistake("momentum-a-mean", "momentum", "Keeps a mean of the gradients.", ("+ g\n", "+ (1 - self.beta) * g\n")),
    mistake(
        "momentum-by-identity",
        "momentum",
        "Remembers by the arrays' identity, which is new in each step.",
        ("self.v[i] = ", "self.v[i] = self.v[id(p)] = "),
        ("self.v.get(i, 0)", "self.v.get(id(p), 0)"),
    ),
    mistake(
        "momentum-shared",
        "momentum",
        "Keeps the velocities in a default argument that all optimisers share.",
        ("beta=0.9):", "beta=0.9, v={}):"),
        ("lr, beta, {}", "lr, beta, v"),
    ),
    mistake(
        "momentum-in-place",
        "momentum",
        "Changes the parameters where they lie.",
        ("new.append(p - self.lr * self.v[i])", "p -= self.lr * self.v[i]\n            new.append(p)"),
    ),
    mistake(
        "momentum-one-velocity",
        "momentum",
        "Keeps one velocity for all parameters of a shape.",
        ("self.v[i] = ", "self.v[i] = self.v[p.shape] = "),
        ("self.v.get(i, 0)", "self.v.get(p.shape, 0)"),
    ),
    # adam
    mistake(
        "adam-counts-parameters",
        "adam",
        "Raises t for each parameter.",
        ("        self.t += 1\n        new = []\n", "        new = []\n"),
        ("zip(params, grads)):\n", "zip(params, grads)):\n            self.t += 1\n"),
    ),
    mistake(
        "adam-without-correction",
        "adam",
        "Does not correct the moments.",
        (" / (1 - self.beta1**self.t)", ""),
        (" / (1 - self.beta2**self.t)", ""),
    ),
    mistake(
        "adam-counts-from-0",
        "adam",
        "Corrects with the steps before this one.",
        ("self.beta1**self.t", "self.beta1 ** max(self.t - 1, 1)"),
        ("self.beta2**self.t", "self.beta2 ** max(self.t - 1, 1)"),
    ),
    mistake(
        "adam-keeps-the-corrected",
        "adam",
        "Remembers the moments with their correction.",
        ("m_hat = self.m[i] / ", "m_hat = self.m[i] = self.m[i] / "),
    ),
    mistake(
        "adam-eps-under-the-root",
        "adam",
        "Adds eps under the root.",
        ("(np.sqrt(v_hat) + self.eps)", "np.sqrt(v_hat + self.eps)"),
    ),
    mistake(
        "adam-memory-in-the-class",
        "adam",
        "Keeps the moments in the class.",
        (
            "self.t, self.m, self.v = 0, {}, {}",
            "Adam.m, Adam.v = getattr(Adam, 'm', {}), getattr(Adam, 'v', {})\n        self.t = 0",
        ),
    ),
    # sequential
    mistake(
        "sequential-backward-in-order",
        "sequential",
        "Goes backward in the order of forward.",
        ("self.layers[::-1]", "self.layers"),
    ),
    mistake(
        "sequential-each-from-the-inputs",
        "sequential",
        "Hands each layer the inputs of the network.",
        ("x = layer.forward(x)\n        return x", "out = layer.forward(x)\n        return out"),
    ),
    mistake(
        "sequential-nested-lists",
        "sequential",
        "Lists the parameters layer by layer.",
        ("found.extend(layer.params())", "found.append(layer.params())"),
    ),
    mistake(
        "sequential-gradients-in-reverse",
        "sequential",
        "Lists the gradients from the last layer to the first.",
        ("found.extend(layer.grads())", "found[:0] = layer.grads()"),
    ),
    mistake(
        "sequential-two-each",
        "sequential",
        "Takes two parameters for each layer.",
        ("n = len(layer.params())", "n = 2 * bool(layer.params())"),
        ("values[:n]", "values[:n][: len(layer.params())]"),
    ),
    mistake(
        "sequential-sets-the-flag-alone",
        "sequential",
        "Switches its own mode and that of no layer.",
        (
            "        self.training = False\n        for layer in self.layers:\n            layer.eval()\n",
            "        self.training = False\n",
        ),
    ),
    mistake(
        "sequential-sets-the-layers-flags",
        "sequential",
        "Sets the layers' flags, which does not reach into networks within the network.",
        ("layer.eval()", "layer.training = False"),
    ),
    mistake(
        "sequential-names-of-layers",
        "sequential",
        "Looks for parameters by the layers' names, and misses networks.",
        ("found.extend(layer.params())", "found.extend(getattr(layer, name) for name in layer.names)"),
    ),
    # fit
    mistake("fit-never-in-learning", "fit", "Does not switch to the mode for learning.", ("    model.train()\n", "")),
    mistake("fit-stays-in-learning", "fit", "Leaves the network in the mode for learning.", ("    model.eval()\n", "")),
    mistake("fit-mean-of-batches", "fit", "Averages the losses over the batches.", ("] * len(batch)", "]")),
    mistake(
        "fit-drops-the-last-batch",
        "fit",
        "Leaves out the last batch where it is smaller.",
        ("range(0, len(x), batch_size)", "range(0, max(len(x) - batch_size + 1, 1), batch_size)"),
    ),
    mistake(
        "fit-one-order-for-all-epochs",
        "fit",
        "Draws one order for all epochs.",
        ("    history = []\n", "    history = []\n    order = rng.permutation(len(x))\n"),
        ("order, losses = rng.permutation(len(x)), []", "losses = []"),
    ),
    mistake(
        "fit-labels-in-another-order",
        "fit",
        "Shuffles the inputs and not the labels.",
        ("labels[batch])]", "labels[i : i + batch_size])]"),
    ),
    mistake(
        "fit-loss-after-the-update",
        "fit",
        "Gives the loss after the update.",
        ("    return loss\n", "    return softmax_cross_entropy(model.forward(x), labels)[0]\n"),
    ),
    mistake(
        "fit-throws-the-update-away",
        "fit",
        "Does not hand the new parameters to the network.",
        (
            "model.set_params(optimizer.step(model.params(), model.grads()))",
            "optimizer.step(model.params(), model.grads())",
        ),
    ),
)
