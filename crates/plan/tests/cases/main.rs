//! Projects in versions (`tests/plan/<case>/v1, v2, …`): each plan and its statements are snapshots, and each step is
//! carried out on a simulated database that refuses what RisingWave refuses and looks whether every name can be read
//! after it.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod adoption;
mod bindings;
mod configuration;
mod drift;
mod dropped;
mod lints;
mod names;
mod random;
mod rebuild;
mod receivers;
mod removal;
mod saved;
mod support;
mod tables;

/// The plans and statements of a history, as a snapshot of the case's name.
#[macro_export]
macro_rules! history_snapshot {
    ($name:expr, $history:expr) => {
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($name, $history.text);
        });
    };
}
