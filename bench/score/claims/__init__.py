"""The claims: one module for each, with a `FIGURE`. A new claim is a new module here, and nothing else."""
