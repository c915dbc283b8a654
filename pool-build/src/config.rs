//! gRPC's service config, checked against the services that are compiled.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pool_call_policy::{ConfigError, Name, ServiceConfig, nearest};
use prost_build::Service;

use crate::error::Error;
use crate::generator::full_name;

/// A service config, and the file that it stands in.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
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
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|cause| Error::io(format!("{}: can't be read", path.display()), cause))?;
        let config = ServiceConfig::from_json(&text).map_err(|error| Error::config([place(path, &error)]))?;
        Ok(Self {
            path: path.to_owned(),
            config,
        })
    }

    /// Refuses names that nothing has, where it can be told: methods of the services that are compiled, and services
    /// of their packages. A team's config covers services of many packages, and those of others are left to others.
    pub(crate) fn check(&self, compiled: &Compiled) -> Result<(), Error> {
        let unknown = |name: &Name| {
            let problem = problem(name, compiled)?;
            Some(format!("{}: {}: {problem}", self.path.display(), name.path))
        };
        let mistakes: Vec<String> = self.config.names().iter().filter_map(unknown).collect();
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(Error::config(mistakes)),
        }
    }
}

fn problem(name: &Name, compiled: &Compiled) -> Option<String> {
    let service = name.service.as_deref()?;
    let Some(methods) = compiled.get(service) else {
        let mut packages = compiled.keys().map(|known| package(known));
        return packages.any(|known| known == package(service)).then(|| {
            let services = compiled.keys().map(String::as_str);
            format!("there is no service `{service}`{}", hint(service, services))
        });
    };
    let method = name.method.as_ref()?;
    if methods.contains(method) {
        return None;
    }
    let hint = hint(method, methods.iter().map(String::as_str));
    Some(format!("`{service}` has no method `{method}`{hint}"))
}

fn hint<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(wrong, known.clone()) {
        Some(meant) => format!(", did you mean `{meant}`?"),
        None => format!("; there is `{}`", known.collect::<Vec<_>>().join("`, `")),
    }
}

/// `a.b` of `a.b.Service`
fn package(service: &str) -> &str {
    service.rsplit_once('.').map_or("", |(package, _)| package)
}

/// The error with its place, in the form that editors and terminals make clickable.
fn place(path: &Path, error: &ConfigError) -> String {
    let file = path.display();
    match error.line_and_column() {
        Some((line, column)) => format!("{file}:{line}:{column}: {}", error.problem()),
        None => format!("{file}: {error}"),
    }
}
