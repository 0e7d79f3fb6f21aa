"""Where to draw the nodes of a graph, so that the distance on the page is the distance in the graph.

Stress majorization (Gansner, Koren and North, 2004): it starts from classical scaling, so there is no chance in it, and the same graph
always gets the same picture.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np

ROUNDS = 60  # of stress majorization; after that nothing moves that anybody would see
ASPECT = 3.0  # a page is much wider than it is high


def layout(size: int, edges: Sequence[tuple[int, int]]) -> np.ndarray:
    """A place for each of the nodes 0 … size - 1: an array of shape (size, 2), in units of one edge's length.

    Parts of the graph that are not connected are laid out on their own and put side by side.
    """
    neighbours = [set() for _ in range(size)]
    for one, other in edges:
        if one != other:
            neighbours[one].add(other)
            neighbours[other].add(one)
    places = np.zeros((size, 2))
    parts = sorted(_components(neighbours), key=len, reverse=True)
    boxes = [_lay_out(part, neighbours) for part in parts]
    for part, box, corner in zip(parts, boxes, _shelves([np.ptp(box, axis=0) for box in boxes]), strict=True):
        places[part] = box - box.min(axis=0) + corner
    return places


def _components(neighbours: list[set[int]]) -> list[list[int]]:
    seen, parts = set(), []
    for node in range(len(neighbours)):
        if node not in seen:
            part = list(_hops_from(node, neighbours))
            seen.update(part)
            parts.append(part)
    return parts


def _hops_from(start: int, neighbours: list[set[int]]) -> dict[int, int]:
    """Breadth-first search: each node that can be reached, and in how many hops."""
    hops, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        for other in sorted(neighbours[node] - hops.keys()):
            hops[other] = hops[node] + 1
            queue.append(other)
    return hops


def _lay_out(part: list[int], neighbours: list[set[int]]) -> np.ndarray:
    if len(part) == 1:
        return np.zeros((1, 2))
    hops = [_hops_from(node, neighbours) for node in part]
    wanted = np.array([[from_one[other] for other in part] for from_one in hops], dtype=float)
    return _apart(_lengthwise(_majorize(_scale(wanted), wanted)))


def _scale(wanted: np.ndarray) -> np.ndarray:
    """Classical scaling: the flat picture that keeps most of the squared distances."""
    middle = np.eye(len(wanted)) - 1 / len(wanted)
    values, vectors = np.linalg.eigh(-middle @ wanted**2 @ middle / 2)
    vectors = vectors[:, -2:] * np.where(vectors[:, -2:].sum(axis=0) < 0, -1, 1)  # a sign that no library chooses
    # A little of the row number keeps apart what scaling puts on one spot (the leaves of a star).
    spread = np.arange(len(wanted))[:, None] * 2.4
    return vectors * np.sqrt(np.maximum(values[-2:], 1e-9)) + 0.3 * np.hstack([np.cos(spread), np.sin(spread)])


def _majorize(places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Move all nodes together until the distances on the page are as close to `wanted` as they get."""
    weights = 1 / (wanted + np.eye(len(wanted))) ** 2 * (1 - np.eye(len(wanted)))
    pull = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    for _ in range(ROUNDS):
        now = np.linalg.norm(places[:, None] - places[None], axis=2)
        ratio = weights * wanted / np.maximum(now, 1e-6)
        places = pull @ ((np.diag(ratio.sum(axis=1)) - ratio) @ places)
    return places


def _lengthwise(places: np.ndarray) -> np.ndarray:
    """Turn the picture so that its longest side lies flat."""
    places = places - places.mean(axis=0)
    _, _, axes = np.linalg.svd(places, full_matrices=False)
    return places @ axes.T if axes.shape == (2, 2) else places


def _apart(places: np.ndarray, least: float = 0.45) -> np.ndarray:
    """Push nodes that lie closer than `least` away from each other."""
    for _ in range(30):
        between = places[:, None] - places[None]
        distance = np.linalg.norm(between, axis=2) + np.eye(len(places)) * least
        if (distance >= least).all():
            break
        short = np.maximum(least - distance, 0) / 2 / np.maximum(distance, 1e-6)
        places = places + (between * short[:, :, None]).sum(axis=1)
    return places


def _shelves(sizes: list[np.ndarray], gap: float = 1.0) -> list[np.ndarray]:
    """Put boxes in rows like books on shelves; return the corner of each."""
    room = max(*(width for width, _ in sizes), (ASPECT * sum((w + gap) * (h + gap) for w, h in sizes)) ** 0.5)
    corners, x, y, highest = [], 0.0, 0.0, 0.0
    for width, height in sizes:
        if x and x + width > room:
            x, y, highest = 0.0, y + highest + gap, 0.0
        corners.append(np.array([x, y]))
        x, highest = x + width + gap, max(highest, height)
    return corners
