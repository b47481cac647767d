"""Measures as the projects of the field compute them, by the description of each, in loops: slow and obvious."""

import math

import numpy as np

ALPHA = 1e-5


def box(X, variant):
    s = X.std(axis=0, ddof=1)
    if variant == "julia":
        return X.min(axis=0) - 0.1 * s, X.max(axis=0) + 0.1 * s
    if variant == "python":
        return X.min(axis=0), X.max(axis=0)
    return -2 * s, 2 * s


def binned(X, Y, m, variant):
    low, high = box(X, variant)
    python = variant.startswith("python")

    def histogram(A):
        counts = np.zeros((m,) * X.shape[1])
        for row in A:
            where = m * (row - low) / (high - low)
            cell = [math.trunc(w) if python else math.floor(w) for w in where]
            if all((0 < c < m) if python else (0 <= c < m) for c in cell):
                counts[tuple(cell)] += 1
        return (counts + ALPHA) / (counts.sum() + ALPHA * counts.size)

    p, q = histogram(X), histogram(Y)
    return float((p * np.log(p / q)).sum())


def density(point, centres, sigma):
    N = len(point)
    norm = (2 * math.pi * sigma**2) ** (-N / 2)
    return norm * sum(math.exp(-((point - c) ** 2).sum() / (2 * sigma**2)) for c in centres) / len(centres)


def mixtures(X, Y, sigma, samples, seed, variant):
    if variant == "mtf-reversed":
        X, Y = Y, X
    rng = np.random.default_rng(seed)

    def one_way(A, B):
        points = A[rng.integers(0, len(A), samples)] + sigma * rng.standard_normal((samples, A.shape[1]))
        terms = []
        for point in points:
            p, q = density(point, A, sigma), density(point, B, sigma)
            if variant == "gtf":
                p, q = np.float32(p), np.float32(q)
                if p == 0 or q == 0:
                    continue
            terms.append(math.log(p) - math.log(q))
        return np.mean(terms)

    if variant == "dend-symmetric":
        return (one_way(X, Y) + one_way(Y, X)) / 2
    return one_way(X, Y)


def z(a):
    return (a - a.mean()) / a.std()


def power(a):
    return np.abs(np.fft.rfft(a)) ** 2


def smooth(a, sigma, radius, mode):
    """mode: 'reflect' d c b a | a b c d | d c b a, 'mirror' d c b | a b c d | c b a, 'zeros'."""
    n = len(a)
    out = np.zeros(n)
    offsets = range(-radius, radius + 1)
    total = sum(math.exp(-0.5 * (o / sigma) ** 2) for o in offsets)
    for i in range(n):
        for o in offsets:
            j = i + o
            if mode == "zeros" and not 0 <= j < n:
                continue
            if mode == "reflect":
                j %= 2 * n
                j = j if j < n else 2 * n - 1 - j
            elif mode == "mirror":
                j %= 2 * n - 2
                j = j if j < n else 2 * n - 2 - j
            out[i] += math.exp(-0.5 * (o / sigma) ** 2) / total * a[j]
    return out


def spectral(X, Y, variant):
    found = []
    for x, y in zip(X.T, Y.T):
        if variant in ("default", "python", "julia", "julia-corr"):
            mode = "mirror" if variant == "julia" else "reflect"
            p, q = (smooth(power(z(a)), 20, 80, mode) for a in (x, y))
            p, q = p / p.sum(), q / q.sum()
            if variant == "python":
                found.append(math.sqrt(1 - np.sqrt(p * q).sum()))
            elif variant == "julia-corr":
                found.append(np.corrcoef(p, q)[0, 1])
            else:
                found.append(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2))
        elif variant == "mtf":
            n = len(x) // 2 * 2
            p, q = (smooth(power(z(a)[:n]) / n * 2 / n, 1, 5, "zeros") for a in (x, y))
            p, q = (p / p.sum())[:100], (q / q.sum())[:100]
            r = np.sqrt(p * q)
            found.append(math.sqrt(1 - (r.sum() - (r[0] + r[-1]) / 2)))
        elif variant == "dend":
            p, q = (
                smooth(20 * np.log10(np.abs(np.fft.rfft(z(a)))), 20, 80, "reflect")[:20000] for a in (x, y)
            )
            found.append(abs(np.corrcoef(p, q)[0, 1]))
        else:
            p, q = (smooth(power(a), 10, 40, "reflect") for a in (x, y))
            found.append(np.corrcoef(p, q)[0, 1])
    return float(np.mean(found))


def mase(X, Y, n, variant):
    added = 0.0
    if variant == "dynamix-mase":
        X, Y, added = Y, X, 1e-8
    T, N = X.shape
    found = 0.0
    for j in range(N):
        error = sum(abs(X[t, j] - Y[t, j]) for t in range(n)) / n
        scale = sum(abs(X[t + 1, j] - X[t, j]) for t in range(T - 1)) / (T - 1) + added
        found += error / scale / N
    return found


def valid_time(X, Y, epsilon):
    mean = X.mean(axis=0)
    scale = math.sqrt(sum(((x - mean) ** 2).sum() for x in X) / len(X))
    for t in range(len(X)):
        if not math.sqrt(((Y[t] - X[t]) ** 2).sum()) <= epsilon * scale:
            return t
    return len(X)


def quantile(values, level):
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    k = min(int(place), len(ordered) - 2)
    return ordered[k] + (ordered[k + 1] - ordered[k]) * (place - k)


def sliced(X, Y, directions, levels, delta, seed):
    rng = np.random.default_rng(seed)
    axes = rng.standard_normal((directions, X.shape[1]))
    found = 0.0
    for axis in axes:
        axis = axis / math.sqrt((axis**2).sum())
        x, y = X @ axis, Y @ axis
        at = [delta + (1 - 2 * delta) * k / (levels - 1) for k in range(levels)]
        found += sum(abs(quantile(x, a) - quantile(y, a)) for a in at) / levels / directions
    return found


def dimwise(X, Y, levels, delta):
    found = 0.0
    for x, y in zip(X.T, Y.T):
        at = [delta + (1 - 2 * delta) * k / (levels - 1) for k in range(levels)]
        gap = sum(abs(quantile(x, a) - quantile(y, a)) for a in at) / levels
        found += gap * 2 / (x.max() - x.min()) / X.shape[1]
    return found


def stored_series():
    """Two orbits of a map that any machine computes alike: integers modulo a prime, smoothed."""

    def noise(seed, T, N):
        state, out = seed, np.zeros((T, N))
        for t in range(T):
            for j in range(N):
                state = state * 48271 % 2147483647
                out[t, j] = state / 2147483647 - 0.5
        return out

    X, Y = noise(1, 400, 2), noise(2, 400, 2)
    for t in range(1, 400):
        X[t] += 0.9 * X[t - 1]
        Y[t] += 0.8 * Y[t - 1] + 0.02
    return X, Y
