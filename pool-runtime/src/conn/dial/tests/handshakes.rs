//! Attempts end with the peer's SETTINGS: peers that take the TCP connection and do not get that far. The servers are
//! h2's own; loopback has a second address on Linux only.
#![cfg(target_os = "linux")]

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;

/// The behaviour of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// Speaks HTTP/2 and answers each request, on as many streams as this.
    Serves(u32),
    Closes,
    /// Closes after the HTTP/2 handshake.
    Leaves,
    /// Sends GOAWAY after it, and waits for the client to close.
    SendsAway,
    Silent,
    /// Sends this, and waits for the client to close.
    Sends(&'static [u8]),
}
use Peer::{Closes, Leaves, Sends, SendsAway, Serves, Silent};

/// Peers at the addresses 127.0.0.1, 127.0.0.2 and so on, at one port.
pub(crate) struct Peers {
    pub(crate) addresses: Vec<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Peers {
    pub(crate) async fn start(peers: &[Peer]) -> Self {
        // Another process may have the port at one of the addresses.
        'ports: for _ in 0..20 {
            let mut listeners = vec![TcpListener::bind("127.0.0.1:0").await.unwrap()];
            let port = listeners[0].local_addr().unwrap().port();
            for host in 2..=peers.len() {
                match TcpListener::bind(format!("127.0.0.{host}:{port}")).await {
                    Ok(listener) => listeners.push(listener),
                    Err(_) => continue 'ports,
                }
            }
            return Self {
                addresses: listeners.iter().map(|l| l.local_addr().unwrap()).collect(),
                tasks: listeners
                    .into_iter()
                    .zip(peers)
                    .map(|(listener, peer)| tokio::spawn(accept(listener, *peer)))
                    .collect(),
            };
        }
        panic!("no port is free at all addresses");
    }

    fn dialer(&self) -> Dialer {
        dialer_of(&self.addresses)
    }
}

async fn accept(listener: TcpListener, peer: Peer) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(run(stream, peer));
    }
}

async fn run(mut stream: TcpStream, peer: Peer) {
    match peer {
        Serves(limit) => {
            let mut server = h2::server::Builder::new();
            let handshake = server
                .max_concurrent_streams(limit)
                .handshake::<_, bytes::Bytes>(stream);
            let Ok(mut server) = handshake.await else { return };
            while server.accept().await.is_some() {}
        }
        Closes => {}
        Leaves => {
            until_ready(&mut stream).await;
            let _ = stream.shutdown().await;
            read_to_end(stream).await;
        }
        SendsAway => {
            until_ready(&mut stream).await;
            const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let _ = stream.write_all(&GOAWAY).await;
            read_to_end(stream).await;
        }
        Silent => read_to_end(stream).await,
        Sends(bytes) => {
            let _ = stream.write_all(bytes).await;
            read_to_end(stream).await;
        }
    }
}

/// Sends SETTINGS, and waits for the client to acknowledge them.
async fn until_ready(stream: &mut TcpStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACK: [u8; 9] = [0, 0, 0, 4, 1, 0, 0, 0, 0];
    let _ = stream.write_all(&[SETTINGS, ACK].concat()).await;
    let mut read = Vec::new();
    while !read.ends_with(&ACK) && stream.read_buf(&mut read).await.is_ok_and(|n| n > 0) {}
}

async fn read_to_end(mut stream: TcpStream) {
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

async fn open(dialer: &Dialer) -> Result<Opened, ConnectError> {
    dialer.open(LIMIT, &Http2Settings::default()).await
}

#[tokio::test]
async fn the_next_address_is_tried_in_the_same_dial() {
    for bad in [
        Closes,
        Silent,
        Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Sends(&[0x15, 3, 1, 0, 2, 2, 0x46]),
    ] {
        let peers = Peers::start(&[bad, Serves(9)]).await;
        let dialer = peers.dialer();
        // The first dial shuffles; that of an address in use begins with the other.
        let first = open(&dialer).await.unwrap();
        dialer.spread.succeeded(peers.addresses[0]);
        let second = open(&dialer).await.unwrap();
        for opened in [&first, &second] {
            assert_eq!(opened.link.peer, Some(peers.addresses[1]), "{bad:?}");
        }
        assert_eq!(standing(&dialer, peers.addresses[0]), (0, true), "{bad:?}");
        assert_eq!(standing(&dialer, peers.addresses[1]), (2, false), "{bad:?}");
    }
}

#[tokio::test]
async fn a_silent_address_costs_its_delay_once() {
    let peers = Peers::start(&[Silent, Serves(9)]).await;
    let dialer = peers.dialer();
    dialer.spread.failed(peers.addresses[1], Instant::now());
    let began = Instant::now();
    let _first = open(&dialer).await.unwrap();
    assert!(began.elapsed() >= crate::conn::happy_eyeballs::ATTEMPT_DELAY);
    assert_eq!(standing(&dialer, peers.addresses[0]), (0, true));
    assert_eq!(standing(&dialer, peers.addresses[1]), (1, false));
}

#[tokio::test]
async fn addresses_under_way_at_the_timeout_have_failed() {
    let peers = Peers::start(&[Silent, Sends(b"SSH-2.0-OpenSSH_9.6\r\n"), Closes]).await;
    let dialer = peers.dialer();
    // It ends with the time, not with the failures: one is under way.
    let limit = Duration::from_secs(2);
    let error = dialer.open(limit, &Http2Settings::default()).await.err().unwrap();
    assert!(error.is_timeout(), "{error}");
    let text = format!("{error}: {:?}", error.source());
    for (host, address) in peers.addresses.iter().enumerate() {
        assert!(text.contains(&format!("the HTTP/2 handshake with {address}")), "{text}");
        assert_eq!(standing(&dialer, *address), (0, true), "127.0.0.{}", host + 1);
    }
    assert!(
        text.contains("timed out") && text.contains("SSH-2.0-OpenSSH_9.6"),
        "{text}"
    );
}

#[tokio::test]
async fn each_address_is_named_with_its_reason() {
    let peers = Peers::start(&[Closes, Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")]).await;
    let (_bound, refusing) = refusing();
    let mut addresses = peers.addresses.clone();
    addresses.push(refusing);
    let error = open(&dialer_of(&addresses)).await.err().unwrap();
    assert!(!error.is_timeout(), "{error}");
    let text = format!("{error} ({:?})", error.source());
    let [closes, http1, refuses] = addresses[..] else {
        unreachable!()
    };
    for part in [
        format!("the HTTP/2 handshake with {closes} failed ("),
        format!("the HTTP/2 handshake with {http1} failed ("),
        format!("connecting to {refuses} failed ("),
        "HTTP/1.1 400 Bad Request".into(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

#[tokio::test]
async fn one_address_ends_in_its_own_reason() {
    let rows: [(Peer, &str); 4] = [
        (
            Sends(&[0x15, 3, 1, 0, 2, 2, 0x46]),
            "the target must start with https://",
        ),
        (Sends(b"HTTP/1.1 505 HTTP Version Not Supported\r\n\r\n"), "with HTTP/1"),
        (Sends(b"220 mail.example ESMTP\r\n"), "`220 mail.example ESMTP`"),
        (Closes, "closed the connection before it sent SETTINGS|reset"),
    ];
    for (peer, parts) in rows {
        let peers = Peers::start(&[peer]).await;
        let error = open(&peers.dialer()).await.err().unwrap();
        assert_eq!(error.phase(), Phase::Settings);
        let text = error.source().unwrap().to_string();
        assert!(parts.split('|').any(|part| text.contains(part)), "{text}");
    }
}
