"""Stages that iterate z^2 + c itself: blocks of pixels as series, lanes of float64, double-double and triple-double."""
