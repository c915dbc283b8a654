//! Reads the item under the attribute and the description that pool-build has made.

use proc_macro2::{Delimiter, Group, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::token::Brace;
use syn::{Attribute, Fields, Ident, Item, LitInt, Token, braced, parenthesized};

use crate::args;
use crate::errors::Errors;
use crate::ir::{Description, Encoding, Idempotency, Input, Rpc, Shape, Struct};

/// The form of description that this version reads; pool-build writes it as `format 3;`.
const FORMAT: &str = "3";

/// Reads the item; what is wrong with a struct is reported and left out of it. Anything else is none.
pub(crate) fn item(tokens: TokenStream, errors: &mut Errors) -> Option<Struct> {
    let mut item = match syn::parse2::<Item>(tokens.clone()) {
        Ok(Item::Struct(item)) => item,
        Ok(other) => {
            not_a_struct(&other, errors);
            return None;
        }
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    // Left where it is, the second attribute would complain of the fields that the first has added.
    for again in item.attrs.extract_if(.., |attr| is_this_attribute(attr)) {
        errors.at(
            again.path(),
            "a pooled client is a client of one service: write a struct for each",
        );
    }
    if !matches!(item.fields, Fields::Unit) {
        errors.at(
            &item.fields,
            format!(
                "a pooled client has no fields of its own, the attribute adds what it needs: write \
                 `struct {};`",
                item.ident
            ),
        );
    }
    if !item.generics.params.is_empty() {
        errors.at(
            &item.generics,
            format!("a pooled client has no parameters: write `struct {};`", item.ident),
        );
    } else if let Some(clause) = &item.generics.where_clause {
        errors.at(clause, "a pooled client has no parameters and so no `where` clause");
    }
    Some(Struct {
        attrs: item.attrs,
        vis: item.vis,
        keyword: item.struct_token,
        ident: item.ident,
    })
}

fn is_this_attribute(attr: &Attribute) -> bool {
    attr.path()
        .segments
        .last()
        .is_some_and(|segment| segment.ident == "pooled_client")
}

fn not_a_struct(item: &Item, errors: &mut Errors) {
    const RULE: &str = "`#[pooled_client]` goes on a struct without fields: `pub struct Greeter;`";
    match item {
        Item::Enum(item) => errors.at(item.enum_token, RULE),
        Item::Fn(item) => errors.at(item.sig.fn_token, RULE),
        Item::Impl(item) => errors.at(item.impl_token, RULE),
        Item::Mod(item) => errors.at(item.mod_token, RULE),
        Item::Trait(item) => errors.at(item.trait_token, RULE),
        Item::Type(item) => errors.at(item.type_token, RULE),
        Item::Union(item) => errors.at(item.union_token, RULE),
        other => errors.at(other, RULE),
    }
}

/// Input:  `{ description } { arguments } #[allow(..)] Greeter`
impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let description;
        braced!(description in input);
        let description = description.parse()?;
        let args: Group = input.parse()?;
        if args.delimiter() != Delimiter::Brace {
            return Err(input.error("expected the attribute's arguments in braces"));
        }
        Ok(Self {
            description,
            args: args.stream(),
            attrs: input.call(Attribute::parse_outer)?,
            ident: input.parse()?,
        })
    }
}

/// Input:  `format 3; #[doc = ".."] service GreeterClient types_module "helloworld.Greeter" { max_connections = 3 };
/// rpc ..; rpc ..;`
impl Parse for Description {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let keyword: Ident = input.parse()?;
        let version: LitInt = input.parse()?;
        if keyword != "format" || version.base10_digits() != FORMAT {
            return Err(syn::Error::new(
                proc_macro2::Span::call_site(),
                format!(
                    "this client was compiled by another version of pool-build (its description has \
                     format {version}, this pool_runtime reads {FORMAT}): use the same version of both"
                ),
            ));
        }
        input.parse::<Token![;]>()?;
        let docs = input.call(Attribute::parse_outer)?;
        input.parse::<Ident>()?;
        // The client's name is that of the macro too, so the path ends in it, or in another name for both.
        input.parse::<Ident>()?;
        let types = Some(input.parse()?);
        let service = input.parse()?;
        let pool = args::pool(in_braces(input)?)?;
        input.parse::<Token![;]>()?;
        let mut rpcs = Vec::new();
        while !input.is_empty() {
            rpcs.push(input.parse()?);
        }
        Ok(Self {
            docs,
            types,
            service,
            pool,
            rpcs,
        })
    }
}

/// Input:  `#[doc = ".."] rpc say_hello "SayHello" unary unknown (Request) (Reply) prost (Codec) { retry };`
impl Parse for Rpc {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Ident>()?;
        let rpc = Self {
            attrs,
            ident: input.parse()?,
            proto_name: input.parse()?,
            shape: input.parse()?,
            idempotency: input.parse()?,
            request: in_parentheses(input)?,
            response: in_parentheses(input)?,
            encoding: input.parse()?,
            codec: in_parentheses(input)?,
            config: args::config(in_braces(input)?)?,
        };
        input.parse::<Token![;]>()?;
        Ok(rpc)
    }
}

fn in_parentheses(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let inner;
    parenthesized!(inner in input);
    inner.parse()
}

/// What a service config says; nothing where there is none.
fn in_braces(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    if !input.peek(Brace) {
        return Ok(TokenStream::new());
    }
    let inner;
    braced!(inner in input);
    inner.parse()
}

impl Parse for Encoding {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "prost" => Ok(Self::Prost),
            _ => Ok(Self::Other),
        }
    }
}

impl Parse for Shape {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "unary" => Ok(Self::Unary),
            "client_streaming" => Ok(Self::ClientStreaming),
            "server_streaming" => Ok(Self::ServerStreaming),
            "bidi_streaming" => Ok(Self::BidiStreaming),
            _ => Err(syn::Error::new_spanned(word, "unknown shape of an RPC")),
        }
    }
}

impl Parse for Idempotency {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word: Ident = input.parse()?;
        match word.to_string().as_str() {
            "unknown" => Ok(Self::Unknown),
            "no_side_effects" => Ok(Self::NoSideEffects),
            "idempotent" => Ok(Self::Idempotent),
            _ => Err(syn::Error::new_spanned(word, "unknown idempotency level")),
        }
    }
}
