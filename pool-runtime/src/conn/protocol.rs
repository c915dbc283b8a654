//! Which protocol a peer speaks that does not speak HTTP/2, by the first bytes that it sent.

use std::fmt::Write as _;

/// How many bytes are kept: a status line, the headers after it, and the beginning of the text that names HTTPS.
pub(super) const KEPT: usize = 512;

/// How many of them an error shows.
const SHOWN: usize = 60;

/// How many of them are shown if they are no text.
const SHOWN_BINARY: usize = 16;

/// A frame's head (RFC 9113, 4.1).
const FRAME_HEAD: usize = 9;

/// The frame types of RFC 9113 and the extensions that servers send end below this.
const FRAME_TYPES: u8 = 0x11;

/// Explains the first bytes of a peer, and names the remedy; `None` if there are none, or if they may be HTTP/2.
pub(crate) fn explain(first: &[u8]) -> Option<String> {
    if first.is_empty() || may_be_http2(first) {
        return None;
    }
    if is_tls(first) {
        return Some("the peer speaks TLS: the target must start with https://".into());
    }
    let Some(line) = first_line(first) else {
        return Some(format!(
            "the peer does not speak HTTP/2: its first bytes are {}; check host and port",
            hex(first)
        ));
    };
    if first.starts_with(b"PRI * HTTP/2") {
        return Some("the peer is an HTTP/2 client, not a server; check host and port".into());
    }
    if !first.starts_with(b"HTTP/") {
        let known = well_known(first);
        return Some(format!(
            "the peer{known} does not speak HTTP/2: it sent `{line}`; check host and port"
        ));
    }
    let remedy = match names_https(first) {
        true => "the port expects TLS: the target must start with https://",
        false => "gRPC needs a server that speaks HTTP/2 on this port, and proxies in between that pass it on",
    };
    Some(format!(
        "the peer answered with HTTP/1, not with HTTP/2 (`{line}`): {remedy}"
    ))
}

/// The first frame of a server is SETTINGS; for others h2's error is better. All have a length
/// below 64 KiB and a known type.
fn may_be_http2(first: &[u8]) -> bool {
    let is_short = first[0] == 0;
    is_short && first.get(3).is_none_or(|kind| *kind < FRAME_TYPES) && (first.len() < FRAME_HEAD || first[5] < 0x80)
}

/// A record (RFC 8446, 5.1): its type, and the version of all TLS, which begins with 3.
fn is_tls(first: &[u8]) -> bool {
    (0x14..=0x18).contains(&first[0]) && first.get(1).is_none_or(|version| *version == 3)
}

fn well_known(first: &[u8]) -> &'static str {
    let banners: [(&[u8], &str); 6] = [
        (b"SSH-", " is an SSH server, and"),
        (b"220", " looks like a mail or FTP server, and"),
        (b"+OK", " looks like a POP3 server, and"),
        (b"* OK", " looks like an IMAP server, and"),
        (b"-ERR", " looks like a Redis server, and"),
        (b"RFB ", " is a VNC server, and"),
    ];
    let banner = banners.into_iter().find(|(banner, _)| first.starts_with(banner));
    banner.map_or("", |(_, name)| name)
}

/// Go, nginx, Apache and others answer so to a request without TLS.
fn names_https(first: &[u8]) -> bool {
    let text = String::from_utf8_lossy(first).to_ascii_lowercase();
    ["https", "ssl", "tls"].into_iter().any(|name| text.contains(name))
}

/// The first line, if it is text; cut off at [`SHOWN`] characters.
fn first_line(first: &[u8]) -> Option<String> {
    let end = first.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let line = &first[..end.unwrap_or(first.len())];
    // A line that is not whole yet may end within a character.
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&line[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return None;
    }
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Some(format!("{}...", &text[..end])),
        None => Some(text.to_owned()),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().take(SHOWN_BINARY).enumerate() {
        let between = if index == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(text, "{between}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_show_the_protocol() {
        let long = format!("HTTP/1.1 400 {}\r\n", "x".repeat(100));
        let rows: [(&[u8], &str); 18] = [
            // first bytes, parts of the explanation
            (&[0x15, 3, 1, 0, 2, 2, 0x46], "speaks TLS|https://"),
            (&[0x16, 3, 3, 0, 122, 2], "speaks TLS|https://"),
            (&[0x15], "speaks TLS|https://"),
            (
                b"HTTP/1.1 400 Bad Request\r\n\r\n",
                "HTTP/1, not with HTTP/2|`HTTP/1.1 400 Bad Request`",
            ),
            (b"HTTP/1.0 505", "`HTTP/1.0 505`|HTTP/2 on this port"),
            (
                b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
                "the port expects TLS|https://",
            ),
            (long.as_bytes(), "xxx...`"),
            (
                b"SSH-2.0-OpenSSH_9.6\r\n",
                "is an SSH server|`SSH-2.0-OpenSSH_9.6`|host and port",
            ),
            (b"220 mail.example ESMTP\r\n", "mail or FTP|`220 mail.example ESMTP`"),
            (b"-ERR unknown command\r\n", "Redis"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 client, not a server"),
            (b"<html>", "does not speak HTTP/2: it sent `<html>`"),
            ("grüß".as_bytes(), "`grüß`"),
            (&"grüß".as_bytes()[..3], "`gr`"),
            (b"J\0\0\0\x0a8.0.36\0", "its first bytes are 4a 00 00 00 0a 38"),
            (&[0xff; 100], "ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff;"),
            (b"\r\n", "its first bytes are 0d 0a"),
            (b"    ", "its first bytes are 20 20 20 20"),
        ];
        for (first, parts) in rows {
            let text = explain(first).unwrap_or_default();
            assert!(text.len() < 250, "{text}");
            for part in parts.split('|') {
                assert!(text.contains(part), "{first:?}: {text}");
            }
        }
    }

    #[test]
    fn http2_is_left_to_h2() {
        let rows: [&[u8]; 6] = [
            &[],
            &[0],
            &[0, 0, 6, 4],
            &[0, 0, 0, 4, 0, 0, 0, 0, 0],
            // PING and GOAWAY in place of SETTINGS.
            &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ];
        for first in rows {
            assert_eq!(explain(first), None, "{first:?}");
        }
    }
}
