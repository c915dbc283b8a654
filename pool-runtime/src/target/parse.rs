//! The grammar of a target. Every refusal says what is wrong in words that fit behind "invalid target:".

use std::net::Ipv6Addr;

use http::uri::{Authority, Scheme};

use super::{Place, Target, UNIX_AUTHORITY};

/// The longest host name the DNS can carry.
const MAX_HOST_LEN: usize = 253;

type Parsed<T> = Result<T, String>;

pub(super) fn target(text: &str) -> Parsed<Target> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path);
    }
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.contains(char::is_whitespace) {
        return Err("it contains white space".into());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(without_scheme(text));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "http" => tcp(Scheme::HTTP, 80, rest),
        "https" => tcp(Scheme::HTTPS, 443, rest),
        _ => Err("its scheme is none of http, https and unix".into()),
    }
}

/// The target as an error may show it: without what stands before an `@` (credentials) and without what
/// follows the authority (a query may hold a token).
pub(super) fn redacted(text: &str) -> String {
    if text.starts_with("unix:") {
        return text.to_owned();
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    // The last `@` anywhere, because a password may contain what would end an authority.
    let (mask, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("...@", rest),
        None => ("", rest),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let tail = if rest.len() > end + 1 { "/..." } else { "" };
    format!("{scheme}{mask}{}{tail}", &rest[..end])
}

fn without_scheme(text: &str) -> String {
    match tcp(Scheme::HTTP, 80, text) {
        Ok(_) => format!("it has no scheme (did you mean http://{text}?)"),
        Err(_) => "it has no scheme".into(),
    }
}

fn tcp(scheme: Scheme, default_port: u16, rest: &str) -> Parsed<Target> {
    if rest.contains('@') {
        return Err("it holds credentials, which belong in the metadata of the calls".into());
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // A lone slash is how URLs write the empty path.
    if !matches!(tail, "" | "/") {
        return Err("it has a path, a query or a fragment".into());
    }
    let (host, port) = host_and_port(authority)?;
    let place = Place::Tcp {
        host: host.to_owned(),
        port: port.unwrap_or(default_port),
    };
    let authority = Authority::try_from(authority).map_err(|error| error.to_string())?;
    Ok(Target::new(place, scheme, authority))
}

fn host_and_port(authority: &str) -> Parsed<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err("the bracket of its IPv6 address is not closed".into());
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(format!("`{host}` is not an IPv6 address"));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(self::port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("something other than a port follows its IPv6 address".into()),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            return Err("it has more than one `:` (an IPv6 address needs brackets, as in [::1])".into());
        }
        Some((host, port)) => (host, Some(self::port(port)?)),
        None => (authority, None),
    };
    check_name(host)?;
    Ok((host, port))
}

fn port(text: &str) -> Parsed<u16> {
    // `u16::from_str` alone would take a leading plus.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        _ if text.is_empty() => Err("its port is missing after the `:`".into()),
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(format!("its port `{text}` is not a number from 1 to 65535")),
    }
}

fn check_name(host: &str) -> Parsed<()> {
    if host.is_empty() {
        return Err("its host is empty".into());
    }
    if host.len() > MAX_HOST_LEN {
        return Err(format!("its host is longer than {MAX_HOST_LEN} bytes"));
    }
    // Underscores are no host names to the letter, but container networks are full of them.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match host.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) if c.is_ascii() => Err(format!("its host contains {c:?}")),
        Some(c) => Err(format!(
            "its host contains {c:?} (write international names in punycode, as in xn--bcher-kva)"
        )),
    }
}

fn unix(path: &str) -> Parsed<Target> {
    if !cfg!(unix) {
        return Err("this platform has no unix sockets".into());
    }
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err("`unix://` takes an absolute path, which starts with a third slash".into());
        }
        None => path,
    };
    if path.is_empty() {
        return Err("its path is empty".into());
    }
    if path.contains('\0') {
        return Err("its path contains a NUL".into());
    }
    let path = match path.strip_prefix('@') {
        None => path.to_owned(),
        Some(_) if !cfg!(any(target_os = "linux", target_os = "android")) => {
            return Err("abstract unix sockets exist on Linux only".into());
        }
        Some("") => return Err("the name of its abstract socket is empty".into()),
        Some(name) => format!("\0{name}"),
    };
    let authority = Authority::from_static(UNIX_AUTHORITY);
    Ok(Target::new(Place::Unix(path), Scheme::HTTP, authority))
}
