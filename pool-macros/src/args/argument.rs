//! The grammar of one argument, whatever it says.

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Token};

/// `name`, `name = value` or `name(inner)`.
pub(super) struct Argument {
    pub(super) ident: Ident,
    pub(super) value: Value,
}

/// What stands behind the name.
pub(super) enum Value {
    Flag,
    Given(TokenStream),
    Inner(TokenStream),
}

impl Argument {
    pub(super) fn read(tokens: &TokenStream) -> syn::Result<Self> {
        Self::parse.parse2(tokens.clone())
    }
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ident = input.call(Ident::parse_any)?;
        let value = if input.is_empty() {
            Value::Flag
        } else if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Given(input.parse()?)
        } else {
            let inner;
            syn::parenthesized!(inner in input);
            Value::Inner(inner.parse()?)
        };
        if input.is_empty() {
            Ok(Self { ident, value })
        } else {
            Err(input.error("unexpected token"))
        }
    }
}

/// The arguments of a list, which may end in a comma.
pub(super) fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => {
                parts.push(TokenStream::new());
            }
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    // A comma at the end, or no argument at all.
    if parts.last().is_some_and(TokenStream::is_empty) {
        parts.pop();
    }
    parts
}
