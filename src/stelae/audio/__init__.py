"""Sound: files of it to samples and back, within limits; used where models run."""
