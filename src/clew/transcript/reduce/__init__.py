"""Reducing: which lines of an output does the agent have to read?"""

from clew.transcript.reduce.nouns import Gap as Gap
from clew.transcript.reduce.nouns import Given as Given
from clew.transcript.reduce.nouns import Kind as Kind
from clew.transcript.reduce.nouns import Part as Part
from clew.transcript.reduce.nouns import Reduced as Reduced
