//! The description of a service as Rust source, added to its client module.
//!
//! Two things are added, both hidden from the documentation:
//!
//! - `mod __pool`, which re-exports the types of the RPCs. The user's crate may have no path of its own
//!   to them (it need not depend on prost-types, and `super::` means something else there), and a
//!   re-export, unlike an alias, shows up in rustdoc and editors as the type it is.
//! - a `macro_rules!` that passes the list of RPCs on. Its crate-wide name is made unique with a hash;
//!   it is called by the name [`ENTRY`], which the compiler quotes when there is no such thing.

use std::collections::BTreeMap;

use pool_call_policy::{MethodConfig, ServiceConfig};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{File, GenericArgument, Path, PathArguments, Type, parse_quote};

use crate::policy;
use crate::service::{Description, Rpc, client_module};

/// The version of the description's form; `pool-macros` knows which it can read.
const FORMAT: usize = 2;

/// What the attribute calls in a client's module. If tonic-prost-build alone has generated the client,
/// rustc says that it can't find this name in that module: so the name is the remedy.
const ENTRY: &str = "compile_this_proto_with_pool_build";

/// What rustc quotes when a file is included twice: again the name is the remedy.
const MACRO: &str = "__pool_include_this_file_once_or_generate_it_with_cross_crate_false";

/// Adds `description` to the client module in `file`.
pub(crate) fn describe(
    file: &mut File,
    description: &Description,
    config: Option<&ServiceConfig>,
    cross_crate: bool,
) -> Result<(), String> {
    let name = unique(description, &file.to_token_stream().to_string());
    let mut types = Types::default();
    let description = macro_body(description, config, &mut types);
    let (export, visibility) = if cross_crate {
        (quote!(#[macro_export]), quote!(pub))
    } else {
        (quote!(), quote!(pub(crate)))
    };
    let entry = format_ident!("{ENTRY}");
    let module = client_module(file).ok_or("the client module is gone")?;
    module.push(types.into_module());
    module.push(parse_quote! {
        #[doc(hidden)]
        #[allow(unused_macros)]
        #export
        macro_rules! #name { #description }
    });
    module.push(parse_quote! {
        #[doc(hidden)]
        #[allow(unused_imports)]
        #visibility use #name as #entry;
    });
    Ok(())
}

/// Input:  a service `helloworld.Greeter` with an RPC `SayHello` \
/// Output: `({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => { $($then)*! { { format 2; .. } $($rest)* } };`
///
/// `then` is the macro that wants the description, `module` the caller's path to the client's module,
/// and `rest` whatever the caller wants to find again.
fn macro_body(description: &Description, config: Option<&ServiceConfig>, types: &mut Types) -> TokenStream {
    let Description {
        name,
        client,
        docs,
        rpcs,
    } = description;
    let format = proc_macro2::Literal::usize_unsuffixed(FORMAT);
    let pool = config.map(policy::pool);
    let rpcs = rpcs.iter().map(|entry| {
        let config = config.and_then(|config| config.method(name, &entry.proto_name));
        rpc(entry, config, types)
    });
    quote! {
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)*! {
                {
                    format #format;
                    #(#docs)*
                    service #client #name #pool;
                    #(#rpcs)*
                }
                $($rest)*
            }
        };
    }
}

/// Output: `#[doc = ".."] rpc say_hello "SayHello" unary unknown (request) (response) prost (codec) { config };`
fn rpc(rpc: &Rpc, config: Option<&MethodConfig>, types: &mut Types) -> TokenStream {
    let Rpc {
        ident,
        proto_name,
        attributes,
        ..
    } = rpc;
    let shape = format_ident!("{}", rpc.shape);
    let idempotency = format_ident!("{}", rpc.idempotency);
    let request = types.exported(&rpc.request);
    let response = types.exported(&rpc.response);
    let encoding = format_ident!("{}", rpc.encoding());
    let codec = types.exported_path(&rpc.codec);
    let config = config.map(policy::method);
    quote! {
        #(#attributes)*
        rpc #ident #proto_name #shape #idempotency (#request) (#response) #encoding (#codec) #config;
    }
}

/// The re-exports of a client module, by the path that the module's own code uses.
#[derive(Default)]
struct Types {
    paths: BTreeMap<String, (Path, usize)>,
}

impl Types {
    /// Input:  `super::HelloRequest` \
    /// Output: `$($module)*::__pool::HelloRequest`, and a re-export of `HelloRequest`
    fn exported(&mut self, ty: &Type) -> TokenStream {
        match ty {
            // A single name is `bool` or a number: nothing that can be re-exported, or needs to be.
            Type::Path(ty) if ty.path.get_ident().is_none() => self.exported_path(&ty.path),
            _ => ty.to_token_stream(),
        }
    }

    fn exported_path(&mut self, path: &Path) -> TokenStream {
        let mut bare = path.clone();
        let mut arguments = PathArguments::None;
        if let Some(last) = bare.segments.last_mut() {
            arguments = std::mem::replace(&mut last.arguments, PathArguments::None);
        }
        if let PathArguments::AngleBracketed(list) = &mut arguments {
            for argument in &mut list.args {
                if let GenericArgument::Type(ty) = argument {
                    *ty = Type::Verbatim(self.exported(ty));
                }
            }
        }
        let name = bare.segments.last().map(|segment| segment.ident.clone());
        let place = match self.place(bare) {
            1 => quote!(__pool),
            n => {
                let nested = format_ident!("same_name_{n}");
                quote!(__pool::#nested)
            }
        };
        quote!($($module)*::#place::#name #arguments)
    }

    /// Which of the types of the same name this is: types of other packages may share it.
    fn place(&mut self, path: Path) -> usize {
        let key = path.to_token_stream().to_string();
        if let Some((_, place)) = self.paths.get(&key) {
            return *place;
        }
        let same = |known: &&(Path, usize)| {
            known.0.segments.last().map(|s| &s.ident) == path.segments.last().map(|s| &s.ident)
        };
        let place = self.paths.values().filter(same).count() + 1;
        self.paths.insert(key, (path, place));
        place
    }

    fn into_module(self) -> syn::Item {
        let mut places: BTreeMap<usize, Vec<TokenStream>> = BTreeMap::new();
        for (path, place) in self.paths.into_values() {
            let path = from_below(path, if place == 1 { 1 } else { 2 });
            places.entry(place).or_default().push(quote!(pub use #path;));
        }
        let direct = places.remove(&1).unwrap_or_default();
        let nested = places.into_iter().map(|(place, uses)| {
            let name = format_ident!("same_name_{place}");
            quote!(pub mod #name { #(#uses)* })
        });
        parse_quote! {
            #[doc(hidden)]
            #[allow(deprecated, unreachable_pub, unused_imports)]
            pub mod __pool {
                #(#direct)*
                #(#nested)*
            }
        }
    }
}

/// The path, as it reads `depth` modules further down.
fn from_below(mut path: Path, depth: usize) -> Path {
    let relative =
        path.leading_colon.is_none() && path.segments.first().is_some_and(|segment| segment.ident == "super");
    if relative {
        for _ in 0..depth {
            let up = Ident::new("super", Span::call_site());
            path.segments.insert(0, up.into());
        }
    }
    path
}

/// A name that no other client of the crate has: packages may differ only in where their dots are, and
/// one service may be generated twice, with different settings.
fn unique(description: &Description, source: &str) -> Ident {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    let readable: String = description.name.chars().map(letter).collect();
    let hash = fnv1a(description.name.bytes().chain(source.bytes()));
    format_ident!("{MACRO}_{readable}_{hash:016x}")
}

/// FNV-1a. The standard hasher may change with the compiler, and output that changes without a reason
/// makes cargo build everything anew.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
