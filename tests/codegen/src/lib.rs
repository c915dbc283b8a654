//! Clients and servers of every awkward proto, and clients annotated in the crate that has them.
//!
//! Most of what is to be shown here is that it compiles.

// What tonic and prost generate has no docs of its own, and the names that the protos give it.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::doc_lazy_continuation,
    clippy::enum_variant_names,
    clippy::match_single_binding,
    clippy::new_ret_no_self,
    clippy::wrong_self_convention
)]

include!(concat!(env!("OUT_DIR"), "/all.rs"));

pub mod codec;
/// Two services of one package, whose comments are no good Markdown.
#[allow(rustdoc::all)]
pub mod comments {
    include!(concat!(env!("OUT_DIR"), "/comments/awkward.comments.rs"));
}
pub mod google_types;
pub mod no_prelude;
pub mod paths;
pub mod private;
pub mod re_exports;
pub mod shadowed;
pub mod strict;
pub mod twice;

/// The runtime under another name, for `crate = ".."`.
pub use pool_runtime as runtime_by_another_name;
