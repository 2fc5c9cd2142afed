"""What several commands of super-resolution agree on."""

STEADY = 0.0  # of a film, see common.films.steady: hardly anything flickers here, and mixing blurs
