//! `#[pooled_client]`.

use proc_macro::TokenStream;

/// Wraps a tonic client.
#[proc_macro_attribute]
pub fn pooled_client(_args: TokenStream, item: TokenStream) -> TokenStream {
    item
}
