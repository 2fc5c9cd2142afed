"""Reports as single HTML files: charts, pictures with sliders, tables. They open offline and can be mailed."""
