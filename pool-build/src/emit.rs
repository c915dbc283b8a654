//! The description of a service as Rust source, added to its client module.
//!
//! Two things are added, both hidden from the documentation. Their names differ from service to service, so that
//! somebody can re-export the contents of two client modules into one:
//!
//! - a module that re-exports the types of the RPCs. The user's crate may have no path of its own
//!   to them (it need not depend on prost-types, and `super::` means something else there), and a
//!   re-export, unlike an alias, shows up in rustdoc and editors as the type it is.
//! - a `macro_rules!` that passes the list of RPCs on. Its crate-wide name is made unique with a hash; in the module it
//!   has the name of the client. A macro and a type may share a name, and who imports the one imports the other, so the
//!   attribute finds the description wherever it finds the client.

use std::collections::BTreeMap;

use pool_call_policy::{MethodConfig, ServiceConfig};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{File, GenericArgument, Path, PathArguments, Type, parse_quote};

use crate::policy;
use crate::service::{Description, Rpc, client_module};

/// The version of the description's form; `pool-macros` knows which it can read.
const FORMAT: usize = 3;

/// The module of types, with the client module's name behind it. If a path leads to a re-export of the client, rustc
/// says that it can't find this name there: so the name is the remedy.
const TYPES: &str = "__the_path_goes_through_";

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
    let client = &description.client;
    let types_module = format_ident!("{TYPES}{}", description.module);
    let description = macro_body(description, &types_module, config, &mut types);
    let (export, visibility) = if cross_crate {
        (quote!(#[macro_export]), quote!(pub))
    } else {
        (quote!(), quote!(pub(crate)))
    };
    let module = client_module(file).ok_or("the client module is gone")?;
    module.push(types.into_module(&types_module));
    module.push(parse_quote! {
        #[doc(hidden)]
        #[allow(unused_macros)]
        #export
        macro_rules! #name { #description }
    });
    module.push(parse_quote! {
        #[doc(hidden)]
        #[allow(unused_imports)]
        #visibility use #name as #client;
    });
    Ok(())
}

/// Input:  a service `helloworld.Greeter` with an RPC `SayHello` \
/// Output: `($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => { $($then)*! { { format 3; .. } $($rest)* } };`
///
/// `missing` is the macro for clients without a description, `then` the one that wants it, and `rest` whatever the caller wants to find again. The types stand in
/// a module that the caller knows as `__types`.
fn macro_body(
    description: &Description,
    types_module: &Ident,
    config: Option<&ServiceConfig>,
    types: &mut Types,
) -> TokenStream {
    let Description {
        name,
        client,
        docs,
        rpcs,
        ..
    } = description;
    let format = proc_macro2::Literal::usize_unsuffixed(FORMAT);
    let pool = config.map(policy::pool);
    let rpcs = rpcs.iter().map(|entry| {
        let config = config.and_then(|config| config.method(name, &entry.proto_name));
        rpc(entry, config, types)
    });
    quote! {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)*! {
                {
                    format #format;
                    #(#docs)*
                    service #client #types_module #name #pool;
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
    /// Modules of the user's crate.
    in_crate: BTreeMap<String, (Path, usize)>,
}

impl Types {
    /// Input:  `super::HelloRequest` \
    /// Output: `__types::HelloRequest`, and a re-export of `HelloRequest`
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
        if let Some(place) = self.place_in_crate(&bare) {
            let nested = in_crate(place);
            return quote!(__types::#nested::#name #arguments);
        }
        match self.place(bare) {
            1 => quote!(__types::#name #arguments),
            n => {
                let nested = format_ident!("same_name_{n}");
                quote!(__types::#nested::#name #arguments)
            }
        }
    }

    /// Which of the modules of the user's crate a type is in, if it is in one: `extern_path` and `codec_path` may lead
    /// there. Such a type may be `pub(crate)`, and a glob takes it as it is where `pub use` would be an error.
    fn place_in_crate(&mut self, path: &Path) -> Option<usize> {
        let in_crate = path.leading_colon.is_none() && path.segments.first()?.ident == "crate";
        if !in_crate || path.segments.len() < 2 {
            return None;
        }
        let mut module = path.clone();
        module.segments.pop();
        module.segments.pop_punct();
        let key = module.to_token_stream().to_string();
        let next = self.in_crate.len() + 1;
        Some(self.in_crate.entry(key).or_insert((module, next)).1)
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

    fn into_module(self, name: &Ident) -> syn::Item {
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
        let mut in_crate_modules: Vec<(Path, usize)> = self.in_crate.into_values().collect();
        in_crate_modules.sort_by_key(|(_, place)| *place);
        let globs = in_crate_modules.into_iter().map(|(module, place)| {
            let name = in_crate(place);
            quote!(pub mod #name { pub use #module::*; })
        });
        parse_quote! {
            #[doc(hidden)]
            #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
            pub mod #name {
                #(#direct)*
                #(#nested)*
                #(#globs)*
            }
        }
    }
}

fn in_crate(place: usize) -> Ident {
    format_ident!("in_crate_{place}")
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
