//! From the intermediate form to tokens.
//!
//! The generated code is thin: one expression per method, and all it names stands in the runtime's
//! `__private`. Paths are absolute, so that nothing the user calls `Result`, `std` or `tonic` gets in
//! the way.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Meta, Path, Token, parse_quote, punctuated::Punctuated};

use crate::errors::Errors;
use crate::ir::{Args, ClientPath, Deadline, Description, Idempotency, Input, Options, Rpc, Shape, Struct};
use crate::{args, check, fallback, parse};

/// What pool-build puts beside a client. The name is what rustc quotes at the user's path when it is
/// not there, and says what to do.
const DESCRIPTION: &str = "compile_this_proto_with_pool_build";

/// The first stage: the struct, its constructors and its settings, and the call of the second.
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
        tokens.extend(second_stage(path, &parsed.krate, &args, &target.ident));
    }
    tokens
}

/// The second stage: the methods of the RPCs.
pub(crate) fn rpcs(input: TokenStream) -> TokenStream {
    let Input {
        description,
        args,
        ident,
    } = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return fallback::description(&error),
    };
    // The first stage has reported what is wrong with the arguments themselves.
    let args = args::parse(args, &mut Errors::default());
    let mut errors = Errors::default();
    if let Some(path) = &args.client {
        check::client_name(path, &description, &mut errors);
    }
    check::rpc_names(&args.rpcs, &description, &mut errors);
    let mut tokens = errors.into_tokens();
    tokens.extend(methods(&ident, &description, &args));
    tokens
}

/// Input:  `#[doc = ".."] pub struct Greeter;` \
/// Output: `#[doc = ".."] #[derive(Clone, Debug)] pub struct Greeter { __client: Client }`
fn definition(target: &Struct, args: &Args) -> TokenStream {
    let Struct { attrs, vis, ident } = target;
    let krate = &args.krate;
    let derives: [(&str, Path); 2] = [
        ("Clone", parse_quote!(::core::clone::Clone)),
        ("Debug", parse_quote!(::core::fmt::Debug)),
    ];
    // Deriving twice what the user derives would be an error at a place that is not at fault.
    let derives = derives
        .iter()
        .filter(|(name, _)| !is_derived(attrs, name))
        .map(|(_, path)| path);
    quote! {
        #(#attrs)*
        #[derive(#(#derives),*)]
        #vis struct #ident {
            __client: #krate::__private::Client,
        }
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
    let krate = &args.krate;
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
            #private::Pool::connect(target).await.map(Self::new)
        }

        /// A client with a pool of its own, which connects when it is first used.
        ///
        /// # Errors
        ///
        /// When the target can't be understood.
        pub fn connect_lazy(
            target: impl ::core::convert::Into<::std::string::String>,
        ) -> ::core::result::Result<Self, #private::Error> {
            #private::Pool::connect_lazy(target).map(Self::new)
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

        /// Lets `interceptor` change or refuse each request; the one added last sees it first.
        #[must_use]
        pub fn with_interceptor<__I>(self, interceptor: __I) -> Self
        where
            __I: #private::tonic::service::Interceptor
                + ::core::clone::Clone
                + ::core::marker::Send
                + ::core::marker::Sync
                + 'static,
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

/// Output: `impl Greeter { pub async fn say_hello(..) .. }`
fn methods(ident: &Ident, description: &Description, args: &Args) -> TokenStream {
    let docs = &description.docs;
    let methods = description.rpcs.iter().map(|rpc| {
        let name = check::method_name(&rpc.ident);
        let options = args.rpcs.iter().find(|given| same(&given.ident, &name));
        method(rpc, &name, description, options.map(|given| &given.options), args)
    });
    quote! {
        #(#docs)*
        #[allow(dead_code)]
        impl #ident {
            #(#methods)*
        }
    }
}

fn same(a: &Ident, b: &Ident) -> bool {
    use syn::ext::IdentExt;
    a.unraw() == b.unraw()
}

/// Output: `pub async fn say_hello(&self, request: impl IntoRequest<HelloRequest>)
///     -> Result<Response<HelloReply>, Status> { self.__client.unary(&METHOD, codec, request).await }`
fn method(rpc: &Rpc, name: &Ident, description: &Description, options: Option<&Options>, args: &Args) -> TokenStream {
    let krate = &args.krate;
    let private = quote!(#krate::__private);
    let Rpc {
        attrs,
        request,
        response,
        codec,
        ..
    } = rpc;
    let docs = default_docs(rpc, description);
    let description = method_static(rpc, description, options, args);
    let (into_request, conversion) = if rpc.shape.request_streams() {
        (
            quote!(IntoStreamingRequest<Message = #request>),
            quote!(IntoStreamingRequest::into_streaming_request),
        )
    } else {
        (quote!(IntoRequest<#request>), quote!(IntoRequest::into_request))
    };
    let response = if rpc.shape.response_streams() {
        quote!(#private::tonic::Streaming<#response>)
    } else {
        response.clone()
    };
    let call = rpc.shape.function();
    quote! {
        #docs
        #(#attrs)*
        pub async fn #name(
            &self,
            request: impl #private::tonic::#into_request,
        ) -> ::core::result::Result<#private::tonic::Response<#response>, #private::tonic::Status> {
            static __METHOD: #private::Method = #description;
            self.__client
                .#call(&__METHOD, #codec::default(), #private::tonic::#conversion(request))
                .await
        }
    }
}

/// A method without a comment in the .proto still says what it calls.
fn default_docs(rpc: &Rpc, description: &Description) -> TokenStream {
    if rpc.attrs.iter().any(|attr| attr.path().is_ident("doc")) {
        return TokenStream::new();
    }
    let text = format!(" Calls `{}/{}`.", description.service.value(), rpc.proto_name.value());
    quote!(#[doc = #text])
}

/// Output: `Method::new("helloworld.Greeter", "SayHello", "/helloworld.Greeter/SayHello",
///     Shape::Unary).deadline(..)`
fn method_static(rpc: &Rpc, description: &Description, options: Option<&Options>, args: &Args) -> TokenStream {
    let krate = &args.krate;
    let private = quote!(#krate::__private);
    let service = &description.service;
    let name = &rpc.proto_name;
    let path = format!("/{}/{}", service.value(), name.value());
    let shape = rpc.shape.variant();
    let mut tokens = quote! {
        #private::Method::new(#service, #name, #path, #private::Shape::#shape)
    };
    if let Some(level) = idempotency(rpc, options) {
        tokens.extend(quote!(.idempotency(#private::Idempotency::#level)));
    }
    if let Some(own) = options.and_then(|options| options.deadline.as_ref()) {
        let own = deadline(krate, Some(own));
        tokens.extend(quote!(.deadline(#own)));
    }
    let own = options.and_then(|options| options.wait_for_ready);
    if own.or(args.options.wait_for_ready) == Some(true) {
        tokens.extend(quote!(.wait_for_ready(true)));
    }
    tokens
}

/// The level to state: what the attribute says, else what the .proto says. An RPC without side effects
/// stays one when the attribute calls it idempotent, which is less.
fn idempotency(rpc: &Rpc, options: Option<&Options>) -> Option<Ident> {
    let stated = options.and_then(|options| options.idempotent);
    let level = match (stated, rpc.idempotency) {
        (Some(false), _) | (None, Idempotency::Unknown) => return None,
        (_, Idempotency::NoSideEffects) => "NoSideEffects",
        (Some(true), _) | (None, Idempotency::Idempotent) => "Idempotent",
    };
    Some(format_ident!("{level}"))
}

/// Output: `Deadline::After(Duration::new(2, 0))`
fn deadline(krate: &Path, deadline: Option<&Deadline>) -> TokenStream {
    let private = quote!(#krate::__private);
    match deadline.map(|deadline| deadline.after) {
        None => quote!(#private::Deadline::Unset),
        Some(None) => quote!(#private::Deadline::None),
        Some(Some(after)) => {
            let (seconds, nanos) = (after.as_secs(), after.subsec_nanos());
            quote!(#private::Deadline::After(::core::time::Duration::new(#seconds, #nanos)))
        }
    }
}

impl Shape {
    fn request_streams(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::BidiStreaming)
    }

    fn response_streams(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::BidiStreaming)
    }

    /// The variant of the runtime's `Shape`.
    fn variant(self) -> Ident {
        format_ident!("{self:?}")
    }

    /// The runtime's function for calls of this shape.
    fn function(self) -> Ident {
        format_ident!(
            "{}",
            match self {
                Self::Unary => "unary",
                Self::ClientStreaming => "client_streaming",
                Self::ServerStreaming => "server_streaming",
                Self::BidiStreaming => "bidi_streaming",
            }
        )
    }
}
