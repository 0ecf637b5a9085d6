//! A small engine and a reader of sqllogictest files.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod database;
pub mod script;
