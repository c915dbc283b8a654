//! What is known of a service: read from the client that tonic has written and from its descriptor.
//!
//! Types, codec, docs and deprecation are taken from the generated client, because they depend on the
//! settings of two builders that can't be asked. Names, shapes and idempotency come from the descriptor.
//! A client of an unknown form is a mistake that fails the build here, with the reason, and not a
//! riddle in the user's crate.

use prost_build::{Method, Service};
use prost_types::method_options::IdempotencyLevel;
use syn::{
    Attribute, Expr, File, FnArg, GenericArgument, ImplItem, ImplItemFn, Item, ItemMod, Pat, Path, PathArguments,
    ReturnType, Stmt, Type, TypeParamBound,
};

use crate::generator::full_name;

/// A service, as its client describes it to the attribute.
pub(crate) struct Description {
    /// `package.Service`.
    pub(crate) name: String,
    /// The module of the client, `greeter_client`.
    pub(crate) module: syn::Ident,
    /// The client type, `GreeterClient`.
    pub(crate) client: syn::Ident,
    /// What the service's comment says.
    pub(crate) docs: Vec<Attribute>,
    /// In the order of the .proto.
    pub(crate) rpcs: Vec<Rpc>,
}

/// An RPC, as its client describes it to the attribute.
pub(crate) struct Rpc {
    /// What prost calls it.
    pub(crate) ident: syn::Ident,
    /// What the .proto calls it.
    pub(crate) proto_name: String,
    /// One of the words `unary`, `client_streaming`, `server_streaming`, `bidi_streaming`.
    pub(crate) shape: &'static str,
    /// One of the words `unknown`, `no_side_effects`, `idempotent`.
    pub(crate) idempotency: &'static str,
    /// Docs and deprecation.
    pub(crate) attributes: Vec<Attribute>,
    /// The types as tonic's client module names them.
    pub(crate) request: Type,
    pub(crate) response: Type,
    pub(crate) codec: Path,
}

/// Reads the description of `service` from `file`, the client that was generated for `renamed`.
pub(crate) fn describe(service: &Service, renamed: &Service, file: &mut File) -> Result<Description, String> {
    let unknown = |what: String| {
        format!(
            "{}: the client that tonic-prost-build generated has an unexpected form ({what}); this \
             pool-build is made for tonic-prost-build 0.14",
            full_name(service)
        )
    };
    let module_name = client_module_name(file).ok_or_else(|| unknown("no client module".to_owned()))?;
    let module = client_module(file).ok_or_else(|| unknown("no client module".to_owned()))?;
    let (client, attributes) = client_struct(module).ok_or_else(|| unknown("no client type".to_owned()))?;
    let rpcs = service
        .methods
        .iter()
        .zip(&renamed.methods)
        .map(|(method, renamed)| rpc(method, &renamed.name, module).ok_or_else(|| unknown(method.proto_name.clone())))
        .collect::<Result<_, _>>()?;
    Ok(Description {
        name: full_name(service),
        module: module_name,
        client: client.clone(),
        docs: only(attributes, &["doc"]),
        rpcs,
    })
}

/// The contents of the module that holds the client.
pub(crate) fn client_module(file: &mut File) -> Option<&mut Vec<Item>> {
    file.items.iter_mut().find_map(|item| match item {
        Item::Mod(ItemMod {
            ident,
            content: Some((_, items)),
            ..
        }) if ident.to_string().ends_with("_client") => Some(items),
        _ => None,
    })
}

fn client_module_name(file: &File) -> Option<syn::Ident> {
    file.items.iter().find_map(|item| match item {
        Item::Mod(ItemMod {
            ident,
            content: Some(_),
            ..
        }) if ident.to_string().ends_with("_client") => Some(ident.clone()),
        _ => None,
    })
}

fn client_struct(module: &[Item]) -> Option<(&syn::Ident, &[Attribute])> {
    module.iter().find_map(|item| match item {
        Item::Struct(item) => Some((&item.ident, item.attrs.as_slice())),
        _ => None,
    })
}

/// Input:  `pub async fn say_hello(&mut self, request: impl tonic::IntoRequest<super::HelloRequest>)
/// -> Result<tonic::Response<super::HelloReply>, tonic::Status> { .. }` \
/// Output: the two types, and the codec of its `let codec = tonic_prost::ProstCodec::default();`
fn rpc(method: &Method, name: &str, module: &[Item]) -> Option<Rpc> {
    let function = function(module, name)?;
    let response = response_type(function)?;
    Some(Rpc {
        ident: syn::parse_str(&method.name).ok()?,
        proto_name: method.proto_name.clone(),
        shape: shape(method),
        idempotency: idempotency(method),
        attributes: only(&function.attrs, &["doc", "deprecated"]),
        request: request_type(function)?.clone(),
        response: if method.server_streaming {
            argument(response)?.clone()
        } else {
            response.clone()
        },
        codec: codec(function)?,
    })
}

fn shape(method: &Method) -> &'static str {
    match (method.client_streaming, method.server_streaming) {
        (false, false) => "unary",
        (true, false) => "client_streaming",
        (false, true) => "server_streaming",
        (true, true) => "bidi_streaming",
    }
}

fn idempotency(method: &Method) -> &'static str {
    match method.options.idempotency_level() {
        IdempotencyLevel::IdempotencyUnknown => "unknown",
        IdempotencyLevel::NoSideEffects => "no_side_effects",
        IdempotencyLevel::Idempotent => "idempotent",
    }
}

fn only(attributes: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    let wanted = |attribute: &&Attribute| names.iter().any(|name| attribute.path().is_ident(name));
    attributes.iter().filter(wanted).cloned().collect()
}

/// The async function `name` among the methods of the client.
fn function<'a>(module: &'a [Item], name: &str) -> Option<&'a ImplItemFn> {
    let impls = module.iter().filter_map(|item| match item {
        Item::Impl(item) => Some(&item.items),
        _ => None,
    });
    impls.flatten().find_map(|item| match item {
        ImplItem::Fn(function) if function.sig.asyncness.is_some() => (function.sig.ident == name).then_some(function),
        _ => None,
    })
}

/// `X` of `request: impl tonic::IntoRequest<X>` or `impl tonic::IntoStreamingRequest<Message = X>`.
fn request_type(function: &ImplItemFn) -> Option<&Type> {
    let FnArg::Typed(argument) = function.sig.inputs.get(1)? else {
        return None;
    };
    let Type::ImplTrait(bounds) = &*argument.ty else {
        return None;
    };
    let TypeParamBound::Trait(bound) = bounds.bounds.first()? else {
        return None;
    };
    path_argument(&bound.path)
}

/// `X` of `-> Result<tonic::Response<X>, tonic::Status>`.
fn response_type(function: &ImplItemFn) -> Option<&Type> {
    let ReturnType::Type(_, result) = &function.sig.output else {
        return None;
    };
    argument(argument(result)?)
}

/// `X` of `Anything<X>`.
fn argument(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Path(ty) => path_argument(&ty.path),
        _ => None,
    }
}

fn path_argument(path: &Path) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) => Some(ty),
        GenericArgument::AssocType(message) => Some(&message.ty),
        _ => None,
    }
}

impl Rpc {
    /// Whether the messages are encoded as prost does it, or as a codec of the user's own does. The runtime has a
    /// shorter way for the former.
    pub(crate) fn encoding(&self) -> &'static str {
        let segments = self.codec.segments.iter().map(|segment| segment.ident.to_string());
        match segments.eq(["tonic_prost", "ProstCodec"]) {
            true => "prost",
            false => "other",
        }
    }
}

/// `X` of `let codec = X::default();`.
fn codec(function: &ImplItemFn) -> Option<Path> {
    function.block.stmts.iter().find_map(|statement| {
        let Stmt::Local(local) = statement else {
            return None;
        };
        let Pat::Ident(variable) = &local.pat else {
            return None;
        };
        let Expr::Call(call) = &*local.init.as_ref()?.expr else {
            return None;
        };
        let Expr::Path(default) = &*call.func else {
            return None;
        };
        if variable.ident != "codec" {
            return None;
        }
        let mut path = default.path.clone();
        path.segments.pop();
        path.segments.pop_punct();
        Some(path)
    })
}
