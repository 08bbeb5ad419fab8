"""Many seeds at once decide as single sketches do."""

import numpy as np
import pytest

from node.sketch import agrees, grid_of, projections, sketch
from node.sketch.trials import agree_many, project_many, trials

SEEDS = [bytes([number]) * 77 for number in range(40)]


@pytest.mark.parametrize("n", [40, 70_000])
@pytest.mark.parametrize("k", [8, 16])
def test_trials_decide_as_sketches_do(n: int, k: int) -> None:
    rng = np.random.default_rng(n + k)
    references = rng.standard_normal((2, n)).astype(np.float32)
    grid = grid_of(16 * float(np.linalg.norm(references[0])))
    noise = rng.standard_normal((5, n)) * np.array([0, 1e-7, 1e-5, 1.1e-4, 1e-2])[:, None]
    of = [0, 1, 0, 1, 0]
    claims = (references[of] + noise).astype(np.float32)
    seeds = SEEDS[: 40 if n == 40 else 1]
    found = trials(references, claims, of, seeds=seeds, tau=1e-4, grid=grid, k=k)
    for i, seed in enumerate(seeds):
        for j, claim in enumerate(claims):
            mine = sketch(references[of[j]], seed=seed, k=k, grid=grid)
            assert found[i, j] == agrees(sketch(claim, seed=seed, k=k, grid=grid), mine, tau=1e-4)
    if n == 40:
        assert 0 < found[:, 3].mean() < 1  # near tau both happen
    assert found[:, :3].all()
    assert not found[:, 4].any()


def test_products_are_the_projections() -> None:
    u = np.random.default_rng(0).standard_normal((3, 100))
    (products,) = project_many(u, seeds=SEEDS[:4], k=24)
    for i, seed in enumerate(SEEDS[:4]):
        for j in range(3):
            np.testing.assert_allclose(products[i, j], projections(u[j], seed=seed, k=24), rtol=1e-5, atol=1e-5)


def test_agreement_by_hand() -> None:
    reference = np.zeros((1, 16))
    reference[0, 0] = 100_000
    claims = np.repeat(reference, 2, axis=0)
    claims[:, 1] = 14, 15  # tau |S_v| + sqrt(k) = 10 + 4
    assert agree_many(claims, reference, tau=1e-4).tolist() == [True, False]


def test_no_seeds_and_bad_rows() -> None:
    one = np.ones((1, 8), np.float32)
    assert trials(one, one, [0], seeds=[], tau=1e-4, grid=1.0, k=8).shape == (0, 1)
    with pytest.raises(ValueError, match="multiple of 8"):
        list(project_many(np.ones((1, 8)), seeds=SEEDS, k=7))
