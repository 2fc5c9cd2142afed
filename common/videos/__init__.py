"""Videos: frames in, frames out, with everything else in the file as it was."""
