"""The maps of the toy layout: (w, h) in map pixels, and how many input pixels each has."""

STRIDE, MAP_SIZE = 4, (26, 21)
