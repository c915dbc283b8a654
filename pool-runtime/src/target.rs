//! Where a pool connects to: parsed once, so that nothing later has to handle a bad address.
//!
//! A target is a scheme and a place, and no more. A path would be ignored (a gRPC path names the RPC),
//! and credentials would end up in logs, so both are refused instead of dropped. What is left can be
//! printed anywhere.

mod parse;

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use http::uri::{Authority, Scheme};

/// What requests over a unix socket carry as `:authority`: there is no host name to put there.
const UNIX_AUTHORITY: &str = "localhost";

/// The place a pool connects to.
///
/// | written as | means |
/// |---|---|
/// | `http://host:port` | plain HTTP/2 over TCP; without a port, 80 |
/// | `https://host:port` | HTTP/2 over TLS; without a port, 443 |
/// | `unix:/path`, `unix:///path` | a unix socket |
/// | `unix:@name` | a Linux socket in the abstract namespace |
///
/// The host is a name, an IPv4 address or an IPv6 address in brackets. A name is resolved anew for every
/// connection that is opened.
///
/// ```
/// use pool_runtime::Target;
///
/// let target: Target = "http://[::1]:50051".parse()?;
/// assert_eq!(target.host(), Some("::1"));
/// assert_eq!(target.port(), Some(50051));
///
/// let problem = "localhost:50051".parse::<Target>().unwrap_err();
/// assert!(problem.to_string().contains("http://localhost:50051"));
/// # Ok::<(), pool_runtime::InvalidTarget>(())
/// ```
///
/// Clones are cheap: they share one allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Target(Arc<Parts>);

#[derive(PartialEq, Eq, Hash)]
struct Parts {
    place: Place,
    scheme: Scheme,
    authority: Authority,
}

/// What to open a socket to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `host` is without the brackets of an IPv6 address.
    Tcp { host: String, port: u16 },
    /// A path, or a NUL and a name of the abstract namespace, which is how tokio takes them.
    Unix(String),
}

impl Target {
    /// `http` or `https`; what a request to this target carries as `:scheme`.
    pub fn scheme(&self) -> &str {
        self.0.scheme.as_str()
    }

    /// Whether TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.0.scheme == Scheme::HTTPS
    }

    /// What a request to this target carries as `:authority`: host and port as they were written, and
    /// `localhost` for a unix socket.
    pub fn authority(&self) -> &str {
        self.0.authority.as_str()
    }

    /// The host, without the brackets of an IPv6 address; `None` for a unix socket.
    pub fn host(&self) -> Option<&str> {
        match self.place() {
            Place::Tcp { host, .. } => Some(host),
            Place::Unix(_) => None,
        }
    }

    /// The port, which is 80 or 443 where none was written; `None` for a unix socket.
    pub fn port(&self) -> Option<u16> {
        match self.place() {
            Place::Tcp { port, .. } => Some(*port),
            Place::Unix(_) => None,
        }
    }

    /// The path of a unix socket; `None` for the other targets. A name of the abstract namespace comes
    /// with a leading NUL, as `tokio::net::UnixStream::connect` wants it.
    pub fn unix_path(&self) -> Option<&Path> {
        match self.place() {
            Place::Tcp { .. } => None,
            Place::Unix(path) => Some(Path::new(path)),
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// The scheme and the authority in the form in which a request takes them; cloning them is cheap.
    pub(crate) fn origin(&self) -> (&Scheme, &Authority) {
        (&self.0.scheme, &self.0.authority)
    }

    fn new(place: Place, scheme: Scheme, authority: Authority) -> Self {
        Self(Arc::new(Parts {
            place,
            scheme,
            authority,
        }))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::Tcp { host, port } if host.contains(':') => {
                write!(f, "{}://[{host}]:{port}", self.scheme())
            }
            Place::Tcp { host, port } => write!(f, "{}://{host}:{port}", self.scheme()),
            Place::Unix(path) => match path.strip_prefix('\0') {
                Some(name) => write!(f, "unix:@{name}"),
                // What begins with two slashes is taken for the longer form, so this is the longer form.
                None if path.starts_with("//") => write!(f, "unix://{path}"),
                None => write!(f, "unix:{path}"),
            },
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.to_string()).finish()
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        parse::target(text).map_err(|problem| InvalidTarget {
            target: parse::redacted(text),
            problem,
        })
    }
}

impl TryFrom<&str> for Target {
    type Error = InvalidTarget;

    fn try_from(text: &str) -> Result<Self, InvalidTarget> {
        text.parse()
    }
}

impl TryFrom<String> for Target {
    type Error = InvalidTarget;

    fn try_from(text: String) -> Result<Self, InvalidTarget> {
        text.parse()
    }
}

/// Why a text is not a [`Target`].
///
/// Its text names the problem and shows the target without the credentials that may have stood in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTarget {
    target: String,
    problem: String,
}

impl fmt::Display for InvalidTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid target `{}`: {}; a target looks like http://host:port, https://host:port or unix:/path",
            self.target, self.problem
        )
    }
}

impl std::error::Error for InvalidTarget {}

/// So that an `impl TryInto<Target>` may be a [`Target`] already, too.
impl From<Infallible> for InvalidTarget {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests;
