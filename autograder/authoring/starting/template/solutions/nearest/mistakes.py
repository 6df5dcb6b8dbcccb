"""The mistakes that students make here: for a made-up class, and for `autograder audit nearest`."""

from autograder.authoring import Mistake

MISTAKES = [
    Mistake(
        name="square-root",
        row="squared_distances",
        wrong="The distances themselves, not their squares.",
        source="""
        def squared_distances(points, centres):
            return np.linalg.norm(points[:, None, :] - centres, axis=-1)
        """,
    ),
    Mistake(
        name="transposed",
        row="squared_distances",
        wrong="A row for each centre instead of one for each point.",
        source="""
        def squared_distances(points, centres):
            return np.sum((centres[:, None, :] - points) ** 2, axis=-1)
        """,
    ),
    Mistake(
        name="summed-over-all",
        row="squared_distances",
        wrong="The sum goes over all centres too.",
        source="""
        def squared_distances(points, centres):
            return np.sum((points[:, None, :] - centres) ** 2)
        """,
    ),
    Mistake(
        name="wrong-axis",
        row="nearest",
        wrong="The nearest point of each centre, not the nearest centre of each point.",
        source="""
        def nearest(points, centres):
            return np.argmin(squared_distances(points, centres), axis=0)
        """,
    ),
    Mistake(
        name="the-last-of-equals",
        row="nearest",
        wrong="Of centres that are equally near, the last.",
        source="""
        def nearest(points, centres):
            distances = squared_distances(points, centres)
            return distances.shape[1] - 1 - np.argmin(distances[:, ::-1], axis=1)
        """,
    ),
    Mistake(
        name="mean-of-nothing",
        row="moved",
        wrong="A centre without points becomes nan.",
        source="""
        def moved(points, labels, centres):
            with np.errstate(invalid="ignore"):
                counts = np.bincount(labels, minlength=len(centres))
                return np.stack([points[labels == k].sum(axis=0) / counts[k] for k in range(len(centres))])
        """,
    ),
    Mistake(
        name="changed-in-place",
        row="moved",
        wrong="The centres that were handed over are changed.",
        source="""
        def moved(points, labels, centres):
            for k in range(len(centres)):
                if np.any(labels == k):
                    centres[k] = points[labels == k].mean(axis=0)
            return centres
        """,
    ),
    Mistake(
        name="for-ever",
        row="moved",
        wrong="It waits for centres that stand still, and they never do.",
        source="""
        def moved(points, labels, centres):
            result = centres.copy()
            while not np.array_equal(result, np.zeros_like(centres) + np.nan):
                for k in set(labels):
                    result[k] = points[labels == k].mean(axis=0)
            return result
        """,
        hangs=True,
    ),
]
