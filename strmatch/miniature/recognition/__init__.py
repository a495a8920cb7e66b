"""The parts of the judge: background, figures and motion of a clip from its pixels."""
