import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from stylehead.errors import StyleError, StyleheadError
from stylehead.face.geometry import rotation_from_angles
from stylehead.face.landmarks import REGIONS, mouth_opening, mouth_width
from stylehead.style import file as file_module
from stylehead.style.file import find_style, list_styles, load_style, save_style
from stylehead.style.learn import STATISTICS, blink_count, span, style_statistics
from stylehead.types import TEMPLATES
from stylehead.weights.store import asset
from tests.stand_ins.faces import make_style, performed_motion, wave


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Keep built-in and user styles in folders of the test's own."""
    built_in, own = tmp_path / "built_in", tmp_path / "home" / "styles"
    built_in.mkdir()
    own.mkdir(parents=True)
    monkeypatch.setattr(file_module, "style_folders", lambda: (built_in, own))
    return built_in, own


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "one.style"
    save_style(make_style(performed_motion(3.0), name="one"), path)
    return path


# ---- numbers --------------------------------------------------------------------------------


def test_every_statistic_has_a_known_name():
    assert style_statistics(performed_motion(4.0)).keys() == STATISTICS


def test_spreads_are_measured_by_region_and_axis():
    spread = {name: (0.01 + i / 100, 0.02, 0.03) for i, name in enumerate(REGIONS)}
    found = style_statistics(performed_motion(40, spread=spread, opening=0.0))
    for i, name in enumerate(REGIONS):
        assert found[f"spread_{name}_x"] == pytest.approx(0.01 + i / 100, rel=0.05)
        assert found[f"spread_{name}_z"] == pytest.approx(0.03, rel=0.05)


def test_spread_ignores_where_a_face_rests():
    motion = performed_motion(10)
    moved = motion.with_(landmarks=motion.landmarks + np.float32(0.1))
    before, after = style_statistics(motion), style_statistics(moved)
    for name in REGIONS:
        assert after[f"spread_{name}_y"] == pytest.approx(before[f"spread_{name}_y"], rel=1e-3)


def test_a_wider_mouth_has_a_wider_range():
    narrow, wide = (style_statistics(performed_motion(20, opening=o)) for o in (0.05, 0.15))
    assert wide["mouth_opening_range"] > 2.5 * narrow["mouth_opening_range"]
    assert wide["mouth_opening_high"] > narrow["mouth_opening_high"] + 0.07


def test_head_motion_is_measured_in_degrees_and_seconds():
    motion = performed_motion(40, degrees=(2.0, 5.0, 1.0), hertz=0.5)
    found = style_statistics(motion)
    for name, std in (("pitch", 2.0), ("yaw", 5.0), ("roll", 1.0)):
        assert found[f"{name}_std_degrees"] == pytest.approx(std, rel=0.05)
        assert found[f"{name}_range_degrees"] == pytest.approx(2.8 * std, rel=0.05)
        assert found[f"{name}_speed_degrees_per_second"] == pytest.approx(np.pi * std, rel=0.05)


def test_statistics_do_not_depend_on_the_frame_rate():
    slow, fast = (style_statistics(performed_motion(20, fps=fps)) for fps in (30, 60))
    for name in ("yaw_speed_degrees_per_second", "spread_mouth_y", "blinks_per_minute", "seconds"):
        assert fast[name] == pytest.approx(slow[name], rel=0.05)


def test_a_still_person_has_no_spread():
    motion = performed_motion(5, spread=dict.fromkeys(REGIONS, (0, 0, 0)), opening=0, blinks=0)
    motion = motion.with_(
        rotation=np.tile(np.eye(3, dtype=np.float32), (150, 1, 1)),
        translation=np.zeros((150, 3), np.float32),
    )
    found = style_statistics(motion)
    still = {
        name: value
        for name, value in found.items()
        if name not in ("seconds", "mouth_opening_high")
    }
    assert max(abs(value) for value in still.values()) < 1e-4


def test_every_statistic_is_a_finite_number():
    found = style_statistics(performed_motion(5))
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.values())


def test_span_is_the_middle_nine_tenths():
    assert span(np.linspace(0, 100, 1001)) == pytest.approx(90)


def test_blinks_are_counted_once_each():
    closure = np.zeros(300, np.float32)
    for start in (20, 100, 200):
        closure[start : start + 6] = [0.3, 0.8, 1.0, 0.7, 0.9, 0.4]  # trembling while shut
    closure[250:254] = 0.45  # narrowed, not shut
    assert blink_count(closure) == 3


def test_blinks_a_minute_follow_the_count():
    assert style_statistics(performed_motion(30, blinks=8))["blinks_per_minute"] == pytest.approx(
        16
    )


# ---- files ----------------------------------------------------------------------------------


def test_a_contour_and_the_gaze_come_back(tmp_path):
    motion = performed_motion(4.0)
    gaze = np.random.default_rng(0).normal(size=(120, 2)).astype(np.float32)
    contour = np.random.default_rng(1).random((120, 3), np.float32)
    style = replace(make_style(motion.with_(gaze=gaze)), contour=contour)
    save_style(style, tmp_path / "s.style")
    back = load_style(tmp_path / "s.style")
    np.testing.assert_allclose(back.motion.gaze, gaze, atol=2e-3)
    assert back.contour is not None
    np.testing.assert_allclose(back.contour, contour, atol=1e-3)
    assert back.contour.dtype == back.motion.gaze.dtype == np.float32


def test_a_file_of_format_2_is_read_without_them(saved):
    with safe_open(saved, framework="numpy") as file:
        about = json.loads(file.metadata()["stylehead_style"]) | {"format": "2"}
        arrays = {key: file.get_tensor(key) for key in file.keys() if key != "motion.gaze"}  # noqa: SIM118
    save_file(arrays, saved, metadata={"stylehead_style": json.dumps(about)})
    back = load_style(saved)
    assert back.contour is None
    assert not back.motion.gaze.any()
    np.testing.assert_allclose(back.motion.rotation, performed_motion(3.0).rotation)


def test_a_style_comes_back(tmp_path):
    style = make_style(performed_motion(4.0), name="as it was")
    made = replace(style.references[3], in_clip=False)
    style = replace(style, references=(*style.references[:3], made))
    save_style(style, tmp_path / "s.style")
    back = load_style(tmp_path / "s.style")
    assert back.name == "as it was"
    assert back.statistics == style.statistics
    assert back.provenance == style.provenance
    assert back.motion.fps == Fraction(30)
    np.testing.assert_array_equal(back.times, style.times)
    np.testing.assert_array_equal(back.motion.rotation, style.motion.rotation)
    np.testing.assert_array_equal(back.motion.translation, style.motion.translation)
    np.testing.assert_array_equal(back.motion.neutral, style.motion.neutral)
    np.testing.assert_allclose(back.motion.landmarks, style.motion.landmarks, atol=2e-4)
    np.testing.assert_allclose(back.motion.blink, style.motion.blink, atol=1e-3)
    assert back.motion.landmarks.dtype == back.motion.blink.dtype == np.float32
    for one, other in zip(back.references, style.references, strict=True):
        assert (one.template, one.seconds, one.score, one.in_clip) == (
            other.template, other.seconds, other.score, other.in_clip,
        )  # fmt: skip
        for name in ("landmarks", "rotation", "expression"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_style_holds_no_pixels(saved):
    with safe_open(saved, framework="numpy") as file:
        kinds = {file.get_tensor(key).dtype for key in file.keys()}  # noqa: SIM118
        assert not any("pixels" in key for key in file.keys())  # noqa: SIM118
    assert np.dtype(np.uint8) not in kinds
    assert saved.stat().st_size < 100_000


def test_a_folder_that_is_not_there_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(StyleheadError) as caught:
        save_style(make_style(performed_motion(1.0)), tmp_path / "nowhere" / "s.style")
    assert caught.value.remedy


def refused(path):
    with pytest.raises(StyleError) as caught:
        load_style(path)
    assert str(path) in str(caught.value)
    assert "extract-style" in caught.value.remedy


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(StyleError, match="none") as caught:
        load_style(tmp_path / "none.style")
    assert caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"some words, and no numbers at all", b"\xff" * 4000])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "x.style").write_bytes(content)
    refused(tmp_path / "x.style")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(saved, share):
    saved.write_bytes(saved.read_bytes()[: int(share * saved.stat().st_size)])
    refused(saved)


def rewritten(path, *, drop=(), arrays=None, metadata=None):
    with safe_open(path, framework="numpy") as file:
        kept = {key: file.get_tensor(key) for key in file.keys() if key not in drop}  # noqa: SIM118
        about = json.loads(file.metadata()["stylehead_style"])
    words = {"stylehead_style": json.dumps(about | (metadata or {}))}
    save_file(kept | (arrays or {}), path, metadata=words)
    return path


def test_another_kind_of_array_file_is_refused(tmp_path):
    save_file({"weight": np.zeros((3, 3), np.float32)}, tmp_path / "x.style")
    refused(tmp_path / "x.style")


def test_a_style_that_does_not_say_what_was_in_the_clip_is_refused(saved):
    with safe_open(saved, framework="numpy") as file:
        references = json.loads(file.metadata()["stylehead_style"])["references"]
    del references["O"]["in_clip"]
    refused(rewritten(saved, metadata={"references": references}))


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_built_in_styles_show_every_template(template):
    for path in sorted(asset("styles").glob("*.style")):
        reference = load_style(path).references[TEMPLATES.index(template)]
        assert reference.in_clip, path.stem


def test_none_of_the_built_in_styles_rests_with_an_open_mouth():
    for path in sorted(asset("styles").glob("*.style")):
        style = load_style(path)
        none, m, r, o = (reference.landmarks for reference in style.references)
        opening = mouth_opening(style.motion.landmarks + style.motion.neutral)
        assert mouth_opening(none) <= np.percentile(opening, 10), path.stem
        assert mouth_opening(m) <= np.percentile(opening, 10), path.stem
        assert mouth_opening(none) < mouth_opening(r) < mouth_opening(o), path.stem
        assert mouth_width(o) < mouth_width(r), path.stem


def test_a_style_of_another_format_is_refused_by_name(saved):
    rewritten(saved, metadata={"format": "99"})
    with pytest.raises(StyleError, match="version"):
        load_style(saved)


@pytest.mark.parametrize("key", ["motion.landmarks", "motion.times", "reference.O.landmarks"])
def test_a_style_that_lacks_an_array_is_refused(saved, key):
    refused(rewritten(saved, drop=[key]))


@pytest.mark.parametrize(
    "metadata",
    [
        {"fps": "fast"},
        {"fps": "30/0"},
        {"references": {}},
        {"statistics": {}},
        {"references": []},
        {"provenance": 3},
    ],
    ids=str,
)
def test_a_style_with_spoilt_metadata_is_refused(saved, metadata):
    refused(rewritten(saved, metadata=metadata))


def test_a_style_with_misshapen_motion_is_refused(saved):
    refused(rewritten(saved, arrays={"motion.blink": np.zeros(7, np.float16)}))


# ---- names ----------------------------------------------------------------------------------


def test_styles_are_listed_built_in_first(folders):
    built_in, own = folders
    style = make_style(performed_motion(1.0))
    for path in (own / "mine.style", built_in / "zeal.style", built_in / "calm.style"):
        save_style(style, path)
    (own / "notes.txt").write_text("no style")
    assert list_styles() == [
        ("calm", built_in / "calm.style", True),
        ("zeal", built_in / "zeal.style", True),
        ("mine", own / "mine.style", False),
    ]


def test_without_any_style_the_list_is_empty(folders):
    folders[1].rmdir()
    assert list_styles() == []


def test_a_style_is_found_by_name_or_by_file(folders, saved):
    save_style(make_style(performed_motion(1.0), name="calm"), folders[0] / "calm.style")
    save_style(make_style(performed_motion(1.0), name="mine"), folders[1] / "mine.style")
    assert find_style("calm").name == "calm"
    assert find_style("mine").name == "mine"
    assert find_style(str(saved)).name == "one"


def test_an_unknown_style_lists_the_known_ones(folders):
    save_style(make_style(performed_motion(1.0)), folders[0] / "calm.style")
    with pytest.raises(StyleError, match="livelly") as caught:
        find_style("livelly")
    assert "calm" in caught.value.remedy


def test_a_damaged_own_style_is_named(folders):
    (folders[1] / "mine.style").write_bytes(b"scrambled")
    with pytest.raises(StyleError, match="mine"):
        find_style("mine")


# ---- what ships -----------------------------------------------------------------------------


def shipped():
    return sorted((asset("styles")).glob("*.style"))


def test_some_styles_ship_and_the_default_is_among_them():
    from stylehead.options import DEFAULT_STYLE

    assert DEFAULT_STYLE in {path.stem for path in shipped()}


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_a_shipped_style_is_whole_named_and_without_pictures(path):
    style = load_style(path)
    assert style.name == path.stem
    assert style.motion.seconds > 4
    assert style.provenance["source_sha256"]
    assert json.dumps(style.statistics)
    again = style_statistics(style.motion)
    assert style.statistics["mouth_opening_range"] == pytest.approx(
        again["mouth_opening_range"], rel=0.05
    )
    assert 0.02 < style.statistics["mouth_opening_range"] < 0.6


def test_turning_the_head_does_not_change_expression_statistics():
    motion = performed_motion(10)
    turned = rotation_from_angles(np.column_stack([15 * wave(np.arange(300) / 30, 0.2)] * 3))
    before, after = style_statistics(motion), style_statistics(motion.with_(rotation=turned))
    assert after["yaw_std_degrees"] > before["yaw_std_degrees"] + 3
    assert after["mouth_opening_range"] == before["mouth_opening_range"]


# ---- by somebody who means harm -------------------------------------------------------------


def changed(path, about=None, **arrays):
    """Write a style file anew with other entries of its metadata, and other arrays."""
    with safe_open(path, framework="numpy") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = json.loads(file.metadata()["stylehead_style"])
    kept |= {name.replace("__", "."): value for name, value in arrays.items()}
    metadata = {"stylehead_style": json.dumps({**text, **(about or {})})}
    save_file(kept, path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    "about",
    [
        {"fps": "1e99999999"},
        {"fps": "9" * 5000},
        {"fps": "1/0"},
        {"fps": "1000"},
        {"fps": 1e300},
        {"statistics": {name: 1e300 for name in STATISTICS}},
        {"statistics": {name: float("nan") for name in STATISTICS}},
        {"references": {}},
        {"tuning": {"encoder": "whisper", "generator_sha256": "", "projection": 1e9}},
    ],
    ids=lambda about: next(iter(about)),
)
def test_what_a_style_says_is_bounded(saved, about):
    load_style(changed(saved))
    with pytest.raises(StyleError, match="is not a style file"):
        load_style(changed(saved, about))


@pytest.mark.parametrize(
    "arrays",
    [
        {"motion__landmarks": np.full((90, 68, 3), 1e4, np.float32)},
        {"motion__rotation": np.zeros((90, 3), np.float32)},
        {"reference__M__expression": np.full(52, np.inf, np.float32)},
        {"extra": np.full(3, np.nan)},
        {
            "motion__landmarks": np.zeros((0, 68, 3), np.float32),
            "motion__rotation": np.zeros((0, 3, 3), np.float32),
            "motion__translation": np.zeros((0, 3), np.float32),
            "motion__blink": np.zeros(0, np.float32),
            "motion__times": np.zeros(0, np.float32),
        },
    ],
    ids=lambda arrays: next(iter(arrays)),
)
def test_a_styles_numbers_are_bounded(saved, arrays):
    with pytest.raises(StyleError, match="is not a style file"):
        load_style(changed(saved, **arrays))


def test_a_style_of_gigabytes_is_refused_before_it_is_read(saved, monkeypatch):
    monkeypatch.setattr(file_module, "MOST_BYTES", saved.stat().st_size - 1)
    monkeypatch.setattr(file_module, "safe_open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(StyleError, match="is not a style file"):
        load_style(saved)
