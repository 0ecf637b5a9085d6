//! Projects on disk, loaded as the compiler loads them.

mod example;
mod stand_in;
