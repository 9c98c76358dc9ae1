import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from stylehead.models.load import load_motion_generator
from stylehead.models.motion_generator import FPS, ROWS_PER_FRAME, MotionConfig, MotionGenerator

CONFIG = MotionConfig(hidden=12, layers=2, components=5, delay=4)
CPU = torch.device("cpu")


def tiny(seed=0):
    torch.manual_seed(seed)
    net = MotionGenerator(CONFIG).eval()
    net.components.copy_(torch.randn(5, 204))
    return net


def rows(frames=30):
    return torch.rand(1, frames * ROWS_PER_FRAME, 80, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "motion.safetensors"
    save_file(tiny().state_dict(), path, metadata={"config": json.dumps(asdict(CONFIG))})
    return path


def test_two_rows_make_one_frame_of_68_points():
    assert (FPS, ROWS_PER_FRAME) == (60, 2)
    offsets, _ = tiny()(rows(30))
    assert offsets.shape == (1, 30, 68, 3)


@pytest.mark.parametrize("cut", [1, 11, 29])
def test_a_stream_in_pieces_gives_what_the_whole_gives(cut):
    net, sound = tiny(), rows(30)
    with torch.inference_mode():
        whole, _ = net(sound)
        first, state = net(sound[:, : 2 * cut])
        second, _ = net(sound[:, 2 * cut :], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-5)


def test_what_comes_later_does_not_change_what_was_said():
    net, sound = tiny(), rows(30)
    changed = sound.clone()
    changed[:, 40:] = 0
    with torch.inference_mode():
        before, after = net(sound)[0], net(changed)[0]
    torch.testing.assert_close(before[:, :20], after[:, :20], rtol=0, atol=1e-6)
    assert (before[:, 20:] != after[:, 20:]).any()


def test_offsets_lie_in_the_space_of_the_components():
    net = tiny()
    with torch.inference_mode():
        offsets = net(rows(60))[0].reshape(60, 204)
    assert torch.linalg.matrix_rank(offsets.double(), atol=1e-4, rtol=0) <= 5


def test_a_saved_net_comes_back_ready_for_use(saved):
    net = load_motion_generator(saved, CPU)
    assert net.config == CONFIG
    assert not net.training
    with torch.inference_mode():
        torch.testing.assert_close(net(rows())[0], tiny()(rows())[0], rtol=0, atol=0)


def test_half_precision_files_become_single(tmp_path):
    state = {key: value.half() for key, value in tiny().state_dict().items()}
    path = tmp_path / "half.safetensors"
    save_file(state, path, metadata={"config": json.dumps(asdict(CONFIG))})
    net = load_motion_generator(path, CPU)
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_loading_is_strict(tmp_path, change):
    state = dict(tiny().state_dict())
    if change == "missing":
        del state["head.1.weight"]
    elif change == "extra":
        state["head.9.weight"] = torch.zeros(3)
    else:
        state["head.1.weight"] = torch.zeros(3, 3)
    path = tmp_path / "wrong.safetensors"
    save_file(state, path, metadata={"config": json.dumps(asdict(CONFIG))})
    with pytest.raises(RuntimeError, match="state_dict"):
        load_motion_generator(path, CPU)
