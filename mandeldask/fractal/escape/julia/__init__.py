"""Julia sets: the same recurrence for one c, where a pixel is z_0, and the stages that apply to it."""
