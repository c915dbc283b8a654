//! The first stage: the struct, its constructors and its settings, and the call of the second stage.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Attribute, Ident, Meta, Path, Token, parse_quote, punctuated::Punctuated};

use super::{deadline, rpcs};
use crate::errors::Errors;
use crate::ir::{Args, ByHand, ClientPath, Description, PoolConfig, Struct};
use crate::{args, check, fallback, parse};

/// Expands the attribute.
pub(crate) fn client(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = args::parse(args.clone(), &mut errors);
    check::deadlines(&parsed, &mut errors);
    let Some(target) = parse::item(item.clone(), &mut errors) else {
        return fallback::item(item, errors);
    };
    let attrs = shared(&target.attrs);
    let mut tokens = errors.into_tokens();
    tokens.extend(definition(&target, &parsed));
    tokens.extend(in_scope(&attrs, functions(&attrs, &target.ident, &parsed)));
    if let Some(by_hand) = &parsed.by_hand {
        let methods = rpcs::described(&attrs, &target.ident, &description(by_hand), &parsed);
        tokens.extend(in_scope(&attrs, methods));
    } else if let Some(path) = &parsed.client {
        let call = second_stage(path, &parsed.krate(), &args, &attrs, &target.ident);
        tokens.extend(in_scope(&attrs, call));
    }
    tokens
}

/// The attributes of the struct that hold for its methods too: `cfg`, and the levels of lints.
fn shared(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs
        .iter()
        .flat_map(|attr| shared_meta(&attr.meta))
        .map(|meta| parse_quote!(#[#meta]))
        .collect()
}

fn shared_meta(meta: &Meta) -> Vec<Meta> {
    let name = meta.path().get_ident().map(Ident::to_string).unwrap_or_default();
    match (name.as_str(), meta) {
        ("cfg" | "allow" | "warn" | "deny", _) => vec![meta.clone()],
        // What is expected at the struct need not be at the methods; and below `forbid` nothing could be allowed.
        ("expect", Meta::List(list)) => {
            let lints = &list.tokens;
            vec![parse_quote!(allow(#lints))]
        }
        ("forbid", Meta::List(list)) => {
            let lints = &list.tokens;
            vec![parse_quote!(deny(#lints))]
        }
        ("cfg_attr", Meta::List(list)) => {
            let parsed = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            let mut parts = parsed.into_iter().flatten();
            let Some(condition) = parts.next() else {
                return Vec::new();
            };
            let shared = parts.flat_map(|meta| shared_meta(&meta));
            shared.map(|meta| parse_quote!(cfg_attr(#condition, #meta))).collect()
        }
        _ => Vec::new(),
    }
}

/// Output: `const _: () = { use Default as _; .. };`
///
/// A scope of its own for what the generated code needs to import: the names in it are in nobody's way. `Default` is
/// there for codecs, and for users whose module has no prelude.
fn in_scope(attrs: &[Attribute], items: TokenStream) -> TokenStream {
    let conditions = attrs.iter().filter(|attr| !is_level(attr));
    quote! {
        #(#conditions)*
        const _: () = {
            #[allow(unused_imports)]
            use ::core::default::Default as _;
            #items
        };
    }
}

/// Whether the attribute sets the level of lints, and is not a condition.
fn is_level(attr: &Attribute) -> bool {
    !attr.path().is_ident("cfg")
}

/// The description that the user has written.
fn description(by_hand: &ByHand) -> Description {
    Description {
        docs: Vec::new(),
        types: None,
        service: by_hand.service.clone(),
        pool: PoolConfig::default(),
        rpcs: by_hand.rpcs.clone(),
    }
}

/// Input:  `#[doc = ".."] pub struct Greeter;` \
/// Output: `#[doc = ".."] #[::core::prelude::v1::derive(Clone, Debug)] pub struct Greeter { __client: Client }`
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
        #[::core::prelude::v1::derive(#(#derives),*)]
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
fn functions(attrs: &[Attribute], ident: &Ident, args: &Args) -> TokenStream {
    let krate = &args.krate();
    let constructors = constructors(krate, deadline(krate, args.options.deadline.as_ref()));
    let settings = settings(krate);
    quote! {
        #(#attrs)*
        #[allow(dead_code, deprecated)]
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
        ///
        /// It takes a pool and nothing else: [`connect`](Self::connect) takes a target.
        #[must_use]
        pub fn new(pool: impl #private::IntoPool) -> Self {
            Self { __client: #private::Client::new(#private::IntoPool::into_pool(pool), #deadline) }
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

/// Output: `use ::pool_runtime::__private::__pooled_client_missing as __missing;
/// use helloworld::greeter_client::GreeterClient as debug_assert;
/// debug_assert! { __missing! { { ::pool_runtime::__private::__pooled_client_rpcs } { arguments } Greeter } }`
///
/// The name of the client is that of a macro too, if pool-build has compiled it, and the import brings both. If it brings
/// the type alone, `debug_assert!` is the standard library's, and evaluates `__missing!`: the error. (A glob in the same
/// scope can't bring the other macro: what is expanded from a macro and a glob may not have the same name.)
fn second_stage(
    path: &ClientPath,
    krate: &Path,
    args: &TokenStream,
    attrs: &[Attribute],
    ident: &Ident,
) -> TokenStream {
    let ClientPath { module, ident: client } = path;
    let description = Ident::new(fallback::DESCRIPTION, client.span());
    quote! {
        #[allow(unused_imports)]
        use #krate::__private::__pooled_client_missing as __missing;
        #[allow(unused_imports, deprecated)]
        use #module::#client as #description;
        #description! {
            __missing! {
                { #krate::__private::__pooled_client_rpcs }
                { #args } #(#attrs)* #ident
            }
        }
    }
}
