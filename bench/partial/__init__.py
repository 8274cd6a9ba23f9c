"""The partial index: what is saved, and what is lost, when only the stable part of a tree gets the full treatment?"""
