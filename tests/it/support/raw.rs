//! A client that writes and reads single frames, for what even `h2` does by itself.

use tests::wire::{HEAD_LEN, Head, PREFACE, flag, kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection on which nothing happens by itself.
pub(super) struct Raw(TcpStream);

impl Raw {
    /// Connects and sends preface and SETTINGS.
    pub(super) async fn connect(address: std::net::SocketAddr) -> Self {
        let mut raw = Self(TcpStream::connect(address).await.unwrap());
        raw.0.write_all(PREFACE).await.unwrap();
        raw.send(kind::SETTINGS, 0, 0, &[]).await;
        raw
    }

    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let head = Head {
            len: payload.len(),
            kind,
            flags,
            stream,
        };
        self.0.write_all(&head.bytes()).await.unwrap();
        self.0.write_all(payload).await.unwrap();
    }

    /// Sends a request with this body, on stream 1.
    pub(super) async fn request(&mut self, path: &str, body: &[u8]) {
        // `:method: POST` and `:scheme: http` from the static table, `:path` as a literal.
        let path = [&[0x83, 0x86, 0x04, path.len() as u8], path.as_bytes()].concat();
        self.send(kind::HEADERS, flag::END_HEADERS, 1, &path).await;
        self.send(kind::DATA, flag::END_STREAM, 1, body).await;
    }

    /// The next frame.
    pub(super) async fn read(&mut self) -> (Head, Vec<u8>) {
        let mut head = [0; HEAD_LEN];
        self.0.read_exact(&mut head).await.unwrap();
        let head = Head::parse(&head);
        let mut payload = vec![0; head.len];
        self.0.read_exact(&mut payload).await.unwrap();
        (head, payload)
    }
}
