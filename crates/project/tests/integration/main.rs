//! Projects on disk, loaded as the compiler loads them.

mod example;
mod graph;
mod profile;
mod project;
mod stand_in;
