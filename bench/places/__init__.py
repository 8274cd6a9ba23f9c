"""Properties over real trees: quoted places lead, absent names are called absent, every word is in some field."""
