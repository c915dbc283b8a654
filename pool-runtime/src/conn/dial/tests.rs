use std::error::Error as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite as _, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::conn::connector::{Connecting, Io};
use crate::conn::spread::Standing;

pub(crate) mod handshakes;

fn dialer(target: &str, options: DialOptions) -> Dialer {
    Dialer::new(target.parse().unwrap(), options).unwrap()
}

/// A dialer of a name with these addresses.
fn dialer_of(addresses: &[SocketAddr]) -> Dialer {
    Dialer {
        addresses: addresses.to_vec().into(),
        ..dialer("http://greeter.example", DialOptions::default())
    }
}

/// Longer than any dial of these tests takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Attempts that end with the transport.
struct NoHttp2;

impl Finish for NoHttp2 {
    type Opened = Transport;

    async fn finish(&self, transport: Transport, _: Step<'_>) -> Result<Transport, BoxError> {
        Ok(transport)
    }
}

impl Dialer {
    /// Opens a transport, TLS included.
    pub(crate) async fn transport(&self, limit: Duration) -> Result<Transport, ConnectError> {
        self.dial(limit, &NoHttp2).await
    }
}

async fn dial(target: &str) -> Result<Transport, ConnectError> {
    dialer(target, DialOptions::default()).transport(LIMIT).await
}

/// A listener on loopback, and the target that names it.
async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    (listener, target)
}

/// A port that refuses: it is bound, so that nobody else gets it, and nobody listens.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Sends a word each way.
async fn exchange(mut ours: impl Io, mut theirs: impl Io) {
    ours.write_all(b"ping").await.unwrap();
    ours.flush().await.unwrap();
    let mut word = [0; 4];
    theirs.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    theirs.write_all(b"pong").await.unwrap();
    theirs.flush().await.unwrap();
    ours.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"pong");
}

#[tokio::test]
async fn a_tcp_transport_knows_its_addresses_and_carries_bytes() {
    let (listener, target) = listen().await;
    let transport = dial(&target).await.unwrap();
    let (accepted, client) = listener.accept().await.unwrap();
    assert_eq!(transport.peer_addr(), Some(listener.local_addr().unwrap()));
    assert_eq!(transport.local_addr(), Some(client));
    assert!(transport.is_write_vectored());
    exchange(transport, accepted).await;
}

#[tokio::test]
async fn a_name_is_resolved() {
    let (listener, _target) = listen().await;
    let port = listener.local_addr().unwrap().port();
    let transport = dial(&format!("http://localhost:{port}")).await.unwrap();
    assert_eq!(transport.peer_addr(), Some(listener.local_addr().unwrap()));
}

#[tokio::test]
async fn the_options_reach_the_socket() {
    let (listener, _target) = listen().await;
    let options = TcpOptions {
        keepalive: Some(Duration::from_secs(45)),
        user_timeout: Some(Duration::from_secs(20)),
    };
    let stream = connect_tcp(listener.local_addr().unwrap(), options).await;
    let stream = stream.unwrap();
    let socket = SockRef::from(&stream);
    assert!(stream.nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(45));
        assert_eq!(socket.tcp_user_timeout().unwrap(), options.user_timeout);
    }

    let plain = connect_tcp(listener.local_addr().unwrap(), TcpOptions::default()).await;
    let plain = plain.unwrap();
    assert!(plain.nodelay().unwrap());
    assert!(!SockRef::from(&plain).keepalive().unwrap());
}

#[tokio::test]
async fn a_refused_port_is_an_error_of_connecting_with_the_address() {
    let (_bound, address) = refusing();
    let error = dial(&format!("http://{address}")).await.unwrap_err();
    assert_eq!(error.phase(), Phase::Connect);
    assert_eq!(error.address(), Some(address));
    assert_eq!(error.to_string(), format!("connecting to {address} failed"));
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_name_without_address_is_an_error_of_resolving() {
    // No look-up answers for a label that is longer than the 63 bytes that the DNS allows.
    let error = dial(&format!("http://{}", "a".repeat(64))).await.unwrap_err();
    assert_eq!(error.phase(), Phase::Resolve);
    assert!(error.source().is_some());
}

/// The uses of an address, and true if it failed of late.
fn standing(dialer: &Dialer, address: SocketAddr) -> (usize, bool) {
    let mut found = (0, false);
    let look = |standing: &dyn Fn(&SocketAddr) -> Standing| {
        let standing = standing(&address);
        found = (standing.uses, standing.failed);
        Vec::new()
    };
    assert!(dialer.spread.candidates(Instant::now(), look).is_empty());
    found
}

#[tokio::test]
async fn the_address_that_answers_gets_the_claim() {
    let (listener, _target) = listen().await;
    let answering = listener.local_addr().unwrap();
    let (_bound, refusing) = refusing();
    let dialer = dialer_of(&[refusing, answering]);
    // The first dial may begin with either; the second knows.
    drop(dialer.transport(LIMIT).await.unwrap());
    dialer.spread.failed(answering, Instant::now());
    let transport = dialer.transport(LIMIT).await.unwrap();
    assert_eq!(transport.peer_addr(), Some(answering));
    assert_eq!(standing(&dialer, answering), (1, false));
    assert_eq!(standing(&dialer, refusing), (0, true));
    drop(transport);
    assert_eq!(standing(&dialer, answering), (0, false));
}

#[tokio::test]
async fn all_refusing_addresses_are_named() {
    let ((_one, first), (_two, second)) = (refusing(), refusing());
    let error = dialer_of(&[first, second]).transport(LIMIT).await.unwrap_err();
    for address in [first, second] {
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}

#[tokio::test]
async fn connections_are_spread_over_the_addresses_of_a_name() {
    // Any address of 127.0.0.0/8 is this machine on Linux; elsewhere there is one loopback address.
    if !cfg!(target_os = "linux") {
        return;
    }
    let (first, _target) = listen().await;
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let addresses = [first.local_addr().unwrap(), second.local_addr().unwrap()];
    let dialer = dialer_of(&addresses);
    let mut transports = Vec::new();
    for _ in 0..4 {
        transports.push(dialer.transport(LIMIT).await.unwrap());
    }
    for address in addresses {
        let peers = transports.iter().filter_map(Transport::peer_addr);
        assert_eq!(peers.filter(|peer| *peer == address).count(), 2);
    }
}

#[tokio::test]
async fn a_closure_is_a_connector() {
    let (ours, theirs) = duplex(64);
    let ours = std::sync::Mutex::new(Some(ours));
    let connector = move |target: Target| {
        assert_eq!(target.authority(), "greeter.example:50051");
        let ours = ours.lock().unwrap().take();
        async move { ours.ok_or("there is only one") }
    };
    let options = DialOptions {
        connector: Some(Arc::new(connector)),
        ..DialOptions::default()
    };
    let dialer = dialer("http://greeter.example:50051", options);
    let transport = dialer.transport(LIMIT).await.unwrap();
    assert_eq!((transport.peer_addr(), transport.local_addr()), (None, None));
    exchange(transport, theirs).await;

    let error = dialer.transport(LIMIT).await.unwrap_err();
    assert_eq!(error.phase(), Phase::Connect);
    assert_eq!(error.source().unwrap().to_string(), "there is only one");
}

#[tokio::test]
async fn an_io_error_of_a_connector_keeps_its_kind() {
    struct Denied;
    impl Connector for Denied {
        fn connect(&self, target: &Target) -> Connecting {
            let refuse = |_: Target| async {
                Err::<tokio::io::DuplexStream, _>(io::Error::from(io::ErrorKind::PermissionDenied))
            };
            refuse.connect(target)
        }
    }
    let options = DialOptions {
        connector: Some(Arc::new(Denied)),
        ..DialOptions::default()
    };
    let dialer = dialer("http://greeter.example", options);
    let error = dialer.transport(LIMIT).await.unwrap_err();
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn a_dial_that_is_given_up_tells_where_it_was() {
    let never = |_: Target| std::future::pending::<io::Result<tokio::io::DuplexStream>>();
    let options = DialOptions {
        connector: Some(Arc::new(never)),
        ..DialOptions::default()
    };
    let dialer = dialer("http://greeter.example", options);
    let error = dialer.transport(Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.to_string(), "connecting timed out after 20s");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_carries_bytes() {
    let path = std::env::temp_dir().join(format!("pool-runtime-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let target = format!("unix:{}", path.display());
    let transport = dial(&target).await.unwrap();
    assert_eq!(transport.peer_addr(), None);
    let (accepted, _) = listener.accept().await.unwrap();
    exchange(transport, accepted).await;

    drop(listener);
    std::fs::remove_file(&path).unwrap();
    let error = dial(&target).await.unwrap_err();
    assert_eq!(error.phase(), Phase::Connect);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_unix_socket_carries_bytes() {
    let name = format!("pool-runtime-{}", std::process::id());
    let listener = tokio::net::UnixListener::bind(format!("\0{name}")).unwrap();
    let transport = dial(&format!("unix:@{name}")).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    exchange(transport, accepted).await;
}

#[cfg(not(feature = "_tls"))]
#[test]
fn without_tls_an_https_target_is_refused_with_the_features_to_enable() {
    let target = "https://greeter.example".parse().unwrap();
    let error = Dialer::new(target, DialOptions::default()).unwrap_err();
    assert_eq!(error.field, "target");
    assert!(error.to_string().contains("`tls-ring`"), "{error}");
}
