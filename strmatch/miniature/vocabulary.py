"""Words of the small world and the colours they denote."""

Rgb = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "cross")

COLOURS: dict[str, Rgb] = {
    "red": (222, 38, 46),
    "orange": (255, 143, 20),
    "yellow": (255, 230, 50),
    "green": (34, 170, 62),
    "blue": (30, 104, 232),
    "purple": (172, 46, 190),
}

CORE_MOTIONS = ("left", "right", "up", "down", "still")

# Phrase of each motion in captions. The core motions come first.
MOTIONS: dict[str, str] = {
    "left": "moving left",
    "right": "moving right",
    "up": "moving up",
    "down": "moving down",
    "still": "standing still",
    "up-left": "moving up and left",
    "up-right": "moving up and right",
    "down-left": "moving down and left",
    "down-right": "moving down and right",
    "circle": "circling",
    "zigzag": "zigzagging",
    "grow": "growing",
    "shrink": "shrinking",
}

# The two colours of each pattern: figure (bricks, dots …) and ground (mortar, paper …).
BACKGROUNDS: dict[str, tuple[Rgb, Rgb]] = {
    "bricks": ((148, 104, 88), (204, 196, 186)),
    "stripes": ((104, 118, 140), (168, 182, 198)),
    "checks": ((62, 62, 70), (112, 112, 120)),
    "dots": ((150, 146, 140), (234, 226, 212)),
}

TEXTURES = ("plain", "speckled", "striped")
