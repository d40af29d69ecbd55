"""Notebook integration: the pages of a server inside a cell, and HTML for the values of cells."""
