"""Page: what clew knows and did, as pages in a browser of this machine. Reads through the engine; its forms remember, forget and purge."""
