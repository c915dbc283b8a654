//! Clients and servers of every awkward proto, for the tests of this package.

#![allow(missing_docs, unreachable_pub, clippy::enum_variant_names)]

include!(concat!(env!("OUT_DIR"), "/all.rs"));
