/**
 * Which pyramid holds a level. Each begins STEP levels below the last and overlaps it, so that the tiles of any view lie in
 * four at most, and mostly in one: a server takes milliseconds a level to open one.
 */

export const LEVELS = 8; // of a pyramid
const STEP = 4;

/** The pyramid of level n, counted from 1; 0 holds the coarsest. */
export const bandOf = (n) => Math.max(0, Math.ceil((n - LEVELS) / STEP));

/** How many levels are coarser than those of a band. */
export const levelsAbove = (band) => band * STEP;
