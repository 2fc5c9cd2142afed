import pytest

from common.runtime.durations import format_duration


@pytest.mark.parametrize(("seconds", "text"), [(5, "0:05"), (61.4, "1:01"), (3725, "1:02:05")])
def test_durations_are_written_as_on_a_clock(seconds, text):
    assert format_duration(seconds) == text
