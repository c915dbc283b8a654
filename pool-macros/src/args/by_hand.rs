//! RPCs of a client that pool-build did not compile, as the attribute states them:
//! `service = "helloworld.Greeter", rpc SayHello(HelloRequest) returns (HelloReply)`.
//!
//! A line is that of the .proto, with the types as Rust has them.

use heck::ToSnakeCase;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, LitStr, Path, Token, Type, parenthesized};

use crate::check;
use crate::errors::Errors;
use crate::ir::{ByHand, Encoding, Idempotency, Options, Rpc, Shape};

const EXAMPLE: &str = "`rpc SayHello(HelloRequest) returns (HelloReply)`";

/// The service as the arguments state it.
#[derive(Default)]
pub(super) struct Stated {
    pub(super) service: Option<LitStr>,
    /// The option's name, for errors.
    pub(super) service_option: Option<Ident>,
    pub(super) codec: Option<(Ident, Path)>,
    /// Where the first RPC is.
    pub(super) first_rpc: Option<Ident>,
    rpcs: Vec<Rpc>,
    /// An RPC could not be read, and an error names it.
    spoiled: bool,
}

/// Whether the argument is a line `rpc Name ..`, which may have attributes.
pub(super) fn is_rpc(tokens: &TokenStream) -> bool {
    let starts = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        let keyword: Ident = input.parse()?;
        let is_rpc = keyword == "rpc" && input.peek(Ident);
        input.parse::<TokenStream>()?;
        Ok(is_rpc)
    };
    starts.parse2(tokens.clone()).unwrap_or_default()
}

impl Stated {
    /// Takes a line `rpc Name ..`.
    pub(super) fn rpc(&mut self, tokens: TokenStream, errors: &mut Errors) {
        if self.first_rpc.is_none() {
            self.first_rpc = first_ident(&tokens);
        }
        let semicolon = tokens.clone().into_iter().find(is_semicolon);
        if let Some(semicolon) = semicolon {
            self.spoiled = true;
            return errors.at(semicolon, "a comma ends an RPC here");
        }
        match line.parse2(tokens) {
            Ok(rpc) => self.add(rpc, errors),
            Err(error) => {
                self.spoiled = true;
                errors.push(error);
            }
        }
    }

    fn add(&mut self, rpc: Rpc, errors: &mut Errors) {
        let name = |rpc: &Rpc| check::method_name(&rpc.ident).to_string();
        match self.rpcs.iter().find(|known| name(known) == name(&rpc)) {
            None => self.rpcs.push(rpc),
            Some(known) if known.proto_name.value() == rpc.proto_name.value() => {
                errors.at(
                    &rpc.proto_name,
                    format!("`{}` is stated twice; remove one of the two", rpc.proto_name.value()),
                );
            }
            Some(known) => errors.at(
                &rpc.proto_name,
                format!(
                    "`{}` and `{}` would both be `{}` in Rust: state one of the two",
                    known.proto_name.value(),
                    rpc.proto_name.value(),
                    name(&rpc)
                ),
            ),
        }
    }

    /// Checks that the parts belong together. `path` is where the path of a client is, if there is one.
    pub(super) fn finish(self, path: Option<&TokenStream>, errors: &mut Errors) -> Option<ByHand> {
        let stated = self.service_option.as_ref().or(self.first_rpc.as_ref());
        if let (Some(path), Some(_)) = (path, stated) {
            errors.at(
                path,
                "the client's path stands where pool-build has compiled the client, and the RPCs are not stated by hand; \
                 remove the path, or `service` and the `rpc` lines",
            );
            return None;
        }
        if let (None, Some(rpc)) = (&self.service_option, &self.first_rpc) {
            if path.is_none() {
                errors.at(
                    rpc,
                    "RPCs that are stated by hand need the name of their service: `service = \"helloworld.Greeter\"`",
                );
            }
            return None;
        }
        if let (None, Some((codec, _))) = (&self.service_option, &self.codec) {
            errors.at(
                codec,
                "`codec` belongs to RPCs that are stated by hand; a client that pool-build compiled has its codec from \
                 `pool_build::Builder::codec_path`",
            );
            return None;
        }
        let option = self.service_option?;
        if self.rpcs.is_empty() && !self.spoiled {
            errors.at(&option, format!("state the RPCs of the service behind it: {EXAMPLE}"));
        }
        let mut rpcs = self.rpcs;
        if let Some((_, codec)) = self.codec {
            for rpc in &mut rpcs {
                rpc.encoding = Encoding::Other;
                rpc.codec = codec.to_token_stream();
            }
        }
        Some(ByHand {
            service: self.service?,
            rpcs,
            spoiled: self.spoiled,
        })
    }
}

/// `service = "helloworld.Greeter"`: the service in the path of a call.
pub(super) fn service(literal: LitStr, errors: &mut Errors) -> Option<LitStr> {
    let name = literal.value();
    let is_part = |part: &str| syn::parse_str::<Ident>(part).is_ok() || part == "_";
    // Words that Rust keeps for itself may be names in a .proto.
    let is_name =
        |part: &str| is_part(part) || is_part(&format!("r#{part}")) || matches!(part, "self" | "super" | "crate");
    if name.split('.').all(is_name) && name.is_ascii() {
        return Some(literal);
    }
    errors.at(
        &literal,
        "expected the full name of a service, the package included: `service = \"helloworld.Greeter\"`",
    );
    None
}

/// Input:  `#[doc = ".."] rpc SayHello(stream HelloRequest) returns (stream HelloReply)`
fn line(input: ParseStream<'_>) -> syn::Result<Rpc> {
    let attrs = input.call(Attribute::parse_outer)?;
    for attr in &attrs {
        if !attr.path().is_ident("doc") && !attr.path().is_ident("deprecated") {
            return Err(syn::Error::new_spanned(
                attr,
                "an RPC can have comments and `#[deprecated]`; its options stand in an argument of their own: \
                 `say_hello(deadline = \"250ms\")`",
            ));
        }
    }
    input.parse::<Ident>()?;
    let name: Ident = input.parse()?;
    let (request_streams, request) = message(input, &name)?;
    let returns = input.parse::<Ident>().ok().filter(|word| word == "returns");
    if returns.is_none() {
        return Err(expected(input, &name, "`returns` and the response in parentheses"));
    }
    let (response_streams, response) = message(input, &name)?;
    if !input.is_empty() {
        return Err(expected(input, &name, "a comma"));
    }
    let shape = match (request_streams, response_streams) {
        (false, false) => Shape::Unary,
        (true, false) => Shape::ClientStreaming,
        (false, true) => Shape::ServerStreaming,
        (true, true) => Shape::BidiStreaming,
    };
    let text = name.to_string();
    Ok(Rpc {
        attrs,
        ident: method(&text, name.span()),
        proto_name: LitStr::new(text.strip_prefix("r#").unwrap_or(&text), name.span()),
        shape,
        idempotency: Idempotency::Unknown,
        request,
        response,
        encoding: Encoding::Prost,
        codec: quote!(),
        config: Options::default(),
    })
}

/// `(stream HelloRequest)`: whether it streams, and the type.
fn message(input: ParseStream<'_>, rpc: &Ident) -> syn::Result<(bool, TokenStream)> {
    if !input.peek(syn::token::Paren) {
        return Err(expected(input, rpc, "a message in parentheses"));
    }
    let inner;
    let parentheses = parenthesized!(inner in input);
    if inner.is_empty() {
        return Err(syn::Error::new(
            parentheses.span.join(),
            "expected the type of a message; `google.protobuf.Empty` is `()`: write `(())`",
        ));
    }
    // `stream` may be a type's or a module's name, too.
    let keyword = inner.fork();
    let streams = keyword.parse::<Ident>().is_ok_and(|word| word == "stream")
        && !keyword.is_empty()
        && !keyword.peek(Token![::])
        && !keyword.peek(Token![<]);
    if streams {
        inner.parse::<Ident>()?;
    }
    let ty: Type = inner.parse()?;
    if !inner.is_empty() {
        return Err(inner.error("expected one type, or `stream` and a type"));
    }
    Ok((streams, ty.into_token_stream()))
}

fn expected(input: ParseStream<'_>, rpc: &Ident, what: &str) -> syn::Error {
    let span = if input.is_empty() { rpc.span() } else { input.span() };
    syn::Error::new(span, format!("expected {what}, as in {EXAMPLE}"))
}

/// The name that prost gives the method of an RPC.
fn method(rpc: &str, span: Span) -> Ident {
    let name = rpc.strip_prefix("r#").unwrap_or(rpc).to_snake_case();
    match name.as_str() {
        "self" | "super" | "crate" => Ident::new(&format!("{name}_"), span),
        _ if syn::parse_str::<Ident>(&name).is_ok() => Ident::new(&name, span),
        // A name of underscores and digits alone.
        _ if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) => Ident::new(&format!("_{name}"), span),
        _ => Ident::new_raw(&name, span),
    }
}

fn first_ident(tokens: &TokenStream) -> Option<Ident> {
    tokens.clone().into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "rpc" => Some(ident),
        _ => None,
    })
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}
