"""Julia sets: the same recurrence for one c, a pixel being its z_0; what holds of the stages for the Mandelbrot set."""
