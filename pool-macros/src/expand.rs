//! From the intermediate form to tokens: one file per stage.
//!
//! The generated code is thin: one expression per method, and all it names stands in the runtime's
//! `__private`. Paths are absolute, so that nothing the user calls `Result`, `std` or `tonic` gets in
//! the way.

mod client;
mod policy;
mod rpcs;

use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::Path;

use crate::ir::Deadline;

pub(crate) use client::client;
pub(crate) use rpcs::rpcs;

/// Output: `Deadline::After(Duration::new(2, 0))`
fn deadline(krate: &Path, deadline: Option<&Deadline>) -> TokenStream {
    let private = quote!(#krate::__private);
    match deadline.map(|deadline| deadline.after) {
        None => quote!(#private::Deadline::Unset),
        Some(None) => quote!(#private::Deadline::None),
        Some(Some(after)) => {
            let after = duration(after);
            quote!(#private::Deadline::After(#after))
        }
    }
}

/// Output: `Duration::new(2, 0)`
fn duration(duration: Duration) -> TokenStream {
    let seconds = Literal::u64_unsuffixed(duration.as_secs());
    let nanos = Literal::u32_unsuffixed(duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}
