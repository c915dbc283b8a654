//! tonic-prost-build's service generator, with a description of the service added to each client.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use prost_build::{Service, ServiceGenerator};

use crate::config::{self, Compiled, Config};
use crate::{emit, service};

/// What an RPC of tonic's client must not be called: tonic gives these names to its own functions.
const TAKEN: &[&str] = &[
    "new",
    "connect",
    "with_origin",
    "with_interceptor",
    "send_compressed",
    "accept_compressed",
    "max_decoding_message_size",
    "max_encoding_message_size",
];

/// The Rust types that the well-known types become and that are not paths: those that
/// tonic-prost-build knows without being told, and all of them.
const UNIT: &[&str] = &["()"];
const NOT_PATHS: &[&str] = &["()", "bool", "i32", "i64", "u32", "u64", "f32", "f64"];

/// What was found so far. prost-build's trait gives a generator no way to return anything.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) mistakes: Vec<String>,
    pub(crate) compiled: Compiled,
}

/// Generates what tonic-prost-build generates, and the descriptions.
pub(crate) struct Generator {
    // Two generators, because names that clash are changed for the client alone: a server's trait has
    // no functions of its own.
    client: Box<dyn ServiceGenerator>,
    server: Box<dyn ServiceGenerator>,
    cross_crate: bool,
    config: Option<Rc<Config>>,
    found: Rc<RefCell<Found>>,
}

impl Generator {
    pub(crate) fn new(
        tonic: &tonic_prost_build::Builder,
        cross_crate: bool,
        config: Option<Rc<Config>>,
    ) -> (Self, Rc<RefCell<Found>>) {
        let found = Rc::default();
        let generator = Self {
            client: tonic.clone().build_server(false).service_generator(),
            server: tonic.clone().build_client(false).service_generator(),
            cross_crate,
            config,
            found: Rc::clone(&found),
        };
        (generator, found)
    }

    /// The client, as tonic writes it, with its description.
    fn client(&mut self, service: &Service) -> Result<String, String> {
        let mut source = String::new();
        self.client.generate(without_clashes(service), &mut source);
        if source.is_empty() {
            return Ok(source);
        }
        let mut file =
            syn::parse_file(&source).map_err(|error| format!("the client of {}: {error}", full_name(service)))?;
        let description = service::describe(service, &without_clashes(service), &mut file)?;
        let config = self.config.as_deref().map(|config| &config.config);
        emit::describe(&mut file, &description, config, self.cross_crate)?;
        Ok(prettyplease::unparse(&file))
    }
}

impl ServiceGenerator for Generator {
    fn generate(&mut self, service: Service, buf: &mut String) {
        config::note(&service, &mut self.found.borrow_mut().compiled);
        if let Some(mistake) = same_names(&service) {
            self.found.borrow_mut().mistakes.push(mistake);
            return;
        }
        // tonic-prost-build must take `bool` and the numbers for types, not for names in a module. Its
        // own setting does nothing when it compiles descriptors.
        tonic_prost_build::NON_PATH_TYPE_ALLOWLIST.set(not_paths(&service));
        match self.client(&service) {
            Ok(source) => buf.push_str(&source),
            Err(mistake) => self.found.borrow_mut().mistakes.push(mistake),
        }
        self.server.generate(service, buf);
    }

    fn finalize(&mut self, buf: &mut String) {
        self.client.finalize(buf);
        self.server.finalize(buf);
    }

    fn finalize_package(&mut self, package: &str, buf: &mut String) {
        self.client.finalize_package(package, buf);
        self.server.finalize_package(package, buf);
    }
}

/// `package.Service`, as it stands in the path of a call.
pub(crate) fn full_name(service: &Service) -> String {
    if service.package.is_empty() {
        service.proto_name.clone()
    } else {
        format!("{}.{}", service.package, service.proto_name)
    }
}

/// The service with an underscore after each RPC that tonic's client has another use for.
fn without_clashes(service: &Service) -> Service {
    let mut service = service.clone();
    for method in &mut service.methods {
        if TAKEN.contains(&method.name.as_str()) {
            method.name.push('_');
        }
    }
    service
}

/// The list that tonic-prost-build compares the ends of types with. Since a message may be called
/// `Pointf32`, the numbers are only in it for services that have need of them.
fn not_paths(service: &Service) -> &'static [&'static str] {
    let mut methods = service.methods.iter();
    let needed = methods.any(|method| {
        let types = [&method.input_type, &method.output_type];
        types.into_iter().any(|ty| NOT_PATHS[1..].contains(&ty.as_str()))
    });
    if needed { NOT_PATHS } else { UNIT }
}

/// protobuf tells `GetFoo` and `Get_foo` apart, Rust's method names do not.
fn same_names(service: &Service) -> Option<String> {
    let renamed = without_clashes(service);
    let mut seen = HashMap::new();
    for method in &renamed.methods {
        if let Some(other) = seen.insert(&method.name, &method.proto_name) {
            return Some(format!(
                "{}: the RPCs `{other}` and `{}` would both be `{}` in Rust; rename one of them",
                full_name(service),
                method.proto_name,
                method.name
            ));
        }
    }
    None
}
