"""The learner, its stages and callbacks, the run folder, stopping and resuming."""
