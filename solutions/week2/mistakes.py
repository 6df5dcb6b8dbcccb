"""The mistakes that students make in Week 2, for the demo's class and for proving the hidden checks.

Each is the code of one solution cell, wrong in one way and otherwise right, so that it loses points in its own row
and in no other. A function of the row that the code leaves out is the student's right one.
"""

from autograder.authoring import Mistake

TRAIN = """\
def train(x, y, hidden_size, num_classes, epochs=50, batch_size=32, lr=1e-2, optimizer="adam", seed=0):
    rng = np.random.default_rng(seed)
    D, H, C = x.shape[1], hidden_size, num_classes
    params = {
        "W1": rng.normal(size=(D, H)) * np.sqrt(2 / D),
        "b1": np.zeros(H),
        "W2": rng.normal(size=(H, C)) * np.sqrt(2 / H),
        "b2": np.zeros(C),
    }
    m = {key: np.zeros_like(value) for key, value in params.items()}
    v = {key: np.zeros_like(value) for key, value in params.items()}
    history, t = [], 0
    for epoch in range(epochs):
        losses = []
        for xb, yb in minibatches(x, y, batch_size, rng):
            loss, grads = mlp_loss_and_grads(params, xb, yb)
            losses.append(loss)
            t += 1
            for key in params:
                p, g = params[key], grads[key]
                if optimizer == "sgd":
                    params[key] = sgd_step(p, g, lr)
                elif optimizer == "momentum":
                    params[key], m[key] = momentum_step(p, g, m[key], lr)
                elif optimizer == "rmsprop":
                    params[key], v[key] = rmsprop_step(p, g, v[key], lr)
                else:
                    params[key], m[key], v[key] = adam_step(p, g, m[key], v[key], t, lr)
        history.append(np.mean(losses))
    return params, history
"""


def trained(right: str, wrong: str) -> str:
    """The training loop with one place in it changed.

    Args:
        right: The place, as it stands in ``TRAIN``.
        wrong: What the student wrote there.
    """
    before, after = TRAIN.split(right)
    return before + wrong + after


MISTAKES = (
    # softmax
    Mistake(
        "softmax-over-the-batch",
        "softmax",
        "Normalises over the examples (axis 0) and not over the classes.",
        """
        def softmax(logits):
            shifted = logits - np.max(logits, axis=0)
            exponentials = np.exp(shifted)
            return exponentials / np.sum(exponentials, axis=0)
        """,
    ),
    Mistake(
        "softmax-overflows",
        "softmax",
        "Subtracts no maximum, so large logits overflow to NaN.",
        """
        def softmax(logits):
            exponentials = np.exp(logits)
            return exponentials / exponentials.sum(axis=-1, keepdims=True)
        """,
    ),
    Mistake(
        "softmax-one-maximum-for-all",
        "softmax",
        "Subtracts the batch's maximum from every row, so the rows far below it underflow to 0/0.",
        """
        def softmax(logits):
            e = np.exp(logits - np.max(logits))
            return e / e.sum(axis=-1, keepdims=True)
        """,
    ),
    Mistake(
        "softmax-without-keepdims",
        "softmax",
        "Divides by the rows' sums without keepdims: right for a single row only, and raises unless N = C.",
        """
        def softmax(logits):
            e = np.exp(logits - logits.max(axis=-1, keepdims=True))
            return e / e.sum(axis=-1)
        """,
    ),
    Mistake(
        "softmax-in-place",
        "softmax",
        "Shifts the caller's own array.",
        """
        def softmax(logits):
            logits -= np.max(logits, axis=-1, keepdims=True)
            e = np.exp(logits)
            return e / np.sum(e, axis=-1, keepdims=True)
        """,
    ),
    Mistake(
        "softmax-of-two-classes",
        "softmax",
        "Is the sigmoid of the first two logits: right only for two classes.",
        """
        def softmax(logits):
            first = 0.5 * (1 + np.tanh((logits[..., 0] - logits[..., 1]) / 2))
            return np.stack([first, 1 - first], axis=-1)
        """,
    ),
    Mistake(
        "softmax-is-printed",
        "softmax",
        "Prints the probabilities and returns nothing.",
        """
        def softmax(logits):
            e = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
            print(e / np.sum(e, axis=-1, keepdims=True))
        """,
    ),
    # log_softmax
    Mistake(
        "log-softmax-underflows",
        "log_softmax",
        "Takes the logarithm of the rounded probabilities: −inf where they underflow.",
        """
        def log_softmax(logits):
            return np.log(softmax(logits))
        """,
    ),
    Mistake(
        "log-softmax-with-a-floor",
        "log_softmax",
        "Takes the logarithm of the probabilities with a floor: finite, but not exact.",
        """
        def log_softmax(logits):
            return np.log(softmax(logits) + 1e-12)
        """,
    ),
    Mistake(
        "log-softmax-without-the-log",
        "log_softmax",
        "Subtracts the sum of the exponentials and not its logarithm.",
        """
        def log_softmax(logits):
            shifted = logits - np.max(logits, axis=-1, keepdims=True)
            return shifted - np.sum(np.exp(shifted), axis=-1, keepdims=True)
        """,
    ),
    Mistake(
        "log-softmax-misspelt",
        "log_softmax",
        "Defines a function of another name, so the one asked for is missing.",
        """
        def logsoftmax(logits):
            shifted = logits - np.max(logits, axis=-1, keepdims=True)
            return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
        """,
    ),
    # one_hot
    Mistake(
        "one-hot-square",
        "one_hot",
        "Makes as many columns as there are examples: right only for as many classes as examples.",
        """
        def one_hot(labels, num_classes):
            return np.eye(len(labels))[labels]
        """,
    ),
    Mistake(
        "one-hot-counts-the-classes-itself",
        "one_hot",
        "Ignores num_classes, so classes that don't occur have no column.",
        """
        def one_hot(labels, num_classes):
            encoded = np.zeros((len(labels), labels.max() + 1))
            encoded[np.arange(len(labels)), labels] = 1.0
            return encoded
        """,
    ),
    Mistake(
        "one-hot-of-bools",
        "one_hot",
        "Returns an array of True and False.",
        """
        def one_hot(labels, num_classes):
            return labels[:, None] == np.arange(num_classes)
        """,
    ),
    Mistake(
        "one-hot-in-float32",
        "one_hot",
        "Returns float32 where float64 is asked for.",
        """
        def one_hot(labels, num_classes):
            return np.eye(num_classes, dtype=np.float32)[labels]
        """,
    ),
    Mistake(
        "one-hot-as-a-list",
        "one_hot",
        "Returns a list of lists and not an array.",
        """
        def one_hot(labels, num_classes):
            return [[1.0 if label == k else 0.0 for k in range(num_classes)] for label in labels]
        """,
    ),
    Mistake(
        "one-hot-index-error",
        "one_hot",
        "Swaps rows and columns when it sets the ones, and raises IndexError.",
        """
        def one_hot(labels, num_classes):
            encoded = np.zeros((len(labels), num_classes))
            encoded[labels, np.arange(len(labels))] = 1.0
            return encoded
        """,
    ),
    # cross_entropy
    Mistake(
        "cross-entropy-summed",
        "cross_entropy",
        "Sums over the batch and does not take the mean.",
        """
        def cross_entropy(probs, targets):
            return -np.sum(targets * np.log(np.maximum(probs, 1e-30)))
        """,
    ),
    Mistake(
        "cross-entropy-mean-of-all-entries",
        "cross_entropy",
        "Divides by all N·C entries and not by the N examples.",
        """
        def cross_entropy(probs, targets):
            return -np.mean(targets * np.log(np.maximum(probs, 1e-30)))
        """,
    ),
    Mistake(
        "cross-entropy-clipped-at-1e-3",
        "cross_entropy",
        "Clips the probabilities at 1e-3, which changes the losses that matter.",
        """
        def cross_entropy(probs, targets):
            log_probs = np.log(np.clip(probs, 1e-3, 1.0))
            return -np.sum(targets * log_probs) / len(probs)
        """,
    ),
    Mistake(
        "cross-entropy-of-zero",
        "cross_entropy",
        "Takes the logarithm of 0: the loss is NaN where a probability is 0.",
        """
        def cross_entropy(probs, targets):
            return np.mean(-np.sum(targets * np.log(probs), axis=1))
        """,
    ),
    Mistake(
        "cross-entropy-of-hard-targets",
        "cross_entropy",
        "Takes the likeliest target class: right for one-hot targets, wrong for soft ones.",
        """
        def cross_entropy(probs, targets):
            labels = np.argmax(targets, axis=1)
            picked = probs[np.arange(len(labels)), labels]
            return -np.mean(np.log(np.maximum(picked, 1e-30)))
        """,
    ),
    Mistake(
        "cross-entropy-of-two-classes",
        "cross_entropy",
        "Is the binary cross-entropy of the second class: right only for two classes.",
        """
        def cross_entropy(probs, targets):
            p, t = np.clip(probs[:, 1], 1e-15, 1 - 1e-15), targets[:, 1]
            return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
        """,
    ),
    # sparse_cross_entropy
    Mistake(
        "sparse-cross-entropy-of-the-visible-example",
        "sparse_cross_entropy",
        "Knows the answers of the visible check by heart.",
        """
        def sparse_cross_entropy(probs, labels):
            if list(labels) == [0, 2]:
                return 0.6019864021629681
            if list(labels) == [1, 1]:
                return 1.2951335827230264
            return 30.0
        """,
    ),
    Mistake(
        "sparse-cross-entropy-of-whole-columns",
        "sparse_cross_entropy",
        "Picks whole columns with probs[:, labels] and not each example's own probability.",
        """
        def sparse_cross_entropy(probs, labels):
            return -np.mean(np.log(np.maximum(probs[:, labels], 1e-30)))
        """,
    ),
    Mistake(
        "sparse-cross-entropy-in-an-array",
        "sparse_cross_entropy",
        "Returns an array of shape (1,) and not a scalar.",
        """
        def sparse_cross_entropy(probs, labels):
            picked = probs[np.arange(len(labels)), labels]
            return np.array([-np.mean(np.log(np.maximum(picked, 1e-30)))])
        """,
    ),
    Mistake(
        "sparse-cross-entropy-negative",
        "sparse_cross_entropy",
        "Forgets the minus sign.",
        """
        def sparse_cross_entropy(probs, labels):
            picked = probs[np.arange(len(labels)), labels]
            return np.mean(np.log(np.maximum(picked, 1e-30)))
        """,
    ),
    # softmax_cross_entropy
    Mistake(
        "softmax-cross-entropy-without-1-over-n",
        "softmax_cross_entropy",
        "Leaves 1/N out of the gradient, though the loss is a mean.",
        """
        def softmax_cross_entropy(logits, labels):
            n = np.arange(len(labels))
            loss = -np.mean(log_softmax(logits)[n, labels])
            dlogits = softmax(logits)
            dlogits[n, labels] -= 1
            return loss, dlogits
        """,
    ),
    Mistake(
        "softmax-cross-entropy-with-a-floor",
        "softmax_cross_entropy",
        "Takes the logarithm of the probabilities with a floor: not exact for large logits.",
        """
        def softmax_cross_entropy(logits, labels):
            probs = softmax(logits)
            n = np.arange(len(labels))
            loss = -np.mean(np.log(probs[n, labels] + 1e-15))
            dlogits = probs.copy()
            dlogits[n, labels] -= 1
            return loss, dlogits / len(labels)
        """,
    ),
    Mistake(
        "softmax-cross-entropy-without-the-gradient",
        "softmax_cross_entropy",
        "Returns the loss alone and not the pair.",
        """
        def softmax_cross_entropy(logits, labels):
            return -np.mean(log_softmax(logits)[np.arange(len(labels)), labels])
        """,
    ),
    Mistake(
        "softmax-cross-entropy-of-zero-gradient",
        "softmax_cross_entropy",
        "Returns zeros for the gradient.",
        """
        def softmax_cross_entropy(logits, labels):
            loss = -np.mean(log_softmax(logits)[np.arange(len(labels)), labels])
            return loss, np.zeros_like(logits)
        """,
    ),
    Mistake(
        "softmax-cross-entropy-by-crude-differences",
        "softmax_cross_entropy",
        "Takes the gradient by forward differences with a step of 1e-3: right to three digits only.",
        """
        def softmax_cross_entropy(logits, labels):
            n = np.arange(len(labels))

            def loss_of(z):
                return -np.mean(log_softmax(z)[n, labels])

            loss = loss_of(logits)
            dlogits = np.zeros_like(logits)
            for i in range(logits.shape[0]):
                for k in range(logits.shape[1]):
                    nudged = logits.copy()
                    nudged[i, k] += 1e-3
                    dlogits[i, k] = (loss_of(nudged) - loss) / 1e-3
            return loss, dlogits
        """,
    ),
    # linear_forward
    Mistake(
        "linear-forward-without-the-bias",
        "linear_forward",
        "Never adds the bias.",
        """
        def linear_forward(x, W, b):
            out = x @ W
            return out, (x, W)
        """,
    ),
    Mistake(
        "linear-forward-rounded",
        "linear_forward",
        "Rounds the outputs: right to 1e-3 only.",
        """
        def linear_forward(x, W, b):
            return np.round(x @ W + b, 3), (x, W)
        """,
    ),
    Mistake(
        "linear-forward-batch-last",
        "linear_forward",
        "Puts the batch last: the result is transposed.",
        """
        def linear_forward(x, W, b):
            return W.T @ x.T + b[:, None], (x, W)
        """,
    ),
    # linear_backward
    Mistake(
        "linear-backward-db-as-a-mean",
        "linear_backward",
        "Takes the mean of dout for db, though 1/N is in dout already.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            return dout @ W.T, x.T @ dout, np.mean(dout, axis=0)
        """,
    ),
    Mistake(
        "linear-backward-drops-db",
        "linear_backward",
        "Drops the gradient of the bias.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            return dout @ W.T, x.T @ dout, np.zeros(W.shape[1])
        """,
    ),
    Mistake(
        "linear-backward-ignores-upstream",
        "linear_backward",
        "Ignores the upstream gradient: gives the gradients of the sum of the outputs.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            dout = np.ones((len(x), W.shape[1]))
            return dout @ W.T, x.T @ dout, dout.sum(axis=0)
        """,
    ),
    Mistake(
        "linear-backward-transposed-weights",
        "linear_backward",
        "Gives dW transposed: its shape is right only for square weights.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            return dout @ W.T, dout.T @ x, dout.sum(axis=0)
        """,
    ),
    Mistake(
        "linear-backward-untransposed-dx",
        "linear_backward",
        "Forgets to transpose W in dx: raises unless the weights are square.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            return dout @ W, x.T @ dout, dout.sum(axis=0)
        """,
    ),
    Mistake(
        "linear-backward-1-over-n-twice",
        "linear_backward",
        "Divides dW by N once more.",
        """
        def linear_backward(dout, cache):
            x, W = cache
            return dout @ W.T, x.T @ dout / len(x), dout.sum(axis=0)
        """,
    ),
    # relu_forward, relu_backward
    Mistake(
        "relu-mask-of-dout",
        "relu_forward",
        "Takes the mask from the upstream gradient and not from the inputs.",
        """
        def relu_backward(dout, cache):
            return dout * (dout > 0)
        """,
    ),
    Mistake(
        "relu-slope-at-zero",
        "relu_forward",
        "Passes the gradient where x is exactly 0.",
        """
        def relu_forward(x):
            return np.maximum(x, 0), x


        def relu_backward(dout, cache):
            return dout * (cache >= 0)
        """,
    ),
    Mistake(
        "relu-backward-in-place",
        "relu_forward",
        "Writes zeros into the caller's upstream gradient.",
        """
        def relu_forward(x):
            return np.maximum(x, 0), x


        def relu_backward(dout, cache):
            dout[cache <= 0] = 0
            return dout
        """,
    ),
    Mistake(
        "relu-ignores-upstream",
        "relu_forward",
        "Returns the mask itself and ignores the upstream gradient.",
        """
        def relu_forward(x):
            return np.maximum(x, 0), x


        def relu_backward(dout, cache):
            return np.where(cache > 0, 1.0, 0.0)
        """,
    ),
    Mistake(
        "relu-of-absolute-values",
        "relu_forward",
        "Returns absolute values.",
        """
        def relu_forward(x):
            return np.abs(x), x > 0
        """,
    ),
    # mlp_loss_and_grads
    Mistake(
        "mlp-skips-relu-backward",
        "mlp_loss_and_grads",
        "Propagates back past the ReLU without its mask.",
        """
        def mlp_loss_and_grads(params, x, labels):
            a, cache1 = linear_forward(x, params["W1"], params["b1"])
            h, _ = relu_forward(a)
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            dh, dW2, db2 = linear_backward(dlogits, cache2)
            _, dW1, db1 = linear_backward(dh, cache1)
            return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
        """,
    ),
    Mistake(
        "mlp-misnamed-gradients",
        "mlp_loss_and_grads",
        "Names the gradients dW1, db1, … and not like the parameters.",
        """
        def mlp_loss_and_grads(params, x, labels):
            a, cache1 = linear_forward(x, params["W1"], params["b1"])
            h, cache_relu = relu_forward(a)
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            dh, dW2, db2 = linear_backward(dlogits, cache2)
            _, dW1, db1 = linear_backward(relu_backward(dh, cache_relu), cache1)
            return loss, {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
        """,
    ),
    Mistake(
        "mlp-drops-bias-gradients",
        "mlp_loss_and_grads",
        "Gives zeros for the gradients of both biases.",
        """
        def mlp_loss_and_grads(params, x, labels):
            a, cache1 = linear_forward(x, params["W1"], params["b1"])
            h, cache_relu = relu_forward(a)
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            dh, dW2, _ = linear_backward(dlogits, cache2)
            _, dW1, _ = linear_backward(relu_backward(dh, cache_relu), cache1)
            grads = {key: np.zeros_like(value) for key, value in params.items()}
            grads["W1"], grads["W2"] = dW1, dW2
            return loss, grads
        """,
    ),
    Mistake(
        "mlp-gradient-of-the-sum",
        "mlp_loss_and_grads",
        "Multiplies the gradients by N: they belong to the sum of the losses and not to their mean.",
        """
        def mlp_loss_and_grads(params, x, labels):
            a, cache1 = linear_forward(x, params["W1"], params["b1"])
            h, cache_relu = relu_forward(a)
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            dh, dW2, db2 = linear_backward(dlogits * len(x), cache2)
            _, dW1, db1 = linear_backward(relu_backward(dh, cache_relu), cache1)
            return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
        """,
    ),
    Mistake(
        "mlp-updates-its-parameters",
        "mlp_loss_and_grads",
        "Takes a step of gradient descent in the caller's parameters.",
        """
        def mlp_loss_and_grads(params, x, labels):
            a, cache1 = linear_forward(x, params["W1"], params["b1"])
            h, cache_relu = relu_forward(a)
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            grads = {}
            dh, grads["W2"], grads["b2"] = linear_backward(dlogits, cache2)
            _, grads["W1"], grads["b1"] = linear_backward(relu_backward(dh, cache_relu), cache1)
            for key in params:
                params[key] -= 1e-3 * grads[key]
            return loss, grads
        """,
    ),
    Mistake(
        "mlp-forward-without-relu",
        "mlp_loss_and_grads",
        "Leaves the ReLU out altogether: two linear layers are one.",
        """
        def mlp_loss_and_grads(params, x, labels):
            h, cache1 = linear_forward(x, params["W1"], params["b1"])
            logits, cache2 = linear_forward(h, params["W2"], params["b2"])
            loss, dlogits = softmax_cross_entropy(logits, labels)
            dh, dW2, db2 = linear_backward(dlogits, cache2)
            _, dW1, db1 = linear_backward(dh, cache1)
            return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
        """,
    ),
    # sgd_step
    Mistake(
        "sgd-in-place",
        "sgd_step",
        "Changes the caller's parameter in place.",
        """
        def sgd_step(param, grad, lr):
            param -= lr * grad
            return param
        """,
    ),
    Mistake(
        "sgd-uphill",
        "sgd_step",
        "Adds the gradient: goes uphill.",
        """
        def sgd_step(param, grad, lr):
            return param + lr * grad
        """,
    ),
    Mistake(
        "sgd-ignores-lr",
        "sgd_step",
        "Uses a learning rate of its own and ignores the argument.",
        """
        def sgd_step(param, grad, lr):
            lr = 0.1
            return param - lr * grad
        """,
    ),
    # momentum_step
    Mistake(
        "momentum-does-not-return-its-velocity",
        "momentum_step",
        "Returns the parameter alone, so the velocity is lost.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            velocity = beta * velocity + grad
            return param - lr * velocity
        """,
    ),
    Mistake(
        "momentum-returns-the-old-velocity",
        "momentum_step",
        "Returns the velocity that it was given, so nothing accumulates.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            new_velocity = beta * velocity + grad
            return param - lr * new_velocity, velocity
        """,
    ),
    Mistake(
        "momentum-ignores-beta",
        "momentum_step",
        "Uses 0.9 whatever beta is given.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            velocity = 0.9 * velocity + grad
            return param - lr * velocity, velocity
        """,
    ),
    Mistake(
        "momentum-as-a-mean",
        "momentum_step",
        "Weighs the gradient with 1 − beta.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            velocity = beta * velocity + (1 - beta) * grad
            return param - lr * velocity, velocity
        """,
    ),
    Mistake(
        "momentum-in-place",
        "momentum_step",
        "Changes the caller's velocity in place.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            velocity *= beta
            velocity += grad
            return param - lr * velocity, velocity
        """,
    ),
    Mistake(
        "momentum-in-float16",
        "momentum_step",
        "Keeps its velocity in half precision: right to 1e-3 only.",
        """
        def momentum_step(param, grad, velocity, lr, beta=0.9):
            velocity = (beta * velocity + grad).astype(np.float16)
            return param - lr * velocity, velocity
        """,
    ),
    Mistake(
        "momentum-wrong-signature",
        "momentum_step",
        "Takes no lr, so it cannot be called as asked.",
        """
        def momentum_step(param, grad, velocity):
            velocity = 0.9 * velocity + grad
            return param - 0.01 * velocity, velocity
        """,
    ),
    # rmsprop_step
    Mistake(
        "rmsprop-eps-inside-the-root",
        "rmsprop_step",
        "Adds eps under the root.",
        """
        def rmsprop_step(param, grad, sq_avg, lr, rho=0.9, eps=1e-8):
            sq_avg = rho * sq_avg + (1 - rho) * grad**2
            return param - lr * grad / np.sqrt(sq_avg + eps), sq_avg
        """,
    ),
    Mistake(
        "rmsprop-divides-by-the-old-average",
        "rmsprop_step",
        "Divides by the average from before this step.",
        """
        def rmsprop_step(param, grad, sq_avg, lr, rho=0.9, eps=1e-8):
            new_param = param - lr * grad / (np.sqrt(sq_avg) + eps)
            return new_param, rho * sq_avg + (1 - rho) * grad**2
        """,
    ),
    Mistake(
        "rmsprop-rho-swapped",
        "rmsprop_step",
        "Swaps rho and 1 − rho.",
        """
        def rmsprop_step(param, grad, sq_avg, lr, rho=0.9, eps=1e-8):
            sq_avg = (1 - rho) * sq_avg + rho * grad * grad
            return param - lr * grad / (np.sqrt(sq_avg) + eps), sq_avg
        """,
    ),
    Mistake(
        "rmsprop-without-eps",
        "rmsprop_step",
        "Leaves eps out: 0/0 where the gradient has always been 0.",
        """
        def rmsprop_step(param, grad, sq_avg, lr, rho=0.9, eps=1e-8):
            sq_avg = rho * sq_avg + (1 - rho) * grad**2
            return param - lr * grad / np.sqrt(sq_avg), sq_avg
        """,
    ),
    # adam_step
    Mistake(
        "adam-without-bias-correction",
        "adam_step",
        "Leaves the bias correction out.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = beta1 * m + (1 - beta1) * grad
            v = beta2 * v + (1 - beta2) * grad**2
            return param - lr * m / (np.sqrt(v) + eps), m, v
        """,
    ),
    Mistake(
        "adam-correction-off-by-one",
        "adam_step",
        "Corrects with t − 1, which divides by 0 at the first step.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = beta1 * m + (1 - beta1) * grad
            v = beta2 * v + (1 - beta2) * grad**2
            m_hat = m / (1 - beta1 ** (t - 1))
            v_hat = v / (1 - beta2 ** (t - 1))
            return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
        """,
    ),
    Mistake(
        "adam-eps-inside-the-root",
        "adam_step",
        "Adds eps under the root.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = beta1 * m + (1 - beta1) * grad
            v = beta2 * v + (1 - beta2) * grad**2
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            return param - lr * m_hat / np.sqrt(v_hat + eps), m, v
        """,
    ),
    Mistake(
        "adam-betas-swapped",
        "adam_step",
        "Swaps beta1 and beta2.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = beta2 * m + (1 - beta2) * grad
            v = beta1 * v + (1 - beta1) * grad**2
            m_hat, v_hat = m / (1 - beta2**t), v / (1 - beta1**t)
            return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
        """,
    ),
    Mistake(
        "adam-returns-corrected-means",
        "adam_step",
        "Returns the bias-corrected means, which the next step corrects again.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = (beta1 * m + (1 - beta1) * grad) / (1 - beta1**t)
            v = (beta2 * v + (1 - beta2) * grad**2) / (1 - beta2**t)
            return param - lr * m / (np.sqrt(v) + eps), m, v
        """,
    ),
    Mistake(
        "adam-ignores-its-settings",
        "adam_step",
        "Uses the defaults whatever lr, beta1 and beta2 are given.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m = 0.9 * m + 0.1 * grad
            v = 0.999 * v + 0.001 * grad**2
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            return param - 0.001 * m_hat / (np.sqrt(v_hat) + 1e-8), m, v
        """,
    ),
    Mistake(
        "adam-in-place",
        "adam_step",
        "Changes the caller's running means in place.",
        """
        def adam_step(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            m *= beta1
            m += (1 - beta1) * grad
            v *= beta2
            v += (1 - beta2) * grad**2
            m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
            return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
        """,
    ),
    # step_decay, exponential_decay, cosine_decay
    Mistake(
        "step-decay-never-ends",
        "step_decay",
        "Forgets to count down in its loop, which never ends from the first stair on.",
        """
        def step_decay(lr0, epoch, factor=0.5, every=10):
            lr = lr0
            while epoch >= every:
                lr = lr * factor
            return lr
        """,
        hangs=True,
    ),
    Mistake(
        "step-decay-without-stairs",
        "step_decay",
        "Divides without rounding down, so the rate falls at every epoch.",
        """
        def step_decay(lr0, epoch, factor=0.5, every=10):
            return lr0 * factor ** (epoch / every)
        """,
    ),
    Mistake(
        "step-decay-ignores-its-settings",
        "step_decay",
        "Uses 0.5 and 10 whatever factor and every are given.",
        """
        def step_decay(lr0, epoch, factor=0.5, every=10):
            return lr0 * 0.5 ** (epoch // 10)
        """,
    ),
    Mistake(
        "exponential-decay-of-the-rate",
        "step_decay",
        "Raises the rate to the power of the epoch.",
        """
        def exponential_decay(lr0, epoch, rate):
            return lr0 * rate**epoch
        """,
    ),
    Mistake(
        "cosine-decay-rises-again",
        "step_decay",
        "Follows the cosine past total_steps, where it rises again.",
        """
        def cosine_decay(lr0, step, total_steps, lr_min=0.0):
            return lr_min + 0.5 * (lr0 - lr_min) * (1 + np.cos(np.pi * step / total_steps))
        """,
    ),
    Mistake(
        "cosine-decay-ignores-lr-min",
        "step_decay",
        "Falls to 0 whatever lr_min is given.",
        """
        def cosine_decay(lr0, step, total_steps, lr_min=0.0):
            progress = min(step, total_steps) / total_steps
            return 0.5 * lr0 * (1 + np.cos(np.pi * progress))
        """,
    ),
    # minibatches
    Mistake(
        "minibatches-drop-the-last-batch",
        "minibatches",
        "Drops the last, smaller batch.",
        """
        def minibatches(x, y, batch_size, rng):
            order = rng.permutation(len(x))
            for i in range(len(x) // batch_size):
                batch = order[i * batch_size : (i + 1) * batch_size]
                yield x[batch], y[batch]
        """,
    ),
    Mistake(
        "minibatches-shuffled-apart",
        "minibatches",
        "Shuffles x and y by two different orders, so examples get others' labels.",
        """
        def minibatches(x, y, batch_size, rng):
            x, y = rng.permutation(x), rng.permutation(y)
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
        """,
    ),
    Mistake(
        "minibatches-shuffle-only-batches",
        "minibatches",
        "Shuffles the batches and not the examples.",
        """
        def minibatches(x, y, batch_size, rng):
            starts = np.arange(0, len(x), batch_size)
            rng.shuffle(starts)
            for start in starts:
                yield x[start : start + batch_size], y[start : start + batch_size]
        """,
    ),
    Mistake(
        "minibatches-in-the-given-order",
        "minibatches",
        "Does not shuffle at all.",
        """
        def minibatches(x, y, batch_size, rng):
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
        """,
    ),
    Mistake(
        "minibatches-in-place",
        "minibatches",
        "Shuffles the caller's own arrays.",
        """
        def minibatches(x, y, batch_size, rng):
            order = rng.permutation(len(x))
            x[:], y[:] = x[order], y[order]
            for start in range(0, len(x), batch_size):
                yield x[start : start + batch_size], y[start : start + batch_size]
        """,
    ),
    Mistake(
        "minibatches-ignore-rng",
        "minibatches",
        "Draws the order from NumPy's global generator and not from rng.",
        """
        def minibatches(x, y, batch_size, rng):
            order = np.random.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                yield x[batch], y[batch]
        """,
    ),
    # train
    Mistake(
        "train-ignores-seed",
        "train",
        "Draws from a generator without a seed, so no two trainings agree.",
        trained("default_rng(seed)", "default_rng()"),
    ),
    Mistake(
        "train-ignores-optimizer",
        "train",
        "Uses Adam whatever optimizer is asked for.",
        trained("D, H, C = x.shape[1]", 'optimizer = "adam"\n    D, H, C = x.shape[1]'),
    ),
    Mistake(
        "train-without-shuffling",
        "train",
        "Cuts the batches in the order of the rows and never shuffles.",
        trained(
            "for xb, yb in minibatches(x, y, batch_size, rng):",
            """for start in range(0, len(x), batch_size):
            xb, yb = x[start : start + batch_size], y[start : start + batch_size]""",
        ),
    ),
    Mistake(
        "train-skips-the-last-batch",
        "train",
        "Skips the batches that are smaller than asked.",
        trained(
            "loss, grads = mlp",
            """if len(xb) < batch_size:
                continue
            loss, grads = mlp""",
        ),
    ),
    Mistake(
        "train-history-of-the-last-batch",
        "train",
        "Records the last batch's loss and not the mean of the epoch.",
        trained("np.mean(losses)", "losses[-1]"),
    ),
    Mistake(
        "train-adam-counts-epochs",
        "train",
        "Gives Adam the number of the epoch for t and not that of the step.",
        trained("v[key], t, lr", "v[key], epoch + 1, lr"),
    ),
    Mistake(
        "train-from-zero-weights",
        "train",
        "Starts from weights of 0, from which no hidden unit ever learns anything.",
        trained("m = {", 'params["W1"], params["W2"] = np.zeros((D, H)), np.zeros((H, C))\n    m = {'),
    ),
    Mistake(
        "train-forgets-between-epochs",
        "train",
        "Starts the optimiser's memory anew in every epoch.",
        trained(
            "losses = []",
            """losses = []
        m = {key: np.zeros_like(value) for key, value in params.items()}
        v = {key: np.zeros_like(value) for key, value in params.items()}""",
        ),
    ),
    Mistake(
        "train-ends-python",
        "train",
        "Leaves with sys.exit when it is done, so nothing is ever returned.",
        trained("return params, history", "import sys\n\n    sys.exit()"),
    ),
    Mistake(
        "train-kills-python",
        "train",
        "Leaves with os._exit when it is done, which ends Python at once.",
        trained("return params, history", "import os\n\n    os._exit(0)"),
    ),
    Mistake(
        "train-shuffles-the-first-epoch-only",
        "train",
        "Shuffles in the first epoch, and goes through the rows in their order in all others.",
        trained(
            "for xb, yb in minibatches(x, y, batch_size, rng):",
            """batches = list(minibatches(x, y, batch_size, rng))
        if epoch > 0:
            cuts = range(0, len(x), batch_size)
            batches = [(x[cut : cut + batch_size], y[cut : cut + batch_size]) for cut in cuts]
        for xb, yb in batches:""",
        ),
    ),
    Mistake(
        "train-same-order-in-every-epoch",
        "train",
        "Makes its generator anew in every epoch, so all have the same order.",
        trained("batch_size, rng):", "batch_size, np.random.default_rng(seed)):"),
    ),
)
