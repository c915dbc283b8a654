//! Reads the arguments of the attribute.
//!
//! The arguments are cut at their commas first and then read one by one, so that a mistake in one does
//! not hide those in the others.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Ident, Lit, LitStr, Path, Token, parse_quote};

use crate::duration;
use crate::errors::{Errors, nearest};
use crate::ir::{Args, ClientPath, Deadline, Options, RpcArgs};

const CLIENT_OPTIONS: [&str; 3] = ["deadline", "wait_for_ready", "crate"];
const RPC_OPTIONS: [&str; 3] = ["deadline", "wait_for_ready", "idempotent"];
const EXAMPLE: &str = "`helloworld::greeter_client::GreeterClient`";

/// Reads all arguments, reporting each mistake and leaving out what it spoils.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
    let mut args = Args {
        client: None,
        krate: parse_quote!(::pool_runtime),
        options: Options::default(),
        rpcs: Vec::new(),
    };
    let mut krate_given = false;
    let mut rest = split_at_commas(tokens).into_iter().peekable();
    match rest.next_if(|first| Argument::parse.parse2(first.clone()).is_err() || is_path(first)) {
        Some(first) => args.client = client(first, errors),
        None => errors.push(syn::Error::new(
            rest.peek().map_or_else(proc_macro2::Span::call_site, first_span),
            format!("the path of the tonic client comes first, for example {EXAMPLE}"),
        )),
    }
    for tokens in rest {
        let argument = match Argument::parse.parse2(tokens.clone()) {
            Ok(argument) => argument,
            Err(_) if tokens.is_empty() => continue,
            Err(_) => {
                errors.at(
                    tokens,
                    "expected an option: `deadline = \"2s\"`, `wait_for_ready`, `crate = \"..\"`, or \
                     the options of an RPC, as in `say_hello(deadline = \"250ms\")`",
                );
                continue;
            }
        };
        match argument.value {
            Value::Inner(inner) => rpc(argument.ident, inner, &mut args.rpcs, errors),
            value if argument.ident == "crate" => {
                if std::mem::replace(&mut krate_given, true) {
                    given_twice(&argument.ident, errors);
                } else if let Some(path) = krate(&argument.ident, value, errors) {
                    args.krate = path;
                }
            }
            value if CLIENT_OPTIONS.contains(&argument.ident.to_string().as_str()) => {
                option(&argument.ident, value, &mut args.options, errors);
            }
            _ if argument.ident == "idempotent" => errors.at(
                &argument.ident,
                "`idempotent` is said of one RPC: `some_rpc(idempotent)`",
            ),
            _ => unknown_client_option(&argument.ident, errors),
        }
    }
    args
}

/// `name`, `name = value` or `name(inner)`.
struct Argument {
    ident: Ident,
    value: Value,
}

enum Value {
    Flag,
    Given(TokenStream),
    Inner(TokenStream),
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

fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
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

/// Whether an argument of one word is meant as a path and not as a flag.
fn is_path(tokens: &TokenStream) -> bool {
    match syn::parse2::<Ident>(tokens.clone()) {
        Ok(ident) => !CLIENT_OPTIONS.contains(&ident.to_string().as_str()),
        Err(_) => false,
    }
}

fn first_span(tokens: &TokenStream) -> proc_macro2::Span {
    let first = tokens.clone().into_iter().next();
    first.map_or_else(proc_macro2::Span::call_site, |token| token.span())
}

/// The path of the tonic client.
fn client(tokens: TokenStream, errors: &mut Errors) -> Option<ClientPath> {
    let Ok(path) = syn::parse2::<Path>(tokens.clone()) else {
        let remedy = if syn::parse2::<LitStr>(tokens.clone()).is_ok() {
            "the path of the tonic client is written without quotes, for example"
        } else {
            "expected the path of a tonic client that pool-build compiled, for example"
        };
        errors.at(tokens, format!("{remedy} {EXAMPLE}"));
        return None;
    };
    let arguments = path.segments.iter().find(|segment| !segment.arguments.is_none());
    if let Some(segment) = arguments {
        errors.at(
            &segment.arguments,
            "the client is named without type arguments: the pool takes the place of its channel",
        );
        return None;
    }
    let client = ClientPath::new(path.clone());
    if client.is_none() {
        errors.at(
            &path,
            format!(
                "write the path through the client's own module, where pool-build has put the list \
                 of RPCs: for example {EXAMPLE}"
            ),
        );
    }
    client
}

/// `say_hello(deadline = "250ms", idempotent)`
fn rpc(ident: Ident, inner: TokenStream, rpcs: &mut Vec<RpcArgs>, errors: &mut Errors) {
    let option_name = CLIENT_OPTIONS.contains(&ident.to_string().as_str());
    if option_name && syn::parse2::<Lit>(inner.clone()).is_ok() {
        return errors.at(&ident, format!("write `{ident} = {inner}`"));
    }
    if rpcs.iter().any(|rpc| rpc.ident.unraw() == ident.unraw()) {
        return errors.at(
            &ident,
            format!("`{ident}` is given twice; put its options into one pair of parentheses"),
        );
    }
    let mut options = Options::default();
    if inner.is_empty() {
        errors.at(&ident, format!("`{ident}` has no options; {}", rpc_options()));
    }
    for tokens in split_at_commas(inner) {
        match Argument::parse.parse2(tokens.clone()) {
            Ok(Argument { ident, value }) if RPC_OPTIONS.contains(&ident.to_string().as_str()) => {
                option(&ident, value, &mut options, errors);
            }
            Ok(Argument { ident, .. }) => {
                let hint = did_you_mean(&ident, RPC_OPTIONS);
                errors.at(&ident, format!("unknown option `{ident}`{hint}; {}", rpc_options()));
            }
            Err(_) if tokens.is_empty() => {}
            Err(_) => errors.at(tokens, format!("expected an option; {}", rpc_options())),
        }
    }
    rpcs.push(RpcArgs { ident, options });
}

fn rpc_options() -> &'static str {
    "the options of an RPC are `deadline = \"250ms\"`, `wait_for_ready` and `idempotent`"
}

/// Takes one option of a client or of an RPC.
fn option(ident: &Ident, value: Value, options: &mut Options, errors: &mut Errors) {
    let twice = match ident.to_string().as_str() {
        "deadline" => {
            let twice = options.deadline.is_some();
            if let Some(deadline) = deadline(ident, value, errors) {
                options.deadline.get_or_insert(deadline);
            }
            twice
        }
        "wait_for_ready" => flag(ident, value, &mut options.wait_for_ready, errors),
        _ => flag(ident, value, &mut options.idempotent, errors),
    };
    if twice {
        given_twice(ident, errors);
    }
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
    match duration::parse(&text) {
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
fn krate(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Path> {
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

fn string(ident: &Ident, value: Value, example: &str, errors: &mut Errors) -> Option<LitStr> {
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
fn or_name(tokens: &TokenStream, ident: &Ident) -> TokenStream {
    if tokens.is_empty() {
        ident.to_token_stream()
    } else {
        tokens.clone()
    }
}

fn given_twice(ident: &Ident, errors: &mut Errors) {
    errors.at(ident, format!("`{ident}` is given twice; remove one of the two"));
}

fn unknown_client_option(ident: &Ident, errors: &mut Errors) {
    let hint = did_you_mean(ident, CLIENT_OPTIONS);
    errors.at(
        ident,
        format!(
            "unknown option `{ident}`{hint}; the options are `deadline = \"2s\"`, `wait_for_ready` and \
             `crate = \"..\"`, and those of an RPC stand in parentheses: `{ident}(deadline = \"250ms\")`"
        ),
    );
}

fn did_you_mean(ident: &Ident, known: [&str; 3]) -> String {
    match nearest(&ident.to_string(), known) {
        Some(name) => format!(", did you mean `{name}`?"),
        None => String::new(),
    }
}
