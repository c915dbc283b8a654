//! The options that a client and an RPC can have, and their values.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Ident, Lit, LitInt, LitStr, Path};

use super::argument::{Argument, Value, split_at_commas};
use super::{duration, policy};
use crate::errors::Errors;
use crate::ir::{Deadline, Options, PoolConfig};

/// Takes one option of a client or of an RPC.
pub(super) fn option(ident: &Ident, value: Value, options: &mut Options, errors: &mut Errors) {
    let twice = match ident.to_string().as_str() {
        "deadline" => {
            let twice = options.deadline.is_some();
            if let Some(deadline) = deadline(ident, value, errors) {
                options.deadline.get_or_insert(deadline);
            }
            twice
        }
        "wait_for_ready" => flag(ident, value, &mut options.wait_for_ready, errors),
        "retry" | "hedge" => return extra(ident, value, options, errors),
        _ => flag(ident, value, &mut options.idempotent, errors),
    };
    if twice {
        given_twice(ident, errors);
    }
}

/// `retry(..)` or `hedge(..)`, of which there is one.
fn extra(ident: &Ident, value: Value, options: &mut Options, errors: &mut Errors) {
    let read = match ident == "retry" {
        true => policy::retry(ident, value, errors),
        false => policy::hedge(ident, value, errors),
    };
    match &options.extra_by {
        Some(other) if other == ident => given_twice(ident, errors),
        Some(_) => errors.at(ident, "an RPC has `retry` or `hedge`, not both; remove one of the two"),
        None => {
            options.extra = read;
            options.extra_by = Some(ident.clone());
        }
    }
}

/// What pool-build has read of an RPC in a service config: the options of an RPC, and limits of sizes.
pub(crate) fn config(tokens: TokenStream) -> syn::Result<Options> {
    let mut options = Options::default();
    let mut errors = Errors::default();
    for tokens in split_at_commas(tokens) {
        let Argument { ident, value } = Argument::read(&tokens)?;
        match (ident.to_string().as_str(), value) {
            ("max_request_message_bytes", Value::Given(bytes)) => options.max_request = Some(integer(bytes)?),
            ("max_response_message_bytes", Value::Given(bytes)) => options.max_response = Some(integer(bytes)?),
            (_, value) => option(&ident, value, &mut options, &mut errors),
        }
    }
    errors.first().map_or(Ok(options), Err)
}

/// What pool-build has read of the pool: `retry_throttling(..)`, `max_connections = 3`
pub(crate) fn pool(tokens: TokenStream) -> syn::Result<PoolConfig> {
    let mut pool = PoolConfig::default();
    let mut errors = Errors::default();
    for tokens in split_at_commas(tokens) {
        let Argument { ident, value } = Argument::read(&tokens)?;
        match (ident.to_string().as_str(), value) {
            ("max_connections", Value::Given(most)) => pool.max_connections = Some(integer(most)?),
            ("retry_throttling", Value::Inner(inner)) => pool.throttling = policy::throttling(inner, &mut errors),
            _ => return Err(syn::Error::new_spanned(&ident, "unknown setting of a pool")),
        }
    }
    errors.first().map_or(Ok(pool), Err)
}

fn integer(tokens: TokenStream) -> syn::Result<u32> {
    syn::parse2::<LitInt>(tokens)?.base10_parse()
}

/// `wait_for_ready`, or `wait_for_ready = false`; returns whether it was given before.
fn flag(ident: &Ident, value: Value, slot: &mut Option<bool>, errors: &mut Errors) -> bool {
    let twice = slot.is_some();
    let on = match value {
        Value::Flag => Some(true),
        Value::Given(tokens) => match syn::parse2::<Lit>(tokens.clone()) {
            Ok(Lit::Bool(on)) => Some(on.value),
            _ => {
                errors.at(
                    or_name(&tokens, ident),
                    format!("`{ident}` is on or off: write `{ident}` or `{ident} = false`"),
                );
                None
            }
        },
        Value::Inner(_) => {
            errors.at(
                ident,
                format!("`{ident}` takes nothing in parentheses: write `{ident}`"),
            );
            None
        }
    };
    if let Some(on) = on {
        slot.get_or_insert(on);
    }
    twice
}

/// `deadline = "2s"` or `deadline = "none"`
fn deadline(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Deadline> {
    let literal = string(ident, value, "\"2s\"", errors)?;
    let text = literal.value();
    if text == "none" {
        return Some(Deadline { literal, after: None });
    }
    match duration::deadline(&text) {
        Ok(after) => Some(Deadline {
            literal,
            after: Some(after),
        }),
        Err(message) => {
            errors.at(literal, message);
            None
        }
    }
}

/// `crate = "some::path"`
pub(super) fn krate(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Path> {
    let literal = string(ident, value, "\"::my_crate::pool_runtime\"", errors)?;
    match literal.parse_with(Path::parse_mod_style) {
        Ok(path) => Some(path),
        Err(_) => {
            errors.at(
                &literal,
                "expected the path of the crate pool_runtime, as in `crate = \"::my_crate::pool_runtime\"`",
            );
            None
        }
    }
}

/// `codec = "some::Codec"`
pub(super) fn codec(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Path> {
    let literal = string(ident, value, "\"crate::JsonCodec\"", errors)?;
    match literal.parse_with(Path::parse_mod_style) {
        Ok(path) => Some(path),
        Err(_) => {
            errors.at(
                &literal,
                "expected the path of a codec, without type arguments, as in `codec = \"crate::JsonCodec\"`",
            );
            None
        }
    }
}

pub(super) fn string(ident: &Ident, value: Value, example: &str, errors: &mut Errors) -> Option<LitStr> {
    let tokens = match value {
        Value::Given(tokens) => tokens,
        Value::Flag => TokenStream::new(),
        Value::Inner(tokens) => tokens,
    };
    match syn::parse2::<LitStr>(tokens.clone()) {
        Ok(literal) => Some(literal),
        Err(_) => {
            errors.at(
                or_name(&tokens, ident),
                format!("`{ident}` takes a string: `{ident} = {example}`"),
            );
            None
        }
    }
}

/// The place of a wrong value, or, where there is none, of the option's name.
pub(super) fn or_name(tokens: &TokenStream, ident: &Ident) -> TokenStream {
    if tokens.is_empty() {
        ident.to_token_stream()
    } else {
        tokens.clone()
    }
}

/// Of two statements one is not meant.
pub(super) fn given_twice(ident: &Ident, errors: &mut Errors) {
    errors.at(ident, format!("`{ident}` is given twice; remove one of the two"));
}
