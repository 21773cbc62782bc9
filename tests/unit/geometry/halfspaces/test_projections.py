"""Is a projection by blocks one by the pseudo-inverse? And does the clock hold while there are many rows?"""

import numpy as np
import pytest

from reluatlas.deadline import Deadline, under
from reluatlas.errors import TimeLimitError
from reluatlas.geometry.halfspaces import projections


@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (41, 41), (64, 100)])
def test_many_rows_are_projected_as_few_are(monkeypatch, shape):
    rng = np.random.default_rng(0)
    unit = rng.normal(size=shape)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    expected = np.linalg.pinv(unit @ unit.T, rcond=1e-9, hermitian=True) @ unit
    monkeypatch.setattr(projections, "_SPECTRAL", 0)
    monkeypatch.setattr(projections, "_BLOCK", 16)
    assert np.allclose(projections._pseudo_inverse(unit), expected, atol=1e-3 * np.abs(expected).max())


def test_the_clock_is_looked_at_between_blocks():
    unit = np.eye(2000)
    with under(Deadline(1e-6)), pytest.raises(TimeLimitError):
        projections._pseudo_inverse(unit)
