"""Levels of images: how coarser levels are made, their sizes and documents. It uses only numpy."""
