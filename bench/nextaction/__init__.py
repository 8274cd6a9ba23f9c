"""How likely does a local model find the agent's real next calls, given each window?"""
