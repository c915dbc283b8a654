//! What is emitted beside errors, so that one mistake is one error.
//!
//! A struct that is missing because of a typo in an option would give one more error at each of its
//! uses. So whatever could be read is expanded as usual; what could not be read at all is passed on.

use proc_macro2::TokenStream;

use crate::errors::Errors;

/// The item was no struct: it stays as it is, so that what names it still finds it.
pub(crate) fn item(item: TokenStream, errors: Errors) -> TokenStream {
    let mut tokens = item;
    tokens.extend(errors.into_tokens());
    tokens
}

/// The description could not be read: the struct is there from the first stage, without RPCs.
pub(crate) fn description(error: &syn::Error) -> TokenStream {
    error.to_compile_error()
}
