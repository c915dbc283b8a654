//! What is emitted beside errors, so that one mistake is one error.
//!
//! A struct that is missing because of a typo in an option would give one more error at each of its
//! uses. So whatever could be read is expanded as usual; what could not be read at all is passed on.

use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::Ident;

use crate::args;
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

/// The name by which the first stage imports a client and its description. It is a macro of the standard library's, which
/// takes the place of a description that is not there.
pub(crate) const DESCRIPTION: &str = "debug_assert";

/// Input:  `{ .. } { arguments } Greeter` \
/// Output: `compiled_by_pool_build::<debug_assert<()>>()`
///
/// The client has no description. The error is made of a type that lacks a trait: where the path leads nowhere, rustc
/// says that alone.
pub(crate) fn no_description(input: TokenStream) -> TokenStream {
    let mut groups = input.into_iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let args = args::parse(groups.nth(1).unwrap_or_default(), &mut Errors::default());
    let Some(path) = &args.client else {
        return quote!(true);
    };
    let krate = args.krate();
    let client = Ident::new(DESCRIPTION, path.ident.span());
    quote_spanned! { path.ident.span() =>
        #krate::__private::compiled_by_pool_build::<#client<()>>()
    }
}
