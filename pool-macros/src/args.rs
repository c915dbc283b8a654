//! Reads the arguments of the attribute.
//!
//! The arguments are cut at their commas first and then read one by one, so that a mistake in one does
//! not hide those in the others.

mod argument;
mod by_hand;
mod duration;
mod options;
mod policy;

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, Lit, LitStr, Path};

use self::argument::{Argument, Value, split_at_commas};
use self::by_hand::Stated;
use self::options::{codec, given_twice, krate, option, string};
pub(crate) use self::options::{config, pool};
use crate::errors::Errors;
use crate::ir::{Args, ClientPath, Extra, Options, RpcArgs};

const CLIENT_OPTIONS: [&str; 6] = ["deadline", "wait_for_ready", "retry", "crate", "service", "codec"];
const RPC_OPTIONS: [&str; 5] = ["deadline", "wait_for_ready", "idempotent", "retry", "hedge"];
const RPC_OPTIONS_ARE: &str = "the options of an RPC are `deadline = \"250ms\"`, `wait_for_ready`, `idempotent`, \
                               `retry` and `hedge(max_attempts = 3, delay = \"50ms\")`";
const NOT_FOR_ALL: &str = "what may be sent twice is said of one RPC, since not every RPC can bear it: \
                           `some_rpc(retry)`; what holds for a whole service stands in a service config";
const EXAMPLE: &str = "`helloworld::greeter_client::GreeterClient`";

/// Reads all arguments, reporting each mistake and leaving out what it spoils.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Args {
    let mut arguments = split_at_commas(tokens).into_iter().peekable();
    let first = arguments.next_if(|first| {
        let is_path = Argument::read(first).is_err() || is_path(first);
        is_path && !by_hand::is_rpc(first)
    });
    let start = arguments.peek().map_or_else(Span::call_site, first_span);
    let mut args = Args {
        client: None,
        by_hand: None,
        krate: None,
        options: Options::default(),
        rpcs: Vec::new(),
    };
    let mut stated = Stated::default();
    for tokens in arguments {
        if by_hand::is_rpc(&tokens) {
            stated.rpc(tokens, errors);
            continue;
        }
        match Argument::read(&tokens) {
            Ok(argument) => take(argument, &mut args, &mut stated, errors),
            Err(_) if tokens.is_empty() => {}
            Err(_) => errors.at(
                tokens,
                "expected an option: `deadline = \"2s\"`, `wait_for_ready`, `crate = \"..\"`, or the options of an \
                 RPC, as in `say_hello(deadline = \"250ms\")`",
            ),
        }
    }
    let is_by_hand = stated.service_option.is_some() || stated.first_rpc.is_some();
    args.by_hand = stated.finish(first.as_ref(), errors);
    match first {
        Some(path) => args.client = client(path, errors),
        None if is_by_hand => {}
        None => errors.push(syn::Error::new(
            start,
            format!("the path of the tonic client comes first, for example {EXAMPLE}"),
        )),
    }
    args
}

/// Takes one argument after the path.
fn take(Argument { ident, value }: Argument, args: &mut Args, stated: &mut Stated, errors: &mut Errors) {
    match value {
        Value::Inner(inner) if (ident == "retry" || ident == "hedge") && policy::is_policy(&inner) => {
            errors.at(&ident, NOT_FOR_ALL);
        }
        Value::Inner(inner) => rpc(ident, inner, &mut args.rpcs, errors),
        _ if ident == "crate" && args.krate.is_some() => given_twice(&ident, errors),
        value if ident == "crate" => args.krate = krate(&ident, value, errors),
        _ if ident == "service" && stated.service_option.is_some() => given_twice(&ident, errors),
        value if ident == "service" => {
            let literal = string(&ident, value, "\"helloworld.Greeter\"", errors);
            stated.service = literal.and_then(|literal| by_hand::service(literal, errors));
            stated.service_option = Some(ident);
        }
        _ if ident == "codec" && stated.codec.is_some() => given_twice(&ident, errors),
        value if ident == "codec" => {
            stated.codec = codec(&ident, value, errors).map(|path| (ident, path));
        }
        value if CLIENT_OPTIONS.contains(&ident.to_string().as_str()) => {
            option(&ident, value, &mut args.options, errors);
            // To be told not to repeat anything is safe for all.
            if let Some(Extra::Attempts(_)) = args.options.extra {
                args.options.extra = None;
                errors.at(&ident, NOT_FOR_ALL);
            }
        }
        _ if ident == "hedge" => errors.at(&ident, NOT_FOR_ALL),
        _ if ident == "idempotent" => {
            errors.at(&ident, "`idempotent` is said of one RPC: `some_rpc(idempotent)`");
        }
        _ => unknown_client_option(&ident, errors),
    }
}

/// Whether an argument of one word is meant as a path and not as a flag.
fn is_path(tokens: &TokenStream) -> bool {
    match syn::parse2::<Ident>(tokens.clone()) {
        Ok(ident) => !CLIENT_OPTIONS.contains(&ident.to_string().as_str()),
        Err(_) => false,
    }
}

fn first_span(tokens: &TokenStream) -> Span {
    let first = tokens.clone().into_iter().next();
    first.map_or_else(Span::call_site, |token| token.span())
}

/// The path of the tonic client.
fn client(tokens: TokenStream, errors: &mut Errors) -> Option<ClientPath> {
    let Ok((path, rest)) = path_and_rest.parse2(tokens.clone()) else {
        let remedy = if syn::parse2::<LitStr>(tokens.clone()).is_ok() {
            "the path of the tonic client is written without quotes, for example"
        } else {
            "expected the path of a tonic client that pool-build compiled, for example"
        };
        errors.at(tokens, format!("{remedy} {EXAMPLE}"));
        return None;
    };
    if !rest.is_empty() {
        errors.at(
            rest,
            "a comma stands between the path of the tonic client and the options",
        );
    }
    let arguments = path.segments.iter().find(|segment| !segment.arguments.is_none());
    if let Some(segment) = arguments {
        errors.at(
            &segment.arguments,
            "the client is named without type arguments: the pool takes the place of its channel",
        );
        return None;
    }
    if let Some(problem) = misdirected(&path) {
        errors.at(&path, problem);
        return None;
    }
    ClientPath::new(path)
}

/// What is wrong with a path that does not go through a client's module to the client: tonic's names tell it.
fn misdirected(path: &Path) -> Option<String> {
    let last = path.segments.last()?.ident.unraw().to_string();
    let parent = path
        .segments
        .iter()
        .rev()
        .nth(1)
        .map(|segment| segment.ident.unraw().to_string());
    let service = |name: &str| name.strip_suffix("Server").unwrap_or(name).to_owned();
    let example = |service: &str| format!("`{}_client::{service}Client`", service.to_snake_case());
    let is_module = last.starts_with(|c: char| c.is_lowercase() || c == '_');
    let message = if is_module && last.ends_with("_client") {
        let client = last.to_upper_camel_case();
        format!("this is the client's module; the client stands in it: `{last}::{client}`")
    } else if is_module && last.ends_with("_server") {
        let service = service(&last.to_upper_camel_case());
        format!(
            "this is the server's module; the client stands beside it: {}",
            example(&service)
        )
    } else if is_module {
        format!("this is a module; the client stands in the client's module below it, for example {EXAMPLE}")
    } else if last.ends_with("Server") {
        let service = service(&last);
        format!(
            "this is the server; the client stands beside its module: {}",
            example(&service)
        )
    } else if !last.ends_with("Client") {
        format!(
            "this is not the name of a client: tonic's clients end in `Client`, for example {}",
            example(&last)
        )
    } else if parent.is_none() {
        let module = example(last.strip_suffix("Client").unwrap_or(&last));
        format!(
            "write the path through the client's own module, where pool-build has put the list of RPCs: {module}, with \
             the path of the package before it"
        )
    } else {
        return None;
    };
    Some(message)
}

fn path_and_rest(input: ParseStream<'_>) -> syn::Result<(Path, TokenStream)> {
    Ok((input.parse()?, input.parse()?))
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
    if inner.is_empty() {
        errors.at(&ident, format!("`{ident}` has no options; {RPC_OPTIONS_ARE}"));
    }
    let mut options = Options::default();
    for tokens in split_at_commas(inner) {
        rpc_option(tokens, &mut options, errors);
    }
    rpcs.push(RpcArgs { ident, options });
}

fn rpc_option(tokens: TokenStream, options: &mut Options, errors: &mut Errors) {
    match Argument::read(&tokens) {
        Ok(Argument { ident, value }) if RPC_OPTIONS.contains(&ident.to_string().as_str()) => {
            option(&ident, value, options, errors);
        }
        Ok(Argument { ident, .. }) => {
            let hint = did_you_mean(&ident, &RPC_OPTIONS);
            errors.at(&ident, format!("unknown option `{ident}`{hint}; {RPC_OPTIONS_ARE}"));
        }
        Err(_) if tokens.is_empty() => {}
        Err(_) => errors.at(tokens, format!("expected an option; {RPC_OPTIONS_ARE}")),
    }
}

fn unknown_client_option(ident: &Ident, errors: &mut Errors) {
    let hint = did_you_mean(ident, &CLIENT_OPTIONS);
    errors.at(
        ident,
        format!(
            "unknown option `{ident}`{hint}; the options are `deadline = \"2s\"`, `wait_for_ready`, \
             `retry = \"none\"` and `crate = \"..\"`, and those of an RPC stand in parentheses: `{ident}(deadline = \"250ms\")`"
        ),
    );
}

fn did_you_mean(ident: &Ident, known: &[&str]) -> String {
    // tonic's name for it.
    if ident == "timeout" && known.contains(&"deadline") {
        return ", did you mean `deadline`?".to_owned();
    }
    match pool_call_policy::nearest(&ident.to_string(), known.iter().copied()) {
        Some(name) => format!(", did you mean `{name}`?"),
        None => String::new(),
    }
}
