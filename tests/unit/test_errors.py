import inspect

import pytest

from stylehead import errors
from stylehead.errors import StyleheadError

CHILDREN = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value)
    and value.__module__ == errors.__name__
    and value is not StyleheadError
]


def test_an_error_carries_its_problem_and_its_remedy():
    error = StyleheadError("the bowl is empty", remedy="Fill it.")
    assert str(error) == "the bowl is empty"
    assert error.remedy == "Fill it."


def test_an_error_without_a_remedy_cannot_be_made():
    with pytest.raises(TypeError):
        StyleheadError("the bowl is empty")  # pyright: ignore[reportCallIssue] (what is tested)


@pytest.mark.parametrize("child", CHILDREN, ids=lambda child: child.__name__)
def test_every_child_is_caught_as_a_stylehead_error_and_keeps_its_remedy(child):
    with pytest.raises(StyleheadError) as caught:
        raise child("problem", remedy="remedy")
    assert caught.value.remedy == "remedy"
    assert not issubclass(child, (ValueError, OSError))  # those are our own mistakes
