"""Super-resolution: photos twice, four or eight times as large."""
