"""The live view of a running gate in a terminal (extra `top`): `figures.py` counts, `screen.py` shows."""
