//! A small engine and a reader of sqllogictest files.

#![allow(dead_code, missing_docs)]

pub mod database;
pub mod script;
