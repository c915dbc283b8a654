//! gRPC's service config, checked against the services that are compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pool_call_policy::{ConfigError, Name, ServiceConfig, likely_typo, nearest};
use prost_build::Service;

use crate::error::Error;
use crate::generator::full_name;

/// How many names the warning lists.
const LISTED: usize = 3;

/// How to treat names in a service config that no compiled file holds, though their package is compiled.
///
/// gRPC ignores such names: a service's owners keep one file for all clients, and a program may compile a part of a
/// package, or an older state of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownNames {
    /// Each is an error. Right for a config that the program's own team keeps beside the `.proto` files.
    Refuse,
    /// A likely typo is an error: one compiled name alone is so close that one or two letters differ, or only case and
    /// underscores, and, of methods, the config does not name that one as well. All others together are one `cargo:warning`. The default.
    #[default]
    RefuseTypos,
    /// All together are one `cargo:warning`.
    Warn,
}

/// A service config, and the file that it stands in.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    text: String,
    unknown: UnknownNames,
    pub(crate) config: ServiceConfig,
}

/// The methods of the services that are compiled, by the services' full names.
pub(crate) type Compiled = BTreeMap<String, Vec<String>>;

/// Notes a service that is compiled.
pub(crate) fn note(service: &Service, compiled: &mut Compiled) {
    let methods = service.methods.iter().map(|method| method.proto_name.clone());
    compiled.insert(full_name(service), methods.collect());
}

impl Config {
    /// Reads the file.
    pub(crate) fn read(path: &Path, unknown: UnknownNames) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|cause| Error::io(format!("{}: can't be read", path.display()), cause))?;
        let config = ServiceConfig::from_json(&text).map_err(|error| Error::config(mistakes(path, &error)))?;
        Ok(Self {
            path: path.to_owned(),
            text,
            unknown,
            config,
        })
    }

    /// Checks the names against what is compiled: services of the packages, and methods of the services. A team's config
    /// covers services of many packages, and names of other packages are left to others. Returns the warning, if there
    /// is one.
    pub(crate) fn check(&self, compiled: &Compiled) -> Result<Option<String>, Error> {
        let names = self.config.names();
        let mut mistakes = Vec::new();
        let mut ignored = Vec::new();
        for name in names {
            let Some(unknown) = Unknown::of(name, compiled) else {
                continue;
            };
            let meant = unknown.typo(names);
            let refused = match self.unknown {
                UnknownNames::Refuse => true,
                UnknownNames::RefuseTypos => meant.is_some(),
                UnknownNames::Warn => false,
            };
            if refused {
                let problem = unknown.problem(meant);
                mistakes.push(format!("{}: {}: {problem}", self.place(name), name.path));
            } else {
                ignored.push(name);
            }
        }
        match mistakes.is_empty() {
            true => Ok(self.warning(&ignored)),
            false => Err(Error::config(mistakes)),
        }
    }

    /// One line, however many names there are.
    fn warning(&self, ignored: &[&Name]) -> Option<String> {
        let first = ignored.first()?;
        let listed: Vec<String> = ignored.iter().take(LISTED).map(|name| full(name)).collect();
        let (verb, subject) = match ignored.len() {
            1 => ("is", "1 name".to_owned()),
            n => ("are", format!("{n} names")),
        };
        let more = match ignored.len().saturating_sub(LISTED) {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        Some(format!(
            "{}: {subject} {verb} ignored, because no compiled .proto has `{}`{more}",
            self.place(first),
            listed.join("`, `")
        ))
    }

    /// `service_config.json:3:14`
    fn place(&self, name: &Name) -> String {
        let (line, column) = ServiceConfig::place(&self.text, &name.path);
        format!("{}:{line}:{column}", self.path.display())
    }
}

/// A name that no compiled file holds, though its package or its service is compiled.
struct Unknown<'a> {
    name: &'a Name,
    service: &'a str,
    /// The method is unknown; else the service is.
    is_method: bool,
    /// The method, or the service without its package.
    wrong: &'a str,
    /// The methods of the service, or the services of the package.
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn of(name: &'a Name, compiled: &'a Compiled) -> Option<Self> {
        let service = name.service.as_deref()?;
        if let Some(methods) = compiled.get(service) {
            let wrong = name.method.as_deref()?;
            let known: Vec<&str> = methods.iter().map(String::as_str).collect();
            return (!known.contains(&wrong)).then_some(Self {
                name,
                service,
                is_method: true,
                wrong,
                known,
            });
        }
        let (package, wrong) = split(service);
        let services = compiled.keys().map(|known| split(known));
        let known: Vec<&str> = services
            .filter(|(known, _)| *known == package)
            .map(|(_, name)| name)
            .collect();
        (!known.is_empty()).then_some(Self {
            name,
            service,
            is_method: false,
            wrong,
            known,
        })
    }

    /// The name that was meant, if a typo is likely. A method that the config has as well was not meant; a service stands
    /// there once for each of its methods.
    fn typo(&self, names: &[Name]) -> Option<&'a str> {
        let meant = likely_typo(self.wrong, self.known.iter().copied())?;
        let is_named = |name: &Name| name.service == self.name.service && name.method.as_deref() == Some(meant);
        (!self.is_method || !names.iter().any(is_named)).then_some(meant)
    }

    fn problem(&self, meant: Option<&str>) -> String {
        let Self { service, wrong, .. } = self;
        let what = match self.is_method {
            true => format!("`{service}` has no method `{wrong}`"),
            false => format!("there is no service `{service}`"),
        };
        let full = |known: &str| match (self.is_method, split(service).0) {
            (true, _) | (false, "") => known.to_owned(),
            (false, package) => format!("{package}.{known}"),
        };
        let known = self.known.iter().copied();
        match meant.or_else(|| nearest(wrong, known.clone())) {
            Some(meant) => format!("{what}, did you mean `{}`?", full(meant)),
            None if self.known.is_empty() => format!("{what}; it has none at all"),
            None => {
                let known: Vec<String> = known.map(full).collect();
                format!("{what}; there is `{}`", known.join("`, `"))
            }
        }
    }
}

/// `a.b.Service/Method`
fn full(name: &Name) -> String {
    let service = name.service.as_deref().unwrap_or_default();
    match &name.method {
        Some(method) => format!("{service}/{method}"),
        None => service.to_owned(),
    }
}

/// `a.b` and `Service` of `a.b.Service`
fn split(service: &str) -> (&str, &str) {
    service.rsplit_once('.').unwrap_or(("", service))
}

/// The mistakes with their places, in the form that editors and terminals make clickable.
fn mistakes(path: &Path, error: &ConfigError) -> Vec<String> {
    let mistake = |mistake: &pool_call_policy::Mistake| {
        let (line, column) = mistake.line_and_column();
        let text = match mistake.path() {
            Some(_) => mistake.to_string(),
            None => mistake.problem().to_owned(),
        };
        format!("{}:{line}:{column}: {text}", path.display())
    };
    error.mistakes().iter().map(mistake).collect()
}
