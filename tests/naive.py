"""The formulas of the models in plain loops, over numbers or dual numbers: slow and obvious.

`Dual` carries the tangent of every parameter along (forward mode), so `loss` gives a second, independent derivation of
the gradient. Nothing here calls the package, but for one thing: a model without a formula here is taken by its hinge
form, of which another test shows that it is the model's step.
"""

import math

import numpy as np
from scipy.linalg import expm, logm

from plrnn_numba.models.base import hinge_form


class Dual:
    """A number and its derivatives by all parameters."""

    __array_priority__ = 1000

    def __init__(self, value, tangent):
        self.value, self.tangent = value, tangent

    def __add__(self, other):
        if isinstance(other, Dual):
            return Dual(self.value + other.value, self.tangent + other.tangent)
        return Dual(self.value + other, self.tangent)

    __radd__ = __add__

    def __neg__(self):
        return Dual(-self.value, -self.tangent)

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return other + (-self)

    def __mul__(self, other):
        if isinstance(other, Dual):
            tangent = self.value * other.tangent + other.value * self.tangent
            return Dual(self.value * other.value, tangent)
        return Dual(self.value * other, self.tangent * other)

    __rmul__ = __mul__

    def __truediv__(self, number):
        return self * (1.0 / number)


def value(x):
    return x.value if isinstance(x, Dual) else x


def phi(x):
    """max(0, x), with phi'(0) = 0."""
    return x if value(x) > 0 else x * 0.0


OWN_FORMULAS = ("PLRNN", "ALRNN", "ShPLRNN", "ClippedShPLRNN")


def pre_activations(latent, z):
    """Everything that a ReLU sees in one step."""
    name = type(latent).__name__
    M = len(z)
    if name not in OWN_FORMULAS:
        hinge = hinge_form(latent)
        return [sum(hinge.C[k][j] * z[j] for j in range(M)) + hinge.d[k] for k in range(len(hinge.d))]
    if name == "PLRNN":
        mean = sum(z[i] for i in range(M)) / M if latent.mean_centering else 0.0
        return [z[i] - mean for i in range(M)]
    if name == "ALRNN":
        return [z[i] for i in range(M - latent.num_relus, M)]
    lower = [sum(latent.W2[k][j] * z[j] for j in range(M)) for k in range(len(latent.h2))]
    upper = [lower[k] + latent.h2[k] for k in range(len(latent.h2))]
    return upper if name == "ShPLRNN" else upper + lower


def step_of_hinge_form(latent, z, s, u):
    """``L z + B phi(u) + h + C s``."""
    L, B, _, _, h, C = hinge_form(latent)
    out = []
    for i in range(len(z)):
        new = h[i] + sum(L[i][j] * z[j] for j in range(len(z)))
        new = new + sum(B[i][k] * phi(u[k]) for k in range(len(u)))
        out.append(new + sum(C[i][k] * s[k] for k in range(len(s))))
    return out


def step(latent, z, s=()):
    """One step, by the equation of the model."""
    name = type(latent).__name__
    M = len(z)
    u = pre_activations(latent, z)
    if name not in OWN_FORMULAS:
        return step_of_hinge_form(latent, z, s, u)
    if name == "PLRNN":
        W, h, r = latent.W, latent.h, [phi(x) for x in u]
    elif name == "ALRNN":
        W, h = latent.W, latent.h
        r = [z[i] for i in range(M - latent.num_relus)] + [phi(x) for x in u]
    else:
        H = len(latent.h2)
        W, h, r = latent.W1, latent.h1, [phi(u[k]) for k in range(H)]
        if name == "ClippedShPLRNN":
            r = [r[k] - phi(u[H + k]) for k in range(H)]
    out = []
    for i in range(M):
        new = latent.A[i] * z[i] + h[i]
        for j in range(len(r)):
            new = new + W[i][j] * r[j]
        for k in range(len(s)):
            new = new + latent.C[i][k] * s[k]
        out.append(new)
    return out


def generate(latent, z0, n_steps, inputs):
    orbit = [list(z0)]
    for t in range(n_steps - 1):
        orbit.append(step(latent, orbit[-1], inputs[t]))
    return np.array(orbit)


def jacobian(latent, z):
    """Column j: the tangent of a step in direction j."""
    eye = np.eye(len(z))
    dual = step(latent, [Dual(float(z[j]), eye[j]) for j in range(len(z))])
    return np.array([row.tangent for row in dual])


def observe(observation, z, N):
    if type(observation).__name__ == "Identity":
        return [z[i] for i in range(N)]
    B, b = observation.B, observation.b
    return [sum(B[i][j] * z[j] for j in range(len(z))) + b[i] for i in range(N)]


def signal(observation, inverse, x):
    """What forces the state where x is observed; `inverse` is pinv(B), a constant."""
    if type(observation).__name__ == "Identity":
        return list(x)
    N = len(x)
    return [sum(inverse[i][j] * (x[j] - observation.b[j]) for j in range(N)) for i in range(len(inverse))]


def start(observation, inverse, x, M):
    if type(observation).__name__ == "Affine":
        return signal(observation, inverse, x)
    N = len(x)
    L = observation.L
    return list(x) + [sum(L[i][j] * x[j] for j in range(N)) for i in range(M - N)]


def forced_states(model, inverse, X, U, a):
    """z[0..T-1] after forcing and z[1..T] before it, of one sequence; unit i is pulled by a[t][i]."""
    z = start(model.observation, inverse, X[0], len(model.latent.A))
    stepped_from, stepped_to = [], []
    for t in range(len(X) - 1):
        for i, pull in enumerate(signal(model.observation, inverse, X[t]) if t > 0 else ()):
            if a[t][i] > 0:
                z[i] = (1 - a[t][i]) * z[i] + a[t][i] * pull
        stepped_from.append(list(z))
        z = step(model.latent, z, U[t])
        stepped_to.append(list(z))
    return stepped_from, stepped_to


def loss(model, X, U, a, inverse):
    """Mean over t = 1..T, sequences and variables of the squared error."""
    S, T, N = len(X), len(X[0]) - 1, len(X[0][0])
    total = 0.0
    for s in range(S):
        _, states = forced_states(model, inverse, X[s], U[s], a)
        for t in range(T):
            x = observe(model.observation, states[t], N)
            for i in range(N):
                total = total + (x[i] - X[s][t + 1][i]) * (x[i] - X[s][t + 1][i])
    return total / (T * S * N)


def gradient(model, X, U, a, inverse):
    """(loss, gradient vector) by forward mode, in the order of the arrays of (latent, observation)."""
    arrays = [p for part in model[:2] for p in part if isinstance(p, np.ndarray)]
    eye = np.eye(sum(p.size for p in arrays))
    position = 0

    def lift(array):
        nonlocal position
        flat = [Dual(float(x), eye[position + i]) for i, x in enumerate(array.ravel())]
        position += array.size
        lifted = np.empty(array.shape, dtype=object)
        lifted.ravel()[:] = flat
        return lifted

    parts = [
        part._replace(**{f: lift(p) for f, p in part._asdict().items() if isinstance(p, np.ndarray)})
        for part in model[:2]
    ]
    dual = loss(model._replace(latent=parts[0], observation=parts[1]), X, U, a, inverse)
    return dual.value, dual.tangent


def margin(model, X, U, a, inverse):
    """Distance of the nearest ReLU to its kink, over all sequences and times."""
    nearest = math.inf
    for s in range(len(X)):
        for z in forced_states(model, inverse, X[s], U[s], a)[0]:
            nearest = min([nearest, *(abs(u) for u in pre_activations(model.latent, z))])
    return nearest


def adam(params, gradients, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Kingma and Ba (2015), algorithm 1, over a list of gradients."""
    m = v = np.zeros_like(params)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        params = params - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return params


def radam(params, gradients, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Liu et al. (2020), algorithm 2, over a list of gradients."""
    m = v = np.zeros_like(params)
    rho_inf = 2 / (1 - beta2) - 1
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 4:
            l = 1 / (np.sqrt(v / (1 - beta2**t)) + epsilon)
            r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            params = params - learning_rate * r * m_hat * l
        else:
            params = params - learning_rate * m_hat
    return params


def state_space_divergence(X, Y, bins=30, alpha=1e-5):
    """The dense histogram of the default D_stsp, cell by cell."""
    low = X.min(axis=0) - 0.1 * X.std(axis=0, ddof=1)
    high = X.max(axis=0) + 0.1 * X.std(axis=0, ddof=1)

    def histogram(A):
        counts = np.zeros((bins,) * A.shape[1])
        for row in A:
            cell = np.floor((row - low) / (high - low) * bins).astype(int)
            if (cell >= 0).all() and (cell < bins).all():
                counts[tuple(cell)] += 1
        return (counts + alpha) / (counts.sum() + alpha * counts.size)

    p, q = histogram(X), histogram(Y)
    return float((p * np.log(p / q)).sum())


def hellinger_distance(X, Y, smoothing):
    """The default D_H, with the smoothing as a sum over reflected bins."""
    distances = []
    for x, y in zip(X.T, Y.T):
        spectra = []
        for a in (x, y):
            power = np.abs(np.fft.rfft((a - a.mean()) / a.std())) ** 2
            n, radius = len(power), int(4 * smoothing + 0.5)
            offsets = np.arange(-radius, radius + 1)
            weights = np.exp(-0.5 * (offsets / smoothing) ** 2)
            weights /= weights.sum()
            smooth = np.zeros(n)
            for i in range(n):
                for offset, weight in zip(offsets, weights):
                    j = (i + offset) % (2 * n)  # d c b a | a b c d | d c b a
                    smooth[i] += weight * power[j if j < n else 2 * n - 1 - j]
            spectra.append(smooth / smooth.sum())
        p, q = spectra
        distances.append(math.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2))
    return float(np.mean(distances))


def mean_stretch(method, latent, jacobians):
    """What GTF's alpha is found from; jacobians (S, T, M, M)."""
    if method == "jacobian_upper_bound":
        return max(abs(a) for a in latent.A) + np.linalg.norm(latent.W1, 2) * np.linalg.norm(latent.W2, 2)
    found = []
    for of_sequence in jacobians:
        norms = [np.linalg.norm(J, 2) for J in of_sequence]
        if method == "batch_maximum":
            found.append(max(norms))
        elif method == "product_upper_bound":
            found.append(math.prod(norms) ** (1 / len(norms)))
        elif method == "arithmetic_mean":
            found.append(np.linalg.norm(sum(of_sequence) / len(of_sequence), 2))
        else:
            logarithm = sum(logm(J) for J in of_sequence) / len(of_sequence)
            found.append(np.linalg.norm(expm(logarithm), 2))
    return max(found)
