"""Recorded logs of earlier versions, a folder for each thing that they are kept for."""
