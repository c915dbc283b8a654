//! The first stage: the struct, its constructors and its settings, and the call of the second stage.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Ident, Meta, Path, Token, parse_quote, punctuated::Punctuated};

use super::deadline;
use crate::errors::Errors;
use crate::ir::{Args, ClientPath, Struct};
use crate::{args, check, fallback, parse};

/// What pool-build puts beside a client. The name is what rustc quotes at the user's path when it is
/// not there, and says what to do.
const DESCRIPTION: &str = "compile_this_proto_with_pool_build";

/// Expands the attribute.
pub(crate) fn client(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = args::parse(args.clone(), &mut errors);
    check::deadlines(&parsed, &mut errors);
    let Some(target) = parse::item(item.clone(), &mut errors) else {
        return fallback::item(item, errors);
    };
    let mut tokens = errors.into_tokens();
    tokens.extend(definition(&target, &parsed));
    tokens.extend(functions(&target.ident, &parsed));
    if let Some(path) = &parsed.client {
        tokens.extend(second_stage(path, &parsed.krate(), &args, &target.ident));
    }
    tokens
}

/// Input:  `#[doc = ".."] pub struct Greeter;` \
/// Output: `#[doc = ".."] #[derive(Clone, Debug)] pub struct Greeter { __client: Client }`
fn definition(target: &Struct, args: &Args) -> TokenStream {
    let Struct {
        attrs,
        vis,
        keyword,
        ident,
    } = target;
    let krate = &args.krate();
    let derives: [(&str, Path); 2] = [
        ("Clone", parse_quote!(::core::clone::Clone)),
        ("Debug", parse_quote!(::core::fmt::Debug)),
    ];
    // Deriving twice what the user derives would be an error at a place that is not at fault.
    let derives = derives
        .iter()
        .filter(|(name, _)| !is_derived(attrs, name))
        .map(|(_, path)| path);
    // What rustc says of the struct it says of all its tokens, so the fields stand where its name does.
    let fields = quote_spanned! { ident.span() => {
        __client: #krate::__private::Client,
    }};
    quote! {
        #(#attrs)*
        #[derive(#(#derives),*)]
        #vis #keyword #ident #fields
    }
}

fn is_derived(attrs: &[Attribute], name: &str) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        Meta::List(list) if list.path.is_ident("derive") => list
            .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            .is_ok_and(|paths| {
                let mut last = paths.iter().filter_map(|path| path.segments.last());
                last.any(|segment| segment.ident == name)
            }),
        _ => false,
    })
}

/// Output: `impl Greeter { pub fn new(pool: Pool) -> Self { .. } .. }`
fn functions(ident: &Ident, args: &Args) -> TokenStream {
    let krate = &args.krate();
    let constructors = constructors(krate, deadline(krate, args.options.deadline.as_ref()));
    let settings = settings(krate);
    quote! {
        #[allow(dead_code)]
        impl #ident {
            #constructors
            #settings
        }
    }
}

fn constructors(krate: &Path, deadline: TokenStream) -> TokenStream {
    let private = quote!(#krate::__private);
    quote! {
        /// A client whose calls go through `pool`. Clients can share a pool.
        #[must_use]
        pub fn new(pool: #private::Pool) -> Self {
            Self { __client: #private::Client::new(pool, #deadline) }
        }

        /// A client with a pool of its own, after a first connection to `target` is open.
        ///
        /// # Errors
        ///
        /// When the target can't be understood or the connection can't be opened.
        pub async fn connect(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, #private::Error> {
            Self::pool_builder(target).connect().await.map(Self::new)
        }

        /// A client with a pool of its own, which connects when it is first used.
        ///
        /// # Errors
        ///
        /// When the target can't be understood.
        pub fn connect_lazy(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, #private::Error> {
            Self::pool_builder(target).build().map(Self::new)
        }

        /// Starts to set up a pool for [`new`](Self::new), from where `connect` and `connect_lazy` start: with what the
        /// service config that was given to pool-build says of the pool.
        pub fn pool_builder(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> #private::Builder {
            // Says nothing. The second stage's constant, where there is one, is the type's own, and comes first.
            #[allow(unused_imports)]
            use #private::PoolDefaults as _;
            #private::pool_builder(target, Self::__POOL)
        }

        /// The pool behind this client.
        #[must_use]
        pub fn pool(&self) -> &#private::Pool {
            self.__client.pool()
        }
    }
}

fn settings(krate: &Path) -> TokenStream {
    let private = quote!(#krate::__private);
    let encoding = quote!(#private::tonic::codec::CompressionEncoding);
    quote! {
        /// Limits each call of this client to `deadline`, in place of the client's deadline so far.
        #[must_use]
        pub fn with_deadline(self, deadline: ::core::time::Duration) -> Self {
            Self { __client: self.__client.with_deadline(deadline) }
        }

        /// Lets `interceptor` change or refuse each request; the one added last sees it first. All calls of this client
        /// and of its clones share it and take turns, so it is to return quickly.
        #[must_use]
        pub fn with_interceptor<I>(self, interceptor: I) -> Self
        where
            I: #private::tonic::service::Interceptor + ::core::marker::Send + 'static,
        {
            Self { __client: self.__client.with_interceptor(interceptor) }
        }

        /// Compresses requests; a server that does not know `encoding` refuses them.
        #[must_use]
        pub fn send_compressed(self, encoding: #encoding) -> Self {
            Self { __client: self.__client.send_compressed(encoding) }
        }

        /// Tells servers that responses may be compressed with `encoding`.
        #[must_use]
        pub fn accept_compressed(self, encoding: #encoding) -> Self {
            Self { __client: self.__client.accept_compressed(encoding) }
        }

        /// Refuses responses of more than `limit` bytes.
        #[must_use]
        pub fn max_decoding_message_size(self, limit: usize) -> Self {
            Self { __client: self.__client.max_decoding_message_size(limit) }
        }

        /// Refuses to send requests of more than `limit` bytes.
        #[must_use]
        pub fn max_encoding_message_size(self, limit: usize) -> Self {
            Self { __client: self.__client.max_encoding_message_size(limit) }
        }
    }
}

/// Output: `helloworld::greeter_client::compile_this_proto_with_pool_build! {
///     { ::pool_runtime::__private::__pooled_client_rpcs }
///     { helloworld::greeter_client }
///     { arguments } Greeter
/// }`
fn second_stage(path: &ClientPath, krate: &Path, args: &TokenStream, ident: &Ident) -> TokenStream {
    let ClientPath { module, ident: client } = path;
    let description = format_ident!("{DESCRIPTION}", span = client.span());
    quote! {
        #module::#description! {
            { #krate::__private::__pooled_client_rpcs }
            { #module }
            { #args } #ident
        }
    }
}
