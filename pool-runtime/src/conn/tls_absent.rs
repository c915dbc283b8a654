//! In place of `tls`, where no cargo feature asks for TLS: types without values, so that the way of a
//! dial is written once.

use super::error::{BoxError, InvalidDial};
use super::io::Stream;
use crate::Target;

/// There is no way to configure TLS.
#[derive(Debug)]
pub(crate) enum TlsConfig {}

/// There is no TLS to speak.
#[derive(Debug)]
pub(crate) enum TlsClient {}

impl TlsClient {
    pub(crate) fn for_target(target: &Target, config: Option<TlsConfig>) -> Result<Option<Self>, InvalidDial> {
        match config {
            Some(config) => match config {},
            None if target.is_https() => Err(InvalidDial::new(
                "target",
                "https needs TLS, which pool-runtime has with its feature `tls-ring` or `tls-aws-lc` \
                 (and `tls-native-roots` or `tls-webpki-roots` to trust public servers)",
            )),
            None => Ok(None),
        }
    }

    pub(crate) async fn handshake(&self, _: Stream) -> Result<Stream, BoxError> {
        match *self {}
    }

    pub(crate) fn explain_refusal(&self, _: BoxError) -> BoxError {
        match *self {}
    }
}
