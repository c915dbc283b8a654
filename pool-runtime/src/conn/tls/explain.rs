//! Failures of TLS, explained in terms of the user's settings.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage, SignatureScheme};

use crate::conn::error::{BoxError, explained};

/// How many names of a certificate an error shows.
const NAMES_SHOWN: usize = 5;

/// Chooses the client's certificate as the configuration has it, and remembers that the server asked for one.
///
/// With TLS 1.3 a refusal comes after the handshake, and may be lost when the server closes the connection. That it
/// asked is the rest of the evidence.
#[derive(Debug)]
pub(super) struct ClientCertificate {
    resolver: Arc<dyn ResolvesClientCert>,
    asked_for: AtomicBool,
    shown: AtomicBool,
}

impl ClientCertificate {
    pub(super) fn new(resolver: Arc<dyn ResolvesClientCert>) -> Self {
        Self {
            resolver,
            asked_for: AtomicBool::new(false),
            shown: AtomicBool::new(false),
        }
    }

    /// The next handshake may show a certificate, or an earlier one did.
    pub(super) fn is_in_use(&self) -> bool {
        self.has_certs() || self.shown.load(Relaxed)
    }

    fn explanation(&self, alert: Option<AlertDescription>) -> Option<String> {
        let asked_for = self.asked_for.load(Relaxed);
        let refusal = match alert {
            Some(alert) => refusal(alert, asked_for)?,
            None if asked_for => "it ended the connection after that",
            None => return None,
        };
        Some(match self.has_certs() {
            false => format!("the server asks for a client certificate ({refusal}): set `TlsConfig::identity`"),
            true => format!(
                "the server may not accept the client certificate ({refusal}): check `TlsConfig::identity`, \
                 or the resolver of `TlsConfig::rustls_config`"
            ),
        })
    }
}

impl ResolvesClientCert for ClientCertificate {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked_for.store(true, Relaxed);
        let certificate = self.resolver.resolve(authorities, schemes);
        self.shown.fetch_or(certificate.is_some(), Relaxed);
        certificate
    }

    fn only_raw_public_keys(&self) -> bool {
        self.resolver.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}

/// Explains the failure of a handshake.
pub(super) fn handshake(error: io::Error, client: &ClientCertificate) -> BoxError {
    let explanation = match find(&error) {
        Some(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => Some("the peer does not speak TLS: if it is to be without, the target must start with http://".into()),
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            Some("the server does not speak HTTP/2 (it refused ALPN `h2`)".into())
        }
        Some(rustls::Error::AlertReceived(alert)) => client.explanation(Some(*alert)),
        Some(rustls::Error::InvalidCertificate(problem)) => server_certificate(problem),
        Some(_) => None,
        None if error.kind() == io::ErrorKind::UnexpectedEof => client
            .explanation(None)
            .or_else(|| Some("the peer closed the connection: it may not speak TLS".into())),
        None => client.explanation(None),
    };
    match explanation {
        Some(explanation) => explained(explanation, error),
        None => error.into(),
    }
}

/// Explains the end of a connection that came in place of the peer's SETTINGS.
pub(super) fn refusal_after_handshake(error: BoxError, client: &ClientCertificate) -> BoxError {
    let alert = match find(&*error) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    };
    match client.explanation(alert) {
        Some(explanation) => explained(explanation, error),
        None => error,
    }
}

/// The error of rustls that caused `error`.
fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let io = match error.downcast_ref::<h2::Error>() {
        Some(error) => error.get_io()?,
        None => error.downcast_ref::<io::Error>()?,
    };
    io.get_ref()?.downcast_ref()
}

/// The part of an explanation for an alert that is about our certificate.
fn refusal(alert: AlertDescription, asked_for: bool) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => "it got none",
        AlertDescription::UnknownCA => "it does not know its authority",
        AlertDescription::CertificateExpired => "it has expired",
        AlertDescription::CertificateRevoked => "it was revoked",
        AlertDescription::UnsupportedCertificate => "its kind is not supported",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => "it is not accepted",
        AlertDescription::AccessDenied => "access is denied",
        AlertDescription::HandshakeFailure if asked_for => "the handshake failed after that",
        _ => return None,
    })
}

fn server_certificate(problem: &CertificateError) -> Option<String> {
    let set_name = "set `TlsConfig::domain_name` to a name that it is for";
    Some(match problem {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = match &presented[..] {
                [] => "no name".to_owned(),
                names => names[..names.len().min(NAMES_SHOWN)].join(", "),
            };
            format!(
                "the server's certificate is for {names}, not for {}: {set_name}",
                expected.to_str()
            )
        }
        CertificateError::NotValidForName => {
            format!("the server's certificate is for another name: {set_name}")
        }
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the server's certificate expired at {}; the clock here is at {}",
            date(*not_after),
            date(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "the server's certificate is valid from {}; the clock here is at {}",
            date(*not_before),
            date(*time)
        ),
        CertificateError::UnknownIssuer => {
            "the server's certificate is not from a trusted authority: add it with `TlsConfig::ca_certificate`".into()
        }
        _ => return None,
    })
}

/// The date and time of day in UTC, as RFC 3339 writes them.
fn date(time: UnixTime) -> String {
    const DAY: u64 = 86_400;
    let seconds = time.as_secs();
    let (mut year, mut day) = (1970, seconds / DAY);
    // Calendars repeat every 400 years, so that the loop below is bounded by those.
    const CYCLE: u64 = 146_097;
    year += day / CYCLE * 400;
    day %= CYCLE;
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of = |year| if is_leap(year) { 366 } else { 365 };
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute, second) = (seconds % DAY / 3_600, seconds % 3_600 / 60, seconds % 60);
    let mut text = format!("{year}-{month:02}-{:02}", day + 1);
    // Writing to a string does not fail.
    let _ = write!(text, "T{hour:02}:{minute:02}:{second:02}Z");
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_767_225_599, "2025-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, expected) in rows {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            assert_eq!(date(time), expected);
        }
        // No clock is so far off that this does not end.
        date(UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX)));
    }
}
