//! Stories of the workers on a vault in memory: what follows from events, in whatever order, however often, and when nobody said anything.
//! Nothing here waits: the clock is moved.

mod failures;
mod index;
mod parts;
mod requests;
mod uploads;
mod workers;
