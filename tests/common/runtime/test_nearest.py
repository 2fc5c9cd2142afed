from common.runtime.nearest import did_you_mean


def test_the_nearest_name_is_told_in_upper_or_lower_case():
    assert did_you_mean("span", ["SRCNN", "SPAN"]) == "; did you mean 'SPAN'?"
    assert did_you_mean("Spektral", ["batch", "spectral"]) == "; did you mean 'spectral'?"


def test_nothing_is_told_where_no_name_is_near():
    assert did_you_mean("xyz", ["batch", "spectral"]) == did_you_mean("xyz", []) == ""
