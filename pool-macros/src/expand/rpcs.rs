//! The second stage: the methods of the RPCs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Ident};

use super::{deadline, policy};
use crate::errors::Errors;
use crate::ir::{Args, Description, Encoding, Idempotency, Input, Options, Rpc, Shape};
use crate::{args, check, fallback};

/// Expands the call that the description makes.
pub(crate) fn rpcs(input: TokenStream) -> TokenStream {
    let input: Input = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return fallback::description(&error),
    };
    // The first stage has reported what is wrong with the arguments themselves.
    let args = args::parse(input.args, &mut Errors::default());
    let Some(path) = &args.client else {
        return TokenStream::new();
    };
    let (module, description) = (&path.module, input.description);
    let types = description.types.as_ref().map(|types| {
        // At the path that the user wrote: a path to a re-export of the client is an error here.
        let types = Ident::new(&types.to_string(), path.ident.span());
        quote_spanned! { path.ident.span() =>
            #[allow(unused_imports)]
            use #module::#types as __types;
        }
    });
    let mut tokens = types.unwrap_or_default();
    tokens.extend(described(&input.attrs, &input.ident, &description, &args));
    tokens
}

/// The methods of a client whose RPCs are known, and what is wrong with the options given to them.
pub(super) fn described(attrs: &[Attribute], ident: &Ident, description: &Description, args: &Args) -> TokenStream {
    let mut errors = Errors::default();
    // An RPC that could not be read has its error already, and may be the one that an option names.
    if !args.by_hand.as_ref().is_some_and(|by_hand| by_hand.spoiled) {
        check::rpc_names(&args.rpcs, description, &mut errors);
    }
    let mut tokens = errors.into_tokens();
    tokens.extend(methods(attrs, ident, description, args));
    tokens
}

/// Output: `impl Greeter { pub async fn say_hello(..) .. }`
fn methods(attrs: &[Attribute], ident: &Ident, description: &Description, args: &Args) -> TokenStream {
    let docs = &description.docs;
    let methods = description.rpcs.iter().map(|rpc| {
        let name = check::method_name(&rpc.ident);
        let options = args.rpcs.iter().find(|given| same(&given.ident, &name));
        method(rpc, &name, description, options.map(|given| &given.options), args)
    });
    let pool = policy::pool(&args.krate(), &description.pool);
    quote! {
        #(#docs)*
        #(#attrs)*
        // The comments of a .proto are not written for rustdoc and clippy, and not the user's to mend.
        #[allow(dead_code, deprecated, rustdoc::all, clippy::all, clippy::pedantic, clippy::nursery)]
        impl #ident {
            #pool
            #(#methods)*
        }
    }
}

fn same(a: &Ident, b: &Ident) -> bool {
    a.unraw() == b.unraw()
}

/// Output: `pub async fn say_hello(&self, request: impl IntoRequest<HelloRequest>)
///     -> Result<Response<HelloReply>, Status> { self.__client.unary_prost(&METHOD, codec, request).await }`
fn method(rpc: &Rpc, name: &Ident, description: &Description, options: Option<&Options>, args: &Args) -> TokenStream {
    let krate = &args.krate();
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
    let call = function(rpc.shape, rpc.encoding);
    let codec = match codec.is_empty() {
        true => quote!(#private::ProstCodec),
        false => codec.clone(),
    };
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
    let krate = &args.krate();
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
    if let Some(wait) = own.or(args.options.wait_for_ready) {
        tokens.extend(quote!(.wait_for_ready(#wait)));
    }
    let own = options.and_then(|options| options.extra);
    tokens.extend(own.or(args.options.extra).map(|extra| policy::extra(krate, extra)));
    tokens.extend(policy::config(krate, &rpc.config));
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
}

/// The runtime's function for such calls.
fn function(shape: Shape, encoding: Encoding) -> Ident {
    format_ident!(
        "{}",
        match (shape, encoding) {
            (Shape::Unary, Encoding::Prost) => "unary_prost",
            (Shape::Unary, Encoding::Other) => "unary",
            (Shape::ClientStreaming, _) => "client_streaming",
            (Shape::ServerStreaming, _) => "server_streaming",
            (Shape::BidiStreaming, _) => "bidi_streaming",
        }
    )
}
