from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Run tiny nets on one thread: on a busy machine more of them wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def astronaut():
    """Return the tracked portrait of a smiling astronaut: her teeth show."""
    from stylehead.media.image import read_image
    from stylehead.tracking.portrait import find_portrait
    from stylehead.weights.store import demo_files

    return find_portrait(read_image(demo_files()[0]), name="astronaut")
