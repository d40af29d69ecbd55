"""Formats of files, one module each; a module is imported when the first file of its format is opened."""
