//! This crate as a library, for the fuzz targets in `tests/fuzz`: what is a proc macro exports nothing else. The root of
//! a package of its own there, and no part of this one.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "a second root of the same modules"
)]

mod args;
mod check;
mod errors;
mod expand;
mod fallback;
mod ir;
mod parse;

#[path = "fuzz/properties.rs"]
mod properties;

pub use self::properties::attribute;
