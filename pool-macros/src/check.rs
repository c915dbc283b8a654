//! The rules that need more than one part of the input.

use pool_call_policy::nearest;
use syn::Ident;
use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::ir::{Args, Description, RpcArgs};

/// What an RPC must not be called: the generated client has these functions for itself. (`clone` would
/// compile, and take the place of `Clone::clone` in every `greeter.clone()`.)
pub(crate) const TAKEN: [&str; 12] = [
    "new",
    "connect",
    "connect_lazy",
    "pool",
    "pool_builder",
    "with_deadline",
    "with_interceptor",
    "send_compressed",
    "accept_compressed",
    "max_decoding_message_size",
    "max_encoding_message_size",
    "clone",
];

/// The name of an RPC's method: that of the .proto, with an underscore where it is taken.
pub(crate) fn method_name(rpc: &Ident) -> Ident {
    if TAKEN.iter().any(|taken| rpc == taken) {
        Ident::new(&format!("{rpc}_"), rpc.span())
    } else {
        rpc.clone()
    }
}

/// The first stage's: an RPC's deadline must be able to apply.
pub(crate) fn deadlines(args: &Args, errors: &mut Errors) {
    let Some(client) = &args.options.deadline else {
        return;
    };
    let Some(limit) = client.after else {
        return;
    };
    for rpc in &args.rpcs {
        let Some(deadline) = &rpc.options.deadline else {
            continue;
        };
        if deadline.after.is_none_or(|after| after > limit) {
            errors.at(
                &deadline.literal,
                format!(
                    "this deadline would never apply: the client's own of {:?} is smaller, and the \
                     smallest wins; raise the client's or remove this one",
                    client.literal.value()
                ),
            );
        }
    }
}

/// The second stage's: options can only be given to RPCs that exist.
pub(crate) fn rpc_names(args: &[RpcArgs], description: &Description, errors: &mut Errors) {
    let methods: Vec<String> = description
        .rpcs
        .iter()
        .map(|rpc| method_name(&rpc.ident).unraw().to_string())
        .collect();
    for rpc in args {
        let name = rpc.ident.unraw().to_string();
        if methods.contains(&name) {
            continue;
        }
        // The name of the .proto and the name that had to change are likely to be tried.
        let meant = description
            .rpcs
            .iter()
            .position(|rpc| rpc.proto_name.value() == name || rpc.ident.unraw() == name)
            .map(|index| methods[index].as_str())
            .or_else(|| nearest(&name, methods.iter().map(String::as_str)));
        let hint = meant.map_or_else(String::new, |meant| format!(", did you mean `{meant}`?"));
        errors.at(
            &rpc.ident,
            format!(
                "`{}` has no RPC `{name}`{hint}; {}",
                description.service.value(),
                known(&methods)
            ),
        );
    }
}

fn known(methods: &[String]) -> String {
    if methods.is_empty() {
        return "it has none at all".to_owned();
    }
    let quoted: Vec<String> = methods.iter().map(|method| format!("`{method}`")).collect();
    format!("it has {}", quoted.join(", "))
}
