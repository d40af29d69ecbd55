"""Levels of images: how coarser ones are made, their sizes and documents. Knows numpy only."""
