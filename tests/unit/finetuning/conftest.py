import pytest
import torch

from stylehead.finetuning.speech import encode_speech
from stylehead.models.motion_generator import MotionConfig, MotionGenerator
from stylehead.speech.encoders import LogMelEncoder
from tests.stand_ins.faces import Recording, gape, predictor, syllables


@pytest.fixture(scope="session")
def small():
    """A predictor with a small untrained generator, which tuning can change."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        width = LogMelEncoder.width
        config = MotionConfig(encoder="whisper", features=width, hidden=16, components=4)
        net = MotionGenerator(config)
        net.components.normal_(0, 0.05)
    net.components[0] = torch.from_numpy(gape(2.0)).flatten()
    return predictor(net.eval())


@pytest.fixture(scope="session")
def recording():
    """Six seconds of syllables."""
    return Recording(syllables(6.0))


@pytest.fixture(scope="session")
def spoken(small, recording):
    """The recording, encoded."""
    return encode_speech(recording, small.listener)
