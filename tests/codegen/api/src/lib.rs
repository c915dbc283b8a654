//! Clients for other crates to annotate.
//!
//! This crate knows nothing of the pool: it depends on pool-build alone, and only when it is built.

#![allow(missing_docs, unreachable_pub)]

pub mod helloworld {
    tonic::include_proto!("helloworld");
}

pub mod wkt {
    tonic::include_proto!("awkward.wkt");
}

/// What tonic-prost-build writes when pool-build does not take part.
pub mod plain {
    include!(concat!(env!("OUT_DIR"), "/plain/helloworld.rs"));
}
